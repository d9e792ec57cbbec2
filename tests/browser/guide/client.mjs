// The workflow guide's own example of a client, as it stands in its document.
export class WorkflowWebSocket {
  constructor(accessToken) {
    this.token = accessToken;
    this.ws = null;
    this.reconnectAttempts = 0;
    this.maxReconnectAttempts = 5;
  }

  connect() {
    this.ws = new WebSocket(`ws://localhost:8000/api/v1/ws?token=${this.token}`);

    this.ws.onopen = () => {
      console.log('WebSocket connected');
      this.reconnectAttempts = 0;
    };

    this.ws.onmessage = (event) => {
      const message = JSON.parse(event.data);
      this.handleMessage(message);
    };

    this.ws.onerror = (error) => {
      console.error('WebSocket error:', error);
    };

    this.ws.onclose = () => {
      console.log('WebSocket disconnected');
      this.reconnect();
    };
  }

  handleMessage(message) {
    switch (message.type) {
      case 'connection':
        console.log('Connected with ID:', message.connection_id);
        break;

      case 'execution_update':
        console.log('Execution update:', message.data);
        // Update UI with execution progress
        this.updateExecutionUI(message.data);
        break;

      case 'node_update':
        console.log('Node update:', message.data);
        // Update UI with node status
        this.updateNodeUI(message.data);
        break;

      case 'subscription':
        console.log('Subscribed to:', message.room_id);
        break;

      case 'pong':
        console.log('Pong received');
        break;

      case 'error':
        console.error('Error:', message.message);
        break;
    }
  }

  subscribeToExecution(executionId) {
    this.send({
      type: 'subscribe',
      room_id: `execution:${executionId}`
    });
  }

  unsubscribeFromExecution(executionId) {
    this.send({
      type: 'unsubscribe',
      room_id: `execution:${executionId}`
    });
  }

  send(message) {
    if (this.ws && this.ws.readyState === WebSocket.OPEN) {
      this.ws.send(JSON.stringify(message));
    }
  }

  ping() {
    this.send({ type: 'ping' });
  }

  reconnect() {
    if (this.reconnectAttempts < this.maxReconnectAttempts) {
      this.reconnectAttempts++;
      const delay = Math.min(1000 * Math.pow(2, this.reconnectAttempts), 30000);
      console.log(`Reconnecting in ${delay}ms... (Attempt ${this.reconnectAttempts})`);
      setTimeout(() => this.connect(), delay);
    }
  }

  updateExecutionUI(data) {
    // Update your UI with execution progress
    const progressBar = document.getElementById('execution-progress');
    if (progressBar) {
      progressBar.style.width = `${data.progress_percentage}%`;
      progressBar.textContent = `${Math.round(data.progress_percentage)}%`;
    }

    const statusElement = document.getElementById('execution-status');
    if (statusElement) {
      statusElement.textContent = data.status;
      statusElement.className = `status-${data.status}`;
    }
  }

  updateNodeUI(data) {
    // Update your UI with node status
    const nodeElement = document.getElementById(`node-${data.node_id}`);
    if (nodeElement) {
      nodeElement.className = `node status-${data.status}`;
      nodeElement.querySelector('.status').textContent = data.status;
    }
  }

  disconnect() {
    if (this.ws) {
      this.ws.close();
    }
  }
}
