// The update pipeline's own example of a client, as it stands in its document; only its address is given to it.
export class DatingShowClient {
    constructor(url) {
        this.socket = new WebSocket(url);
        this.setupEventHandlers();
    }

    setupEventHandlers() {
        this.socket.onmessage = (event) => {
            const data = JSON.parse(event.data);
            this.handleUpdate(data);
        };
    }

    handleUpdate(data) {
        if (data.type === 'agent_update') {
            this.updateAgentUI(data.agent_id, data.data);
        }
    }

    sendAgentAction(agentId, action, params = {}) {
        this.socket.send(JSON.stringify({
            type: 'agent_action',
            agent_id: agentId,
            action: action,
            params: params
        }));
    }
}
