/** One readable sentence per update, for the feed and the announcer. */
import { humanise, number, record, text } from './read';
import type { Json, State } from './types';

export function agentName(state: State, id: string | null): string {
  if (!id) return 'Someone';
  return state.agents.get(id)?.name ?? humanise(id);
}

function taskName(state: State, payload: Json, data: Json): string {
  const said = text(payload, 'task_name', 'taskName') || text(data, 'task_name', 'name', 'title');
  if (said) return said;
  const id = text(payload, 'task_id', 'taskId') || text(data, 'task_id', 'taskId');
  return state.tasks.get(id)?.name ?? (id ? humanise(id) : 'a task');
}

function runName(state: State, id: string): string {
  return state.runs.get(id)?.name ?? (id ? humanise(id) : 'A run');
}

/** `task_blocked` → `Task blocked`. */
export function words(type: string): string {
  const plain = type.replace(/[_.:-]+/g, ' ').trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

function fallback(payload: Json, data: Json): string {
  const what = words(text(payload, 'source_type', 'type') || 'Update');
  const detail = text(data, 'message', 'task_name', 'project_name', 'agent_name', 'name', 'tool', 'skill', 'error')
    || text(payload, 'message');
  return detail ? `${what}: ${detail}` : what;
}

type Teller = (state: State, payload: Json, data: Json, agentId: string | null) => string;

const TELLERS: Record<string, Teller> = {
  agent_status_change: (state, payload, _data, agentId) =>
    `${agentName(state, agentId)} is ${text(payload, 'new_status').replace(/_/g, ' ') || 'changed'}`,
  agent_update: (state, payload, data, agentId) => {
    const change = text(data, 'change_type') || text(payload, 'update_type');
    if (change === 'registered') return `${agentName(state, agentId)} joined${text(data, 'role') ? ` as ${text(data, 'role')}` : ''}`;
    if (change === 'learned') return `${agentName(state, agentId)} got better at ${text(data, 'skill') || 'something'}`;
    if (change === 'changed') return `${agentName(state, agentId)} is ${text(data, 'status', 'new_status')}`;
    return `${agentName(state, agentId)}: ${words(text(payload, 'source_type') || change || 'updated').replace(/^Agent /i, '').toLowerCase()}`;
  },
  task_assignment: (state, payload, data, agentId) => `${agentName(state, agentId)} took “${taskName(state, payload, data)}”`,
  progress_update: (state, payload, data) => {
    const done = number(payload, 'progress') ?? number(data, 'progress');
    const note = text(payload, 'message') || text(data, 'message');
    return `“${taskName(state, payload, data)}”${done === null ? '' : ` at ${Math.round(done)} %`}${note ? ` (${note})` : ''}`;
  },
  task_update: (state, payload, data, agentId) => {
    const name = `“${taskName(state, payload, data)}”`;
    const change = text(data, 'change_type', 'status');
    if (!text(data, 'task_id', 'taskId', 'task_name')) return `${agentName(state, agentId)}: ${words(text(payload, 'source_type') || 'task').toLowerCase()}`;
    if (change === 'completed' || change === 'done') return data.success === false ? `${name} did not succeed` : `${agentName(state, agentId)} finished ${name}`;
    if (change === 'blocked') return `${name} is blocked: ${text(data, 'blocker', 'reason', 'message', 'blocker_description') || 'no reason given'}`;
    return `${name} ${words(change || 'updated').toLowerCase()}`;
  },
  project_update: (_state, payload, data) => {
    const project = record(data.project_state);
    const name = text(data, 'project_name', 'name') || text(project, 'project_name') || 'Project';
    const done = number(data, 'completed_tasks') ?? number(project, 'completed_tasks');
    const total = number(data, 'total_tasks') ?? number(project, 'total_tasks');
    const change = text(data, 'change_type');
    if (change === 'completed') return `${name} is complete`;
    if (change === 'created') return `${name} begins${total === null ? '' : ` with ${total} tasks`}`;
    const progress = number(data, 'progress', 'progress_percent', 'progress_percentage');
    if (done !== null && total !== null) return `${name}: ${done} of ${total} tasks done`;
    if (progress !== null) return `${name} at ${Math.round(progress)} %`;
    return `${name}: ${words(text(payload, 'source_type') || change || 'updated').toLowerCase()}`;
  },
  decision_event: (_state, payload, data) => text(payload, 'decision') || text(data, 'decision', 'what') || 'A decision was made',
  health_update: (_state, _payload, data) =>
    text(data, 'message') || `Health is ${text(data, 'status', 'severity', 'overall_health') || 'reported'}`,
  system_notification: (_state, payload, data) =>
    text(payload, 'message') || text(data, 'message', 'error', 'warning') || words(text(payload, 'source_type') || 'notice'),
  execution_update: (state, _payload, data) =>
    `${runName(state, text(data, 'execution_id', 'run_id'))}: ${text(data, 'status') || 'updated'}${text(data, 'current_node') ? `, at ${text(data, 'current_node')}` : ''}`,
  node_update: (_state, _payload, data) =>
    `${text(data, 'node_name', 'node_id') || 'Node'} ${text(data, 'status') || 'updated'}${text(data, 'message') ? `: ${text(data, 'message')}` : ''}`,
  ingest_update: (_state, _payload, data) =>
    `Ingest ${text(data, 'job_id', 'id')} ${text(data, 'stage', 'status')}`.trim(),
  agent_run_update: (_state, payload, data) => {
    const run = { ...record(data.run), ...record(data.step) };
    return `${words(text(payload, 'source_type') || 'Agent run')}${text(run, 'status') ? `: ${text(run, 'status')}` : ''}`;
  },
  message_appended: (state, _payload, data, agentId) => {
    const joined = state.messages.get(text(data, 'message_id', 'messageId'))?.content ?? text(data, 'content', 'delta');
    // The end of a long message is its news.
    return `${agentId ? agentName(state, agentId) : words(text(data, 'role') || 'agent')}: ${joined.length > 160 ? `…${joined.slice(-159)}` : joined}`;
  },
  error: (_state, payload) => text(payload, 'message', 'code') || 'The server reported an error',
};

export function describe(state: State, type: string, payload: Json, agentId: string | null): string {
  const data = record(payload.data);
  const told = TELLERS[type]?.(state, payload, data, agentId) ?? fallback(payload, data);
  return told.length > 240 ? `${told.slice(0, 239)}…` : told;
}
