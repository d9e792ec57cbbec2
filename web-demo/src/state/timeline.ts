/** The inside of a run: its nodes, steps or stages in time, made of its events as they were published. */
import { canonical, idAt } from './event';
import { humanise, number, record, text, time } from './read';
import { ended } from './status';
import type { Json } from './types';

export interface Part {
  id: string;
  name: string;
  status: string;
  from: number;
  /** Null while it goes on. */
  to: number | null;
  note: string;
}

export interface Timeline {
  parts: Part[];
  from: number;
  to: number;
  /** Null where nobody said. */
  tokens: number | null;
  cost: number | null;
  messages: number;
  events: number;
}

const MOST_PARTS = 200;

const STAGE_ENDS = ['completed', 'failed', 'cancelled', 'done'];

export function timelineOf(events: Json[], now: number): Timeline {
  const parts = new Map<string, Part>();
  const line: Timeline = { parts: [], from: Infinity, to: -Infinity, tokens: null, cost: null, messages: 0, events: events.length };
  let isOver = false;
  let stage = null as Part | null;
  for (const event of events) {
    const data = record(event.data);
    const name = canonical(text(event, 'type'));
    const at = time(event.timestamp, now);
    line.from = Math.min(line.from, at);
    line.to = Math.max(line.to, at);
    count(line, data);
    if (name.startsWith('workflow.node')) {
      const inner = { ...data, ...record(data.nodeState), ...record(data.node) };
      const id = idAt(data, 'node_id', 'nodeId', 'nodeState.node_id', 'nodeState.nodeId', 'node.id');
      put(parts, id, text(inner, 'node_name', 'nodeName', 'name'), wordOf(inner, name), at, text(inner, 'message', 'error', 'errorMessage'));
    } else if (name.startsWith('agent.step')) {
      const step = { ...data, ...record(data.step) };
      put(parts, text(step, 'step_id', 'id', 'name', 'title'), text(step, 'name', 'title', 'tool'), wordOf(step, name), at, text(step, 'message', 'error'));
    } else if (name.startsWith('ingest.job')) {
      const job = { ...data, ...record(data.job) };
      const said = text(job, 'stage');
      const status = wordOf(job, name);
      if (said && said !== stage?.id && !STAGE_ENDS.includes(said)) {
        if (stage) close(stage, 'completed', at);
        put(parts, said, said, 'running', at, '');
        stage = parts.get(said) ?? null;
      }
      if (ended(status) && stage) close(stage, status, at);
      if (ended(status)) isOver = true;
    } else if (name.startsWith('agent.message')) line.messages += 1;
    else if (ended(wordOf({ ...data, ...record(data.run) }, name))) isOver = true;
  }
  if (line.from === Infinity) [line.from, line.to] = [now, now];
  if (!isOver) line.to = Math.max(line.to, now);
  line.parts = [...parts.values()].slice(0, MOST_PARTS);
  // A run that is over left nothing running.
  if (isOver) for (const part of line.parts) part.to ??= line.to;
  return line;
}

/** The word for its status, else the last word of the event's name. */
function wordOf(said: Json, name: string): string {
  const last = name.slice(name.lastIndexOf('.') + 1);
  const byName = ['started', 'updated', 'created'].includes(last) ? 'running' : last;
  return (text(said, 'status', 'state') || byName).toLowerCase();
}

function put(parts: Map<string, Part>, id: string, name: string, status: string, at: number, note: string): void {
  if (!id) return;
  const before = parts.get(id) ?? { id, name: name || humanise(id), status, from: at, to: null, note };
  const isOver = ended(status) || status === 'skipped';
  parts.set(id, { ...before, name: name || before.name, status, to: isOver ? at : null, note: note || before.note });
}

function close(part: Part, status: string, at: number): void {
  part.status = status;
  part.to = at;
}

/** Tokens and cost, in the spellings that frameworks use; what several events say is added up. */
function count(line: Timeline, data: Json): void {
  for (const usage of [data, record(data.usage), record(data.step).usage, record(data.run).usage].map(record)) {
    const all = number(usage, 'total_tokens', 'totalTokens', 'tokens');
    const input = number(usage, 'input_tokens', 'prompt_tokens', 'inputTokens', 'promptTokens');
    const output = number(usage, 'output_tokens', 'completion_tokens', 'outputTokens', 'completionTokens');
    const tokens = all ?? (input === null && output === null ? null : (input ?? 0) + (output ?? 0));
    if (tokens !== null) line.tokens = (line.tokens ?? 0) + tokens;
    const cost = number(usage, 'cost', 'cost_usd', 'total_cost');
    if (cost !== null) line.cost = (line.cost ?? 0) + cost;
  }
}
