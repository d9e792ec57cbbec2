// The update pipeline's own React hook, as it stands in its document; only its address is given to it.
import { useState, useEffect, useRef } from 'react';

export function useDatingShowWebSocket(url) {
    const [agents, setAgents] = useState({});
    const [connectionStatus, setConnectionStatus] = useState('connecting');
    const socketRef = useRef(null);
    
    useEffect(() => {
        const socket = new WebSocket(url);
        socketRef.current = socket;
        
        socket.onopen = () => setConnectionStatus('connected');
        socket.onclose = () => setConnectionStatus('disconnected');
        
        socket.onmessage = (event) => {
            const data = JSON.parse(event.data);
            
            if (data.type === 'agent_update') {
                setAgents(prev => ({
                    ...prev,
                    [data.agent_id]: data.data
                }));
            }
        };
        
        return () => socket.close();
    }, []);
    
    const sendAgentAction = (agentId, action, params = {}) => {
        if (socketRef.current?.readyState === WebSocket.OPEN) {
            socketRef.current.send(JSON.stringify({
                type: 'agent_action',
                agent_id: agentId,
                action: action,
                params: params
            }));
        }
    };
    
    return { agents, connectionStatus, sendAgentAction };
}
