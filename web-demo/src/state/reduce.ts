/**
 * One update → the new state, a line for the feed, and what to animate.
 *
 * Pure but for `state`, which is mended in place (entities are replaced, see `types.ts`). Any field may be missing or of
 * another type; an update that says nothing usable still gives a line in the feed.
 */
import { agentPatch, dropTask, projectPatch, runPatch, taskPatch, upsertAgent, upsertProject, upsertRun, upsertTask } from './entities';
import { describe } from './describe';
import { familyOf } from './families';
import { number, record, text, time } from './read';
import { readHealth } from './snapshot';
import { gone, taskStatus } from './status';
import type { Animation, Effect, FeedEntry, Json, Outcome, Priority, State, Task } from './types';

const MOST_DECISIONS = 50;
const MOST_MESSAGES = 30;
const LONGEST_MESSAGE = 6000;

const ANIMATIONS: readonly string[] = ['pulse', 'fade', 'flow', 'progress', 'flash', 'celebrate', 'alert'];
const PRIORITIES: Record<string, Priority> = { critical: 'critical', high: 'high', normal: 'normal', medium: 'normal', low: 'low' };

interface Subject {
  agentId: string | null;
  taskId: string | null;
}

function subject(state: State, payload: Json, data: Json): Subject {
  const target = record(record(payload.hint).target);
  const kind = text(target, 'kind');
  const taskId = text(payload, 'task_id', 'taskId') || text(data, 'task_id', 'taskId') || (kind === 'task' ? text(target, 'id') : '') || null;
  const agentId = text(payload, 'agent_id', 'workerId', 'worker_id', 'agentId') || text(data, 'agent_id', 'worker_id', 'agentId', 'workerId')
    || text(record(data.run), 'agent_id') || (kind === 'agent' ? text(target, 'id') : '')
    || (taskId ? state.tasks.get(taskId)?.agentId : null) || null;
  return { agentId, taskId };
}

function setTask(state: State, data: Json, who: Subject, change: string, at: number): void {
  if (!who.taskId) return;
  const patch = taskPatch(data);
  if (who.agentId) patch.agentId = who.agentId;
  const status = taskStatus(change);
  if (status) patch.status = status;
  if (status === 'done') {
    if (data.success === false) patch.status = 'blocked';
    else patch.progress = 100;
  }
  if (patch.status === 'todo') patch.agentId = null;
  const task = upsertTask(state, who.taskId, patch, at);
  if (patch.status) occupy(state, who.agentId, task, at);
}

/** An agent has the task that it works on, and none once that is done or taken from it; the server folds it the same way. */
function occupy(state: State, agentId: string | null, task: Task, at: number): void {
  const agent = agentId ? state.agents.get(agentId) : undefined;
  if (!agent) return;
  const over = task.status === 'done' || task.status === 'todo';
  if (over && agent.taskId === task.id) upsertAgent(state, agent.id, { taskId: null }, at);
  else if (!over && agent.taskId !== task.id) upsertAgent(state, agent.id, { taskId: task.id }, at);
}

/** A report without an id is about the project of the same name, else about the board it names. */
function projectId(state: State, data: Json): string {
  const inner = record(data.project_state);
  const id = text(data, 'project_id', 'projectId') || text(inner, 'project_id');
  if (id) return id;
  const name = text(data, 'project_name') || text(inner, 'project_name');
  for (const project of state.projects.values()) if (name && project.name === name) return project.id;
  return text(inner, 'board_id') || text(data, 'board_id') || name;
}

function appendMessage(state: State, data: Json, agentId: string | null, at: number): void {
  const runId = text(data, 'run_id', 'runId');
  const id = text(data, 'message_id', 'messageId') || runId;
  if (!id) return;
  const before = state.messages.get(id) ?? { id, runId, agentId, role: 'agent', content: '', at };
  const joined = before.content + text(data, 'content', 'delta', 'text');
  state.messages.set(id, {
    ...before, role: text(data, 'role') || before.role, content: joined.slice(-LONGEST_MESSAGE), at,
  });
  for (const oldest of state.messages.keys()) {
    if (state.messages.size <= MOST_MESSAGES) break;
    state.messages.delete(oldest);
  }
}

function fold(state: State, type: string, payload: Json, data: Json, who: Subject, at: number): void {
  switch (type) {
    case 'agent_status_change':
      if (who.agentId) upsertAgent(state, who.agentId, { ...agentPatch(data), ...agentPatch({ new_status: payload.new_status }) }, at);
      return;
    case 'agent_update':
      if (!who.agentId) return;
      if (text(data, 'change_type') === 'unregistered') upsertAgent(state, who.agentId, { status: 'offline', taskId: null }, at);
      else upsertAgent(state, who.agentId, agentPatch(data), at);
      return;
    case 'task_assignment': {
      setTask(state, { task_name: payload.task_name ?? payload.taskName, ...data, status: undefined }, who, 'assigned', at);
      if (!who.agentId) return;
      const known = state.agents.has(who.agentId);
      upsertAgent(state, who.agentId, { taskId: who.taskId, ...(known ? {} : { status: 'working' }) }, at);
      return;
    }
    case 'progress_update': {
      const status = text(payload, 'status') || text(data, 'status') || 'in_progress';
      setTask(state, { ...data, progress: number(payload, 'progress') ?? data.progress }, who, status, at);
      if (who.agentId && !state.agents.has(who.agentId)) upsertAgent(state, who.agentId, { status: 'working', taskId: who.taskId }, at);
      return;
    }
    case 'task_update': {
      const change = text(data, 'change_type') || text(data, 'status');
      if (who.taskId && gone(change)) dropTask(state, who.taskId, at);
      else setTask(state, data, who, change, at);
      return;
    }
    case 'project_update': {
      state.health = readHealth({ risk_level: record(data.project_state).risk_level }, state.health, at);
      const id = projectId(state, data);
      if (!id) return;
      const patch = projectPatch(data);
      if (text(data, 'change_type') === 'created') patch.status = 'active';
      if (text(data, 'change_type') === 'completed') Object.assign(patch, { progress: 100, status: 'completed', ...(patch.total ? { done: patch.total } : {}) });
      upsertProject(state, id, patch, at);
      return;
    }
    case 'decision_event': {
      const decision = {
        id: text(payload, 'decision_id', 'id'), decision: text(payload, 'decision') || text(data, 'decision', 'what'),
        rationale: text(payload, 'rationale') || text(data, 'rationale', 'why'),
        confidence: number(payload, 'confidence_score', 'confidence'), agentId: who.agentId, at,
      };
      if (decision.decision && !state.decisions.some((other) => other.id === decision.id && other.decision === decision.decision)) {
        state.decisions = [decision, ...state.decisions].slice(0, MOST_DECISIONS);
      }
      return;
    }
    case 'health_update':
      state.health = readHealth({ ...payload, ...data }, state.health, at);
      return;
    case 'execution_update':
    case 'agent_run_update':
    case 'ingest_update': {
      const inner = { ...data, ...record(data.run), ...record(data.job) };
      const id = text(data, 'execution_id', 'run_id', 'job_id') || text(inner, 'id', 'run_id', 'job_id');
      if (id) upsertRun(state, id, runPatch(inner), at);
      return;
    }
    case 'node_update': {
      const id = text(data, 'execution_id', 'run_id');
      if (id) upsertRun(state, id, { current: text(data, 'node_name', 'node_id') }, at);
      return;
    }
    case 'message_appended':
      appendMessage(state, data, who.agentId, at);
      return;
    case 'generic_update':
      foldGeneric(state, payload, data, who, at);
      return;
  }
}

/** Events the server has no row for can still name a task that the stage should show. */
function foldGeneric(state: State, payload: Json, data: Json, who: Subject, at: number): void {
  if (!who.taskId) return;
  const source = text(payload, 'source_type').replace(/[.:]/g, '_');
  if (source === 'blocker_resolved') setTask(state, {}, who, 'unblocked', at);
  else if (!state.tasks.has(who.taskId) && text(data, 'task_name')) upsertTask(state, who.taskId, taskPatch({ ...data, agent_id: undefined }), at);
}

function effectOf(type: string, payload: Json, who: Subject): Effect | null {
  const hint = record(payload.hint);
  const target = record(hint.target);
  const animation = text(payload, 'animation');
  if (!ANIMATIONS.includes(animation)) return null;
  return {
    type, animation: animation as Animation, kind: text(target, 'kind'), id: text(target, 'id'), agentId: who.agentId, taskId: who.taskId,
    from: text(hint, 'from'), to: text(hint, 'to'),
    durationMs: Math.min(4000, Math.max(150, number(hint, 'duration_ms') ?? 600)),
    intensity: Math.min(1, Math.max(0, number(hint, 'intensity') ?? 0.5)),
  };
}

/** Producers log one decision on several channels, as events of their own: it is said once. */
function isKnown(state: State, payload: Json): boolean {
  const id = text(payload, 'decision_id');
  const said = text(payload, 'decision') || text(record(payload.data), 'decision', 'what');
  return id !== '' && state.decisions.some((other) => other.id === id && other.decision === said);
}

let nextKey = 1;
// `agent_status_change` and `agent_update` are two tellings of one event: the second is neither shown nor animated again.
let lastStatusChange = '';

// All that no state tells; the rest of a past update is in the state already, and older than it.
const TOLD_OF_THE_PAST = ['decision_event', 'message_appended'];

/** With `past` it is one from before the state: told, but it changes nothing that the state knows better, and nothing moves. */
export function applyUpdate(state: State, type: string, raw: unknown, now: number, past = false): Outcome {
  const payload = record(raw);
  const data = record(payload.data);
  const at = time(payload.timestamp, now);
  const id = text(payload, 'id');
  const who = subject(state, payload, data);
  const again = type === 'decision_event' && isKnown(state, payload);
  if (!past || TOLD_OF_THE_PAST.includes(type)) fold(state, type, payload, data, who, at);
  const cursor = text(payload, 'cursor');
  if (cursor && !past) state.cursor = cursor;

  if (again) return { entry: null, effect: null };
  if (type === 'agent_update' && id !== '' && id === lastStatusChange) return { entry: null, effect: null };
  if (type === 'agent_status_change') lastStatusChange = id;

  const coalesced = Math.max(1, number(payload, 'coalesced') ?? 1);
  state.seen += coalesced;
  const sourceType = text(payload, 'source_type');
  const said = describe(state, type, payload, who.agentId);
  const entry: FeedEntry = {
    key: nextKey++, id, type, sourceType, family: familyOf(type), priority: PRIORITIES[text(payload, 'priority')] ?? 'normal', at,
    agentId: who.agentId, text: said, messageId: type === 'message_appended' ? text(data, 'message_id', 'messageId') : '',
    coalesced, past, haystack: `${said} ${type} ${sourceType} ${who.agentId ?? ''} ${who.taskId ?? ''}`.toLowerCase(),
  };
  return { entry, effect: past ? null : effectOf(type, payload, who) };
}
