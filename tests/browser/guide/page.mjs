// A page with the guide's two example clients: the class on its own, and the hook in a component.
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { WorkflowWebSocket } from './client.mjs';
import { useWorkflowWebSocket } from './hook.ts';

function Execution({ id }) {
  const { executionStatus, isConnected } = useWorkflowWebSocket('', id);
  const shown = executionStatus && `${executionStatus.status} ${executionStatus.progress_percentage} ${executionStatus.completed_nodes}/${executionStatus.total_nodes}`;
  return h('p', { id: 'hook', 'data-connected': isConnected }, shown);
}

window.startClass = () => {
  document.body.innerHTML = '<div id=execution-progress></div><div id=execution-status></div><div id=node-node-1><i class=status></i></div>';
  window.client = new WorkflowWebSocket('');
  window.handled = [];
  const handle = window.client.handleMessage.bind(window.client);
  window.client.handleMessage = (message) => {
    handle(message);
    window.handled.push(message.type);
  };
  window.client.connect();
};

window.startHook = (id) => {
  const box = document.createElement('div');
  document.body.replaceChildren(box);
  window.root = createRoot(box);
  window.root.render(h(Execution, { id }));
};
