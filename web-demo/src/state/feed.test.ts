import { expect, it } from 'vitest';
import { joinFeed, MOST_ENTRIES } from './feed';
import { applyUpdate } from './reduce';
import { emptyState } from './snapshot';
import type { FeedEntry } from './types';

function entries(...updates: [string, Record<string, unknown>][]): FeedEntry[] {
  const state = emptyState();
  return updates.flatMap(([type, payload]) => applyUpdate(state, type, payload, 0).entry ?? []);
}

it('shows the newest first and keeps no more than it may', () => {
  const many = entries(...Array.from({ length: MOST_ENTRIES + 20 }, (_, i): [string, Record<string, unknown>] => ['generic_update', { id: `e${i}` }]));
  const feed = joinFeed(joinFeed([], many.slice(0, 300)), many.slice(300));
  expect(feed).toHaveLength(MOST_ENTRIES);
  expect(feed[0]?.id).toBe(`e${MOST_ENTRIES + 19}`);
});

it('tells one message on one line', () => {
  const part = (content: string): [string, Record<string, unknown>] => ['message_appended', { data: { message_id: 'm', role: 'agent', content } }];
  const [first, second, other, third] = entries(part('a'), part('b'), ['generic_update', {}], part('c'));
  if (!first || !second || !other || !third) throw new Error('four entries are expected');
  const feed = joinFeed(joinFeed([], [first, second, other]), [third]);
  expect(feed.map((entry) => [entry.text, entry.coalesced, entry.key])).toEqual([[other.text, 1, other.key], ['Agent: abc', 3, first.key]]);
});

it('calls a run, its steps and a job by their names', () => {
  const told = entries(
    ['agent_run_update', { source_type: 'agent.run.started', project_id: 'p', data: { run: { id: 'r', agent_id: 'a', name: 'Draft' } } }],
    ['agent_run_update', { source_type: 'agent.step.updated', project_id: 'p', data: { step: { id: 's', run_id: 'r', name: 'Outline', status: 'running' } } }],
    ['ingest_update', { source_type: 'ingest.job.updated', project_id: 'p', data: { job: { id: 'photos', stage: 'resize', progress: 30 }, job_id: 'photos', stage: 'resize', progress: 30 } }],
  );
  expect(told.map((entry) => entry.text)).toEqual(['Draft: started', 'Draft: Outline running', 'photos: resize, 30%']);
});
