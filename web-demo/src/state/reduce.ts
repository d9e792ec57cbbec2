/**
 * One update → the new state, a line for the feed, and what to animate.
 *
 * Pure but for `state`, which is mended in place (entities are replaced, see `types.ts`). Any field may be missing or of
 * another type; an update that says nothing usable still gives a line in the feed.
 */
import { describe } from './describe';
import { executionOf, jobOf, runOf, saidBy, type Said } from './event';
import { familyOf } from './families';
import { foldAdopted, foldEvent, foldUsage } from './fold';
import { keyOf, known } from './keys';
import { append, written } from './messages';
import { number, record, text, time } from './read';
import { isLight } from './weight';
import type { Animation, Effect, FeedEntry, Json, Outcome, Priority, State, Subject } from './types';
import { table } from './table';

const MOST_DECISIONS = 50;

const ANIMATIONS: readonly string[] = ['pulse', 'fade', 'flow', 'progress', 'flash', 'celebrate', 'alert'];
const PRIORITIES = table<Priority>({ critical: 'critical', high: 'high', normal: 'normal', medium: 'normal', low: 'low' });

function subject(state: State, type: string, payload: Json, said: Said): Subject {
  const target = record(record(payload.hint).target);
  const kind = text(target, 'kind');
  const taskId = said.taskId || (kind === 'task' ? text(target, 'id') : '');
  const task = taskId ? keyOf(said.projectId, taskId) : null;
  const mine = task ? state.tasks.get(task) : undefined;
  const { projectId } = said;
  const agentId = said.agentId || (kind === 'agent' ? text(target, 'id') : '') || mine?.agentId || '';
  const agent = agentId ? said.agentId ? keyOf(said.agentProjectId, agentId) : known(state.agents, keyOf(projectId, agentId), agentId) : null;
  const runId = type === 'ingest_update' ? jobOf(said.data) : type === 'agent_run_update' || type === 'message_appended' ? runOf(said.data) : executionOf(said.data);
  const run = runId ? keyOf(projectId, runId) : null;
  return { agent, task, run: run && state.runs.has(run) ? run : null, projectId };
}

/** The updates of the table that tell of the state; what rules and Seneca's pages make of the same events is no other news. */
const OF_THE_STATE = [
  'agent_status_change', 'agent_update', 'task_assignment', 'progress_update', 'task_update', 'project_update', 'health_update',
  'system_notification', 'execution_update', 'node_update', 'ingest_update', 'agent_run_update', 'tool_update', 'agent_handoff', 'input_update', 'llm_update', 'artifact_update', 'plan_update', 'generic_update',
];

function fold(state: State, type: string, payload: Json, said: Said, who: Subject, at: number): void {
  foldAdopted(state, said);
  if (OF_THE_STATE.includes(type)) foldEvent(state, type, said, payload);
  else if (type === 'usage_update') foldUsage(state, said, payload);
  else if (type === 'decision_event') decide(state, payload, said.data, who, at);
  else if (type === 'message_appended') append(state, said.data, who, at);
}

function decide(state: State, payload: Json, data: Json, who: Subject, at: number): void {
  const decision = {
    id: text(payload, 'decision_id', 'id'), decision: text(payload, 'decision') || text(data, 'decision', 'what'),
    rationale: text(payload, 'rationale') || text(data, 'rationale', 'why'),
    confidence: number(payload, 'confidence_score', 'confidence'), agentId: who.agent, projectId: who.projectId, at,
  };
  if (decision.decision && !state.decisions.some((other) => other.id === decision.id && other.decision === decision.decision)) {
    state.decisions = [decision, ...state.decisions].slice(0, MOST_DECISIONS);
  }
}

function effectOf(type: string, payload: Json, who: Subject): Effect | null {
  const hint = record(payload.hint);
  const target = record(hint.target);
  const animation = text(payload, 'animation');
  if (!ANIMATIONS.includes(animation)) return null;
  return {
    type, animation: animation as Animation, kind: text(target, 'kind'), id: text(target, 'id'), agent: who.agent, task: who.task, projectId: who.projectId,
    motion: text(hint, 'motion'), tool: type === 'tool_update' ? text(payload, 'tool_name') : '',
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
  const said = saidBy(type, payload, text(payload, 'timestamp') || new Date(now).toISOString());
  const again = type === 'decision_event' && isKnown(state, payload);
  if (!past || TOLD_OF_THE_PAST.includes(type)) fold(state, type, payload, said, subject(state, type, payload, said), at);
  // After the fold: what the update is the first to tell of is known now.
  const who = subject(state, type, payload, said);
  const cursor = text(payload, 'cursor');
  if (cursor && !past) state.cursor = cursor;

  // The end of a text of which nothing was said.
  if (type === 'message_appended' && data.final === true && !written(state, data, who.projectId) && !text(data, 'content', 'delta', 'text')) return { entry: null, effect: null };
  if (again) return { entry: null, effect: null };
  if (type === 'agent_update' && id !== '' && id === lastStatusChange) return { entry: null, effect: null };
  if (type === 'agent_status_change') lastStatusChange = id;

  // A figure of things, and of events that are told by others.
  if (type === 'usage_update') return { entry: null, effect: null };
  const coalesced = Math.max(1, number(payload, 'coalesced') ?? 1);
  state.seen += coalesced;
  const sourceType = text(payload, 'source_type');
  const told = describe(state, type, payload, who);
  const message = type === 'message_appended' && text(data, 'message_id', 'messageId') ? written(state, data, who.projectId) : undefined;
  const entry: FeedEntry = {
    key: nextKey++, id, cursor, type, sourceType, family: familyOf(type, sourceType), priority: PRIORITIES[text(payload, 'priority')] ?? 'normal', at,
    ...who, text: told, messageId: message?.id ?? '', coalesced, past, payload: isLight(payload) ? payload : null,
    haystack: `${told} ${type} ${sourceType} ${said.agentId} ${said.taskId} ${who.projectId}`.toLowerCase(),
  };
  return { entry, effect: past ? null : effectOf(type, payload, who) };
}
