// The lines that producers write, and Seneca's own reading of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const data = (name) => readFileSync(new URL(`../data/${name}`, import.meta.url), 'utf8');
const parsed = (name) => data(name).trim().split('\n').map((line) => JSON.parse(line));

/** The log lines of a recorded run, in both of Marcus' dialects. */
export const conversations = parsed('marcus-conversations.jsonl');
/** The bus events of the same run. */
export const busEvents = parsed('marcus-events.jsonl');

/** Publishes as a log shipper does: the lines as they are. */
export async function publishLines(url, events) {
  const response = await fetch(`${url}/api/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.map((event) => `${JSON.stringify(event)}\n`).join(''),
  });
  const body = await response.json();
  assert.equal(response.status, 202, JSON.stringify(body));
  assert.deepEqual(body.rejected ?? [], []);
  assert.equal(body.accepted, events.length);
}

/** A log line as Seneca reads it: the columns of its event log. `message` is an object where it shows the record itself. */
export function senecaReads(line) {
  const { timestamp, ...record } = line;
  const shown = (event_type, source, target, message, metadata, confidence = null) => (
    { event_type, source, target, message, metadata, confidence, time: Date.parse(timestamp) });
  if (!line.event) {
    const { type, ...rest } = record;
    if (type === 'ping_request') return shown(type, line.source ?? 'mcp_client', 'marcus', `Ping: ${line.echo}`, rest);
    if (type === 'ping_response') {
      return shown(type, 'marcus', 'mcp_client', `Pong: ${line.echo} (Status: ${line.status})`, rest);
    }
    return shown(type, line.source ?? 'unknown', line.target ?? 'unknown', line.message ?? rest, rest);
  }
  const worker = line.worker_id;
  const pick = (...keys) => Object.fromEntries(keys.map((key) => [key, line[key]]));
  switch (line.event) {
    case 'worker_communication':
      return line.conversation_type === 'worker_to_pm'
        ? shown('worker_message', worker, 'marcus', line.message, line.metadata)
        : shown('worker_message', 'marcus', worker, line.message, line.metadata);
    case 'pm_thinking':
      return shown('pm_thinking', 'marcus', 'internal', line.thought, line.context);
    case 'pm_decision':
      return shown('pm_decision', 'marcus', 'decision', line.decision, {
        rationale: line.rationale, alternatives: line.alternatives_considered, decision_factors: line.decision_factors,
      }, line.confidence_score);
    case 'kanban_interaction':
      return line.conversation_type === 'pm_to_kanban'
        ? shown('kanban_request', 'marcus', 'kanban_board', line.action, pick('data', 'processing_steps'))
        : shown('kanban_response', 'kanban_board', 'marcus', line.action, pick('data', 'processing_steps'));
    case 'task_assignment':
      return shown('task_assignment', 'marcus', worker, `Task ${line.task_id} assigned`,
        pick('task_details', 'assignment_score', 'dependency_analysis'));
    case 'progress_update':
      return shown('progress_update', worker, 'marcus', `${line.progress}% - ${line.message}`, pick('task_id', 'status', 'metrics'));
    case 'blocker_reported':
      return shown('blocker_report', worker, 'marcus', line.blocker_description,
        pick('task_id', 'severity', 'suggested_solutions'));
    case 'system_state':
      return shown('system_state', 'marcus', 'system', 'System state update',
        pick('active_workers', 'tasks_in_progress', 'tasks_completed', 'tasks_blocked', 'system_metrics'));
    default:
      return null;
  }
}

/** Asserts that what the page got is the line as Seneca reads it; more fields do no harm. */
export function assertReadAs(got, line) {
  const want = senecaReads(line);
  const { message, metadata, time, ...columns } = want;
  for (const [key, value] of Object.entries(columns)) assert.deepEqual(got[key], value, `${key} of ${JSON.stringify(line)}`);
  assert.equal(new Date(got.timestamp).getTime(), time);
  if (typeof message === 'object') assert.deepEqual(JSON.parse(got.message), message);
  else assert.equal(got.message, message);
  for (const [key, value] of Object.entries(metadata)) assert.deepEqual(got.metadata[key], value, `metadata.${key} of ${JSON.stringify(line)}`);
  assert.equal(got.duration_ms, null);
}

/** A short story by hand, ending now: an agent comes, asks, gets a task, reports and is blocked. */
export function story() {
  const start = Date.now() - 60_000;
  const agent = 'agent_backend_1';
  const task = 'task_0001';
  const log = (logger, level) => ({ logger, level });
  const lines = [
    { type: 'worker_registration', worker_id: agent, name: 'Backend Agent 1', role: 'Backend Developer', skills: ['python', 'redis'], source: 'mcp_client', target: 'marcus' },
    { event: 'worker_communication', worker_id: agent, conversation_type: 'worker_to_pm', message: 'Ready for work', metadata: { project_id: 'p1' }, ...log('worker', 'info') },
    { type: 'task_request', worker_id: agent, source: agent, target: 'marcus' },
    { event: 'pm_thinking', conversation_type: 'internal_thinking', thought: 'Which task fits best?', context: { candidates: 2 }, ...log('marcus', 'debug') },
    { event: 'pm_decision', conversation_type: 'decision', decision: 'Give the inventory data model to agent_backend_1', rationale: 'Best match of skills', alternatives_considered: [{ task: 'Write the API', score: 0.62 }], confidence_score: 0.87, decision_factors: { skills: 2 }, ...log('marcus', 'info') },
    { type: 'task_assignment', agent_id: agent, task_id: task, task_name: 'Design inventory data model', priority: 'urgent', source: 'marcus', target: agent },
    { event: 'kanban_interaction', conversation_type: 'pm_to_kanban', action: 'move_card', data: { task_id: task, to: 'In Progress' }, processing_steps: ['find card', 'move'], ...log('kanban', 'info') },
    { event: 'progress_update', event_type: 'progress', worker_id: agent, task_id: task, progress: 30, status: 'in_progress', message: 'tables drafted', metrics: { files_changed: 4 }, ...log('worker', 'info') },
    { event: 'blocker_reported', event_type: 'blocker', worker_id: agent, task_id: task, blocker_description: 'No unique key', severity: 'high', suggested_solutions: ['Add a composite key'], resolution_attempts: [], ...log('worker', 'warning') },
    { type: 'project_state_refreshed', task_count: 2, project_state: { board_id: 'board_1', project_name: 'Depot', total_tasks: 2, completed_tasks: 0, in_progress_tasks: 0, blocked_tasks: 1, progress_percent: 15.0, team_velocity: 0.0, risk_level: 'medium', last_updated: new Date(start).toISOString() } },
  ];
  return lines.map((line, at) => ({ ...line, timestamp: new Date(start + at * 1000).toISOString() }));
}
