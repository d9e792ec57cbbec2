/** The event behind an update: its canonical name, its data, and the ids that these name. */
import { record, text } from './read';
import type { Json } from './types';
import { table } from './table';

export interface Said {
  /** Lower case, dots between the words: `agent.status.changed`. */
  name: string;
  data: Json;
  /** Empty for none. */
  projectId: string;
  /** The project under which its agent is kept: its own one, or none for an agent that works for several. */
  agentProjectId: string;
  agentId: string;
  taskId: string;
  /** As the server keeps it. */
  at: string;
  /** The time of the first event in it. */
  since: string;
  /** Whether the producer speaks for its project only. */
  confined: boolean;
  /** Kinds of its things that are of its project from now on, and were of none. */
  adopted: string[];
}

/** Names of updates that stand for the event behind them; `docs/protocol.md` lists them. */
const UPDATES = table<string>({
  'agent.status.change': 'agent.status.changed', 'health.update': 'system.health.changed', 'ingest.update': 'ingest.job.updated',
  'message.appended': 'agent.message.appended', 'node.update': 'workflow.node.state.updated',
});

/** The first text that is not empty at one of these keys, or at `outer.key`. */
export function idAt(data: Json, ...paths: string[]): string {
  for (const path of paths) {
    const [outer = '', inner] = path.split('.');
    const value = inner === undefined ? data[outer] : record(data[outer])[inner];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return '';
}

export const agentOf = (data: Json): string =>
  idAt(data, 'agent_id', 'agentId', 'worker_id', 'workerId', 'run.agent_id', 'run.agentId', 'step.agent_id');
export const taskOf = (data: Json): string => idAt(data, 'task_id', 'taskId', 'task.id', 'task.task_id');
export const runOf = (data: Json): string => idAt(
  data, 'run_id', 'runId', 'run.id', 'run.run_id', 'step.run_id', 'step.runId', 'nodeState.run_id', 'nodeState.runId', 'message.run_id',
);
export const executionOf = (data: Json): string =>
  idAt(data, 'execution_id', 'executionId', 'run.execution_id', 'nodeState.execution_id', 'nodeState.executionId') || runOf(data);
export const jobOf = (data: Json): string => idAt(data, 'job_id', 'jobId', 'job.id', 'job.job_id');

export function canonical(type: string): string {
  const folded = type.toLowerCase().replace(/[_:-]/g, '.');
  return UPDATES[folded] ?? folded;
}

/** Names for updates without a source, as producers of updates and tests make them. */
function nameOf(type: string, data: Json): string {
  const change = text(data, 'change_type');
  switch (type) {
    case 'agent_status_change': return 'agent.status.changed';
    case 'agent_update': return `agent.${change || 'updated'}`;
    case 'task_assignment': return 'task.assigned';
    case 'progress_update': return 'task.progress';
    case 'task_update': return `task.${change || 'updated'}`;
    case 'project_update': return `project.${change || 'updated'}`;
    case 'health_update': return 'system.health.changed';
    case 'execution_update': return `workflow.run.${change || 'updated'}`;
    case 'node_update': return 'workflow.node.state.updated';
    case 'ingest_update': return 'ingest.job.updated';
    case 'agent_handoff': return 'agent.handoff';
    case 'agent_run_update': return 'agent.run.updated';
    default: return '';
  }
}

/** The project of an event, wherever its dialect names it. */
export const projectOf = (data: Json): string => idAt(
  data, 'project_id', 'projectId', 'job.project_id', 'run.project_id', 'step.project_id', 'nodeState.project_id', 'job.projectId',
  'run.projectId', 'step.projectId', 'nodeState.projectId', 'task.project_id', 'task.projectId', 'task_details.project_id',
  'message.project_id', 'metadata.project_id', 'project_state.project_id',
);

export function saidBy(type: string, payload: Json, at: string): Said {
  const data = record(payload.data);
  const source = text(payload, 'source_type');
  let name = source ? canonical(source) : nameOf(type, data);
  // The update pipeline calls each of its events `agent_update`, and says in it what changed.
  if (name === 'agent.update') name = `agent.${text(payload, 'update_type') || text(data, 'change_type') || 'updated'}`;
  const agentId = agentOf(data) || text(payload, 'agent_id', 'workerId');
  const taskId = taskOf(data) || text(payload, 'task_id', 'taskId');
  // A server says the project that it settled; in updates of others it stands where their producers write it.
  const projectId = text(payload, 'project_id') || (source ? '' : projectOf(data) || (type === 'project_update' ? text(record(data.project_state), 'board_id') : ''));
  const agentProjectId = payload.agent_project_id === undefined ? projectId : text(payload, 'agent_project_id');
  const adopted = Array.isArray(payload.adopted) ? payload.adopted.filter((kind) => typeof kind === 'string') : [];
  return { name, data, projectId, agentProjectId, agentId, taskId, at, since: text(payload, 'since') || at, confined: payload.confined === true, adopted };
}
