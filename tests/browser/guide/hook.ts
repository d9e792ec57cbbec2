// The workflow guide's own React hook, as it stands in its document.
import { useEffect, useRef, useState } from 'react';

interface ExecutionUpdate {
  execution_id: string;
  status: string;
  progress_percentage: number;
  completed_nodes: number;
  total_nodes: number;
}

export function useWorkflowWebSocket(accessToken: string, executionId: string) {
  const ws = useRef<WebSocket | null>(null);
  const [executionStatus, setExecutionStatus] = useState<ExecutionUpdate | null>(null);
  const [isConnected, setIsConnected] = useState(false);

  useEffect(() => {
    // Connect to WebSocket
    ws.current = new WebSocket(`ws://localhost:8000/api/v1/ws?token=${accessToken}`);

    ws.current.onopen = () => {
      setIsConnected(true);
      // Subscribe to execution updates
      ws.current?.send(JSON.stringify({
        type: 'subscribe',
        room_id: `execution:${executionId}`
      }));
    };

    ws.current.onmessage = (event) => {
      const message = JSON.parse(event.data);

      if (message.type === 'execution_update') {
        setExecutionStatus(message.data);
      }
    };

    ws.current.onclose = () => {
      setIsConnected(false);
    };

    // Cleanup on unmount
    return () => {
      ws.current?.close();
    };
  }, [accessToken, executionId]);

  return { executionStatus, isConnected };
}
