// A page with the pipeline's two example clients: the class on its own, and the hook in a component.
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { DatingShowClient } from './client.mjs';
import { useDatingShowWebSocket } from './hook.mjs';

function AgentCard({ id, agent, onAction }) {
  return h('button', { id: `card-${id}`, onClick: () => onAction('move', { location: 'pool' }) }, agent.status);
}

function DatingShowDashboard({ url }) {
  const { agents, connectionStatus, sendAgentAction } = useDatingShowWebSocket(url);
  const cards = Object.entries(agents).map(([id, agent]) =>
    h(AgentCard, { key: id, id, agent, onAction: (action, params) => sendAgentAction(id, action, params) }));
  return h('div', null, h('div', { id: 'status' }, `Status: ${connectionStatus}`), ...cards);
}

/** Starts the class; what it shows of each agent is in `shown`. */
window.startClass = (url) => {
  window.shown = {};
  window.client = new DatingShowClient(url);
  window.client.updateAgentUI = (id, agent) => { window.shown[id] = agent; };
};

/** Starts the component. */
window.startHook = (url) => {
  const root = document.body.appendChild(document.createElement('div'));
  createRoot(root).render(h(DatingShowDashboard, { url }));
};
