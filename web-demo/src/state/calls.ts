/** Calls of an agent that go on: of tools and of models. The same rules as the server's own (`src/projections/state/calls.rs`). */
import type { Facts } from './facts';
import { record, text } from './read';
import type { Json } from './types';

const MOST_CALLS = 16;
const LONGEST_CALL = 8 * 1024;

/** The name of the tool. */
export const toolName = (data: Json): string | null =>
  ['tool_name', 'toolName', 'tool'].map((key) => data[key]).find((name): name is string => typeof name === 'string' && name !== '') ?? null;

/** The id of the call; the tool's name stands for one that has none. */
export const callId = (data: Json): string | null => text(data, 'tool_call_id') || text(data, 'toolCallId') || toolName(data);

/** The name of the model. */
export const modelName = (data: Json): string | null =>
  ['model', 'model_name', 'modelName'].map((key) => data[key]).find((name): name is string => typeof name === 'string' && name !== '') ?? null;

const modelCallId = (data: Json): string | null => text(data, 'call_id') || text(data, 'callId') || modelName(data);

const callsOf = (facts: Facts): Json[] => (Array.isArray(facts.tool_calls) ? facts.tool_calls.map(record) : []);

function put(facts: Facts, calls: Json[]): void {
  delete facts.tool;
  delete facts.tool_calls;
  if (calls.length > 0) Object.assign(facts, { tool: calls.at(-1)?.tool_name, tool_calls: calls });
}

/** Begins or ends a call, by the last word of its event's name. */
export function foldCall(facts: Facts, change: string, data: Json, taskId: string, at: string): void {
  const id = callId(data);
  if (id === null) return;
  const others = callsOf(facts).filter((call) => call.tool_call_id !== id);
  if (change === 'started') {
    const call = { tool_call_id: id, tool_name: toolName(data), task_id: taskId || null, started_at: at };
    if (JSON.stringify(call).length <= LONGEST_CALL) put(facts, [...others, call].slice(-MOST_CALLS));
  } else if (change !== 'progress') put(facts, others);
}

const thoughtsOf = (facts: Facts): Json[] => (Array.isArray(facts.thinking) ? facts.thinking.map(record) : []);

function think(facts: Facts, calls: Json[]): void {
  delete facts.thinking;
  if (calls.length > 0) facts.thinking = calls;
}

/** The standing of each call of a model that an update tells of; a coalesced one tells of several. */
export function toldCalls(change: string, data: Json, told: unknown, taskId: string, at: string): Json[] {
  if (Array.isArray(told)) return told.map(record);
  const status = change === 'started' ? 'running' : change;
  return [{ call_id: modelCallId(data), model: modelName(data), task_id: taskId || null, started_at: at, status }];
}

/** Begins or ends a call of a model. */
export function foldThought(facts: Facts, { status, ...call }: Json): void {
  if (typeof call.call_id !== 'string') return;
  const others = thoughtsOf(facts).filter((other) => other.call_id !== call.call_id);
  if (status !== 'running') think(facts, others);
  else if (JSON.stringify(call).length <= LONGEST_CALL) think(facts, [...others, call].slice(-MOST_CALLS));
}

/** Ends the calls for a task. */
export function endCallsOf(facts: Facts, taskId: string): void {
  put(facts, callsOf(facts).filter((call) => call.task_id !== taskId));
  think(facts, thoughtsOf(facts).filter((call) => call.task_id !== taskId));
}

export function endCalls(facts: Facts): void {
  put(facts, []);
  think(facts, []);
}
