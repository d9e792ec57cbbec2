/** Tool calls of an agent that go on. The same rules as the server's own (`src/projections/state/calls.rs`). */
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

/** Ends the calls for a task. */
export function endCallsOf(facts: Facts, taskId: string): void {
  put(facts, callsOf(facts).filter((call) => call.task_id !== taskId));
}

export function endCalls(facts: Facts): void {
  put(facts, []);
}
