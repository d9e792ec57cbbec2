/**
 * The inside of a run in time: its agents, tasks, steps, tools and model calls, each below what it is part of. It is made of the run's
 * events as they were published, whose times are the producer's own; a call of which only the end was told began its duration before.
 */
import { canonical, agentOf, executionOf, idAt, jobOf, taskOf } from './event';
import { keyOf } from './keys';
import { humanise, number, record, text, time } from './read';
import { ended } from './status';
import { isTotal } from './usage';
import type { Json } from './types';

export type SpanKind = 'run' | 'agent' | 'task' | 'step' | 'tool' | 'model' | 'question' | 'handoff';

export interface Span {
  key: string;
  kind: SpanKind;
  /** The id of the thing that it stands for: of a run, agent, task or question. */
  id: string;
  name: string;
  status: string;
  from: number;
  /** Null while it goes on. */
  to: number | null;
  /** Why it failed, or what was said of it. */
  note: string;
  tokens: number | null;
  cost: number | null;
  /** The event that told of it last, and its place. */
  eventId: string;
  cursor: string;
  parent: string;
}

export interface Row extends Span {
  depth: number;
  children: number;
}

export interface Waterfall {
  rows: Row[];
  from: number;
  to: number;
  /** Null where nobody said. */
  tokens: number | null;
  cost: number | null;
  messages: number;
  /** Whether it has more rows than are shown. */
  cut: boolean;
}

const MOST_SPANS = 600;
const UNNAMED: Record<Exclude<SpanKind, 'handoff'>, string> = { run: 'Run', agent: 'An agent', task: 'A task', step: 'A step', tool: 'A tool', model: 'A model', question: 'A question' };
/** Starts and progress; any other last word of a name is an end, if it is one for a status. */
const GOING_ON = ['started', 'updated', 'created', 'progress', 'assigned', 'requested', 'resumed', 'retried', 'registered', 'unblocked', 'resolved'];

interface Usage {
  tokens: number | null;
  cost: number | null;
}

/** Tokens and cost, in the spellings that frameworks use. */
function usageIn(data: Json): Usage {
  const found: Usage = { tokens: null, cost: null };
  // The calls that it sums up may have been told one by one.
  if (isTotal(data)) return found;
  for (const usage of [data, record(data.usage), record(record(data.step).usage), record(record(data.run).usage)]) {
    const all = number(usage, 'total_tokens', 'totalTokens', 'tokens');
    const input = number(usage, 'input_tokens', 'prompt_tokens', 'inputTokens', 'promptTokens');
    const output = number(usage, 'output_tokens', 'completion_tokens', 'outputTokens', 'completionTokens');
    const tokens = all ?? (input === null && output === null ? null : (input ?? 0) + (output ?? 0));
    if (tokens !== null) found.tokens = (found.tokens ?? 0) + tokens;
    const cost = number(usage, 'cost_usd', 'cost', 'total_cost');
    if (cost !== null) found.cost = (found.cost ?? 0) + cost;
  }
  return found;
}

const sum = (one: number | null, other: number | null): number | null => (one === null && other === null ? null : (one ?? 0) + (other ?? 0));

/** The word for its status, else the last word of the event's name. */
function wordOf(said: Json, name: string): string {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return (text(said, 'status', 'state') || (GOING_ON.includes(last) ? 'running' : last)).toLowerCase();
}

const isOver = (status: string): boolean => ended(status) || ['skipped', 'received', 'expired', 'deleted', 'unassigned'].includes(status);

/** What an event tells of, before it is known what that is part of. */
type Told = Pick<Span, 'kind' | 'id' | 'name' | 'status' | 'note'> & { key: string };

class Builder {
  readonly spans = new Map<string, Span>();
  readonly line: Waterfall = { rows: [], from: Infinity, to: -Infinity, tokens: null, cost: null, messages: 0, cut: false };
  private stage = '';

  constructor(private readonly root: string) {}

  take(event: Json, now: number): void {
    const data = record(event.data);
    const name = canonical(text(event, 'type'));
    const at = time(event.timestamp, now);
    this.line.from = Math.min(this.line.from, at);
    this.line.to = Math.max(this.line.to, at);
    if (name.startsWith('agent.message') || name.startsWith('agent.reasoning')) this.line.messages += 1;
    const usage = usageIn(data);
    this.line.tokens = sum(this.line.tokens, usage.tokens);
    this.line.cost = sum(this.line.cost, usage.cost);
    const told = this.tell(name, data, event);
    if (told) this.put(told, event, data, at, usage);
  }

  private tell(name: string, data: Json, event: Json): Told | null {
    const [family, second] = name.split('.');
    const note = text(data, 'error', 'errorMessage', 'message', 'reason');
    const runId = executionOf(data);
    if (family === 'tool') {
      const tool = text(data, 'tool_name', 'toolName', 'tool');
      return { kind: 'tool', key: `tool ${text(data, 'tool_call_id', 'toolCallId') || tool}`, id: '', name: tool, status: wordOf({}, name), note: text(data, 'error', 'message') };
    }
    if (family === 'llm' && second !== 'usage') {
      const call = text(data, 'call_id', 'callId') || text(event, 'id');
      return { kind: 'model', key: `model ${call}`, id: '', name: text(data, 'model'), status: wordOf({}, name), note: text(data, 'error') };
    }
    if (family === 'input') {
      const id = text(data, 'request_id', 'requestId') || text(event, 'id');
      return { kind: 'question', key: `question ${id}`, id, name: 'Waits for a person', status: wordOf({}, name), note: text(data, 'message', 'question') };
    }
    if (name === 'agent.handoff') {
      return { kind: 'handoff', key: `handoff ${text(event, 'id')}`, id: text(data, 'to_agent_id'), name: '', status: 'completed', note: text(data, 'reason') };
    }
    if (name.startsWith('workflow.node')) {
      const inner = { ...data, ...record(data.nodeState), ...record(data.node) };
      const id = idAt(data, 'node_id', 'nodeId', 'nodeState.node_id', 'nodeState.nodeId', 'node.id');
      return id ? { kind: 'step', key: `step ${runId} ${id}`, id: '', name: text(inner, 'node_name', 'nodeName', 'name') || humanise(id), status: wordOf(inner, name), note: text(inner, 'message', 'error', 'errorMessage') } : null;
    }
    if (name.startsWith('agent.step')) {
      const step = { ...data, ...record(data.step) };
      const id = text(step, 'step_id', 'id', 'name', 'title');
      return id ? { kind: 'step', key: `step ${runId} ${id}`, id: '', name: text(step, 'name', 'title', 'tool') || humanise(id), status: wordOf(step, name), note: text(step, 'message', 'error') } : null;
    }
    if (name.startsWith('ingest.job')) return this.tellStage(name, { ...data, ...record(data.job) }, data);
    if (name.startsWith('workflow.run') || family === 'execution' || name.startsWith('agent.run')) {
      const run = { ...data, ...record(data.run) };
      return runId ? { kind: 'run', key: `run ${runId}`, id: runId, name: text(run, 'name', 'workflow_name', 'title'), status: wordOf(run, name), note: text(run, 'error', 'errorMessage') } : null;
    }
    const taskId = taskOf(data);
    if ((family === 'task' || family === 'blocker' || name === 'progress.update') && taskId && name !== 'task.created') {
      const status = family === 'blocker' ? (second === 'resolved' ? 'running' : 'blocked') : name === 'task.completed' && data.success === false ? 'blocked' : wordOf({}, name);
      return { kind: 'task', key: `task ${taskId}`, id: taskId, name: text(data, 'task_name', 'name', 'title'), status, note: ['failed', 'blocked'].includes(status) ? text(data, 'blocker') || note : '' };
    }
    return null;
  }

  /** Of a job its stages are told, one after the other: one ends where the next begins. */
  private tellStage(name: string, job: Json, data: Json): Told | null {
    const status = wordOf(job, name);
    const stage = text(job, 'stage');
    const before = this.spans.get(this.stage);
    if (ended(status)) return { kind: 'run', key: this.root, id: jobOf(data), name: text(job, 'name'), status, note: text(data, 'errorMessage') };
    if (!stage) return { kind: 'run', key: this.root, id: jobOf(data), name: text(job, 'name'), status: 'running', note: '' };
    const key = `step ${stage}`;
    if (before && this.stage !== key) Object.assign(before, { status: 'completed', to: this.line.to });
    this.stage = key;
    return { kind: 'step', key, id: '', name: words(stage), status: 'running', note: '' };
  }

  private put({ key, ...told }: Told, event: Json, data: Json, at: number, usage: Usage): void {
    const known = this.spans.get(key);
    if (!known && this.spans.size >= MOST_SPANS) {
      this.line.cut = true;
      return;
    }
    const lasted = number(data, 'duration_ms', 'durationMs');
    const over = isOver(told.status);
    const began = over && lasted !== null ? at - lasted : at;
    this.line.from = Math.min(this.line.from, began);
    const span = known ?? { ...told, key, name: '', from: began, to: null, tokens: null, cost: null, eventId: '', cursor: '', parent: '' };
    this.spans.set(key, {
      ...span, name: told.name || span.name, status: told.status, to: over ? at : null, note: told.note || (over && told.status !== 'failed' ? '' : span.note),
      tokens: sum(span.tokens, usage.tokens), cost: sum(span.cost, usage.cost),
      eventId: text(event, 'id'), cursor: text(event, 'cursor'), parent: this.parentOf(told.kind, key, data) || span.parent,
    });
  }

  /** Below its task, its agent, its run: the first that the event names. */
  private parentOf(kind: SpanKind, key: string, data: Json): string {
    const runId = executionOf(data);
    const run = runId ? `run ${runId}` : this.root;
    if (kind === 'run') {
      const parent = text(data, 'parent_run_id', 'parentRunId') || text(record(data.run), 'parent_run_id');
      return parent ? `run ${parent}` : key === this.root ? '' : this.root;
    }
    const task = taskOf(data) ? `task ${taskOf(data)}` : '';
    if (task && task !== key && this.spans.has(task)) return task;
    const agentId = kind === 'handoff' ? text(data, 'from_agent_id') || agentOf(data) : agentOf(data);
    return agentId ? this.agent(run, agentId, data) : run;
  }

  private agent(run: string, id: string, data: Json): string {
    const key = `agent ${run} ${id}`;
    const before = this.spans.get(key);
    const name = text(data, 'agent_name') || before?.name || '';
    const other = text(data, 'parent_agent_id');
    const parent = other && other !== id ? this.agent(run, other, {}) : before?.parent || run;
    this.spans.set(key, { ...(before ?? { key, kind: 'agent', id, status: '', from: Infinity, to: null, note: '', tokens: null, cost: null, eventId: '', cursor: '' }), name, parent });
    return key;
  }
}

const words = (id: string): string => humanise(id).replace(/^./, (letter) => letter.toUpperCase());

/** `events` are oldest first, `names` knows agents and tasks by their keys; `root` is the run's id. */
export function waterfallOf(events: Json[], root: string, projectId: string, names: (kind: SpanKind, key: string) => string, now: number): Waterfall {
  const builder = new Builder(`run ${root}`);
  for (const event of events) builder.take(event, now);
  const { spans, line } = builder;
  if (line.from === Infinity) [line.from, line.to] = [now, now];
  const top = spans.get(`run ${root}`);
  const over = top !== undefined && top.to !== null;
  if (!over) line.to = Math.max(line.to, now);
  if (!top && spans.size > 0) {
    spans.set(`run ${root}`, { key: `run ${root}`, kind: 'run', id: root, name: '', status: '', from: line.from, to: null, note: '', tokens: null, cost: null, eventId: '', cursor: '', parent: '' });
  }
  const children = new Map<string, Span[]>();
  for (const span of spans.values()) {
    // A run that is over left nothing running.
    if (over && span.to === null && span.kind !== 'agent') span.to = Math.max(span.from, top.to ?? line.to);
    if (span.key === `run ${root}`) continue;
    const parent = span.parent !== span.key && spans.has(span.parent) ? span.parent : `run ${root}`;
    const siblings = children.get(parent);
    if (siblings) siblings.push(span);
    else children.set(parent, [span]);
  }
  const nameOf = ({ name, kind, id }: Span): string => {
    if (kind === 'handoff') return `Hands over to ${names('agent', keyOf(projectId, id)) || humanise(id) || 'another agent'}`;
    return name || names(kind, keyOf(projectId, id)) || humanise(id) || UNNAMED[kind];
  };
  const visited = new Set<string>();
  const walk = (span: Span, depth: number): Row[] => {
    if (visited.has(span.key)) return [];
    visited.add(span.key);
    const below = (children.get(span.key) ?? []).flatMap((child) => walk(child, depth + 1));
    const direct = below.filter((row) => row.depth === depth + 1).sort((a, b) => a.from - b.from);
    // The blocks of children in the order in which they began.
    const blocks = new Map<string, Row[]>();
    let block: Row[] = [];
    for (const row of below) {
      if (row.depth === depth + 1) blocks.set(row.key, (block = []));
      block.push(row);
    }
    const row: Row = { ...span, depth, children: direct.length, name: nameOf(span) };
    if (depth === 0) row.from = line.from;
    if (span.kind === 'agent' || span.from === Infinity) {
      row.from = Math.min(...direct.map((one) => one.from), span.from);
      row.to = direct.some((one) => one.to === null) ? null : Math.max(...direct.map((one) => one.to ?? line.to));
      row.status = direct.some((one) => one.to === null) ? 'running' : direct.at(-1)?.status ?? '';
    }
    if (span.kind !== 'model') {
      row.tokens = direct.reduce((all, one) => sum(all, one.tokens), span.tokens);
      row.cost = direct.reduce((all, one) => sum(all, one.cost), span.cost);
    }
    return [row, ...direct.flatMap((one) => blocks.get(one.key) ?? [])];
  };
  const first = spans.get(`run ${root}`);
  line.rows = first ? walk(first, 0).filter((row) => Number.isFinite(row.from)) : [];
  return line;
}

/** Moments of a length of time at which an axis has its lines, in milliseconds from its beginning. */
export function ticks(whole: number, most: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000];
  const step = steps.find((one) => whole / one <= most) ?? Math.ceil(whole / most / 86_400_000) * 86_400_000;
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, i) => i * step);
}
