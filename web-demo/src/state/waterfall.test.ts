import { expect, it } from 'vitest';
import type { Json } from './types';
import { ticks, waterfallOf } from './waterfall';

const START = Date.parse('2026-11-01T10:00:00Z');
let n = 0;
const at = (seconds: number, type: string, data: Json): Json =>
  ({ id: `e${(n += 1)}`, cursor: `c${n}`, type, timestamp: new Date(START + seconds * 1000).toISOString(), data: { run_id: 'r', ...data } });
const nobody = (): string => '';
const told = (events: Json[], now = START + 60_000) => waterfallOf(events, 'r', 'p', nobody, now);
const drawn = (events: Json[]) => told(events).rows.map(({ kind, name, depth, from, to }) => [depth, kind, name, (from - START) / 1000, to === null ? null : (to - START) / 1000]);

it('calls stand below their task, that below its agent, and times are real ones', () => {
  const about = { agent_id: 'ada', agent_name: 'Ada', task_id: 't1' };
  expect(drawn([
    at(0, 'workflow.run.started', { name: 'Build' }),
    at(1, 'task.assigned', { ...about, task_name: 'Paint' }),
    // The end alone was told: it began its duration before.
    at(4, 'llm.completed', { ...about, call_id: 'm1', model: 'big', duration_ms: 2000, input_tokens: 10, output_tokens: 5 }),
    at(5, 'tool.started', { ...about, tool_call_id: 'k1', tool_name: 'search' }),
    at(7, 'tool.failed', { ...about, tool_call_id: 'k1', error: 'No answer' }),
    at(8, 'agent.handoff', { from_agent_id: 'ada', to_agent_id: 'ben' }),
    at(9, 'task_completed', about),
    at(10, 'workflow.run.completed', {}),
  ])).toEqual([
    [0, 'run', 'Build', 0, 10], [1, 'agent', 'Ada', 1, 9], [2, 'task', 'Paint', 1, 9], [3, 'model', 'big', 2, 4], [3, 'tool', 'search', 5, 7],
    [2, 'handoff', 'Hands over to ben', 8, 8],
  ]);
});

it('what a run began stands below it, and what goes on has no end', () => {
  expect(drawn([
    at(0, 'agent.run.started', { name: 'Whole' }),
    at(2, 'agent.run.started', { run_id: 's', parent_run_id: 'r', name: 'Part' }),
    at(3, 'workflow.node.started', { run_id: 's', node_id: 'fetch', node_name: 'Fetch' }),
    at(4, 'input.requested', { run_id: 's', request_id: 'q', agent_id: 'ada', message: 'May I?' }),
  ])).toEqual([
    [0, 'run', 'Whole', 0, null], [1, 'run', 'Part', 2, null], [2, 'step', 'Fetch', 3, null], [2, 'agent', 'ada', 4, null], [3, 'question', 'Waits for a person', 4, null],
  ]);
});

it('tokens and cost are added up from the calls upwards', () => {
  const call = (call_id: string, agent_id: string, input_tokens: number): Json =>
    at(1, 'llm.completed', { call_id, agent_id, model: 'big', input_tokens, output_tokens: 1, cost_usd: 0.5 });
  const { rows, tokens, cost } = told([at(0, 'workflow.run.started', {}), call('a', 'ada', 9), call('b', 'ada', 19), call('c', 'ben', 4)]);
  expect([tokens, cost]).toEqual([35, 1.5]);
  expect(rows.filter(({ kind }) => kind === 'agent').map((row) => [row.id, row.tokens, row.cost])).toEqual([['ada', 30, 1], ['ben', 5, 0.5]]);
  expect(rows[0]?.tokens).toBe(35);
});

it('a job has stages, one after the other', () => {
  const job = (seconds: number, said: Json): Json => at(seconds, 'ingest.job.updated', { run_id: undefined, job: { id: 'r', ...said } });
  expect(drawn([job(0, { stage: 'extract' }), job(3, { stage: 'extract', progress: 50 }), job(5, { stage: 'load' }), job(8, { stage: 'done', status: 'completed' })])).toEqual([
    [0, 'run', 'r', 0, 8], [1, 'step', 'Extract', 0, 5], [1, 'step', 'Load', 5, 8],
  ]);
});

it('parents that go in a circle, events without sense and thousands of calls end', () => {
  const { rows, cut } = told([
    at(0, 'agent.run.started', { run_id: 'a', parent_run_id: 'b' }), at(0, 'agent.run.started', { run_id: 'b', parent_run_id: 'a' }),
    { type: 7, data: null }, {}, at(1, 'tool.started', { tool_name: {} }),
    ...Array.from({ length: 2000 }, (_, i) => at(i, 'tool.started', { tool_call_id: `k${i}`, tool_name: 'x' })),
  ]);
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.length).toBeLessThan(700);
  expect(cut).toBe(true);
});

it('an axis has few lines at even moments', () => {
  expect(ticks(9000, 5)).toEqual([0, 2000, 4000, 6000, 8000]);
  expect(ticks(86_400_000 * 90, 5).length).toBeLessThan(7);
  expect(ticks(1, 5)).toEqual([0, 1]);
});
