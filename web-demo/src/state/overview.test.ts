import { beforeEach, expect, it } from 'vitest';
import { agentCount, projectIds, runCount, taskCounts, tasks } from './overview';
import { applyUpdate } from './reduce';
import { selectedProject } from './selection';
import { applySnapshot, emptyState } from './snapshot';
import { state } from './store';
import type { Json } from './types';

const NOW = Date.parse('2026-05-23T14:00:00Z');

/** The page after a snapshot and these updates. */
function page(snapshot: Json, ...updates: [string, Json][]): void {
  const next = emptyState();
  applySnapshot(next, snapshot, NOW);
  for (const [type, payload] of updates) applyUpdate(next, type, payload, NOW);
  state.value = next;
}

/** The server knows more than it lists. */
const LISTED: Json = {
  agents: { 'p/a': { agent_id: 'a', project_id: 'p' }, 'q/b': { agent_id: 'b', project_id: 'q' } },
  tasks: {
    'p/1': { task_id: '1', project_id: 'p', status: 'todo' },
    'p/2': { task_id: '2', project_id: 'p', status: 'done' },
    'q/3': { task_id: '3', project_id: 'q', status: 'in_progress' },
  },
  runs: { 'p/r': { id: 'r', project_id: 'p', status: 'running' } },
  projects: { p: {}, q: {} },
  counts: { agents: 12, runs: 5, projects: 2, tasks_todo: 31, tasks_in_progress: 7, tasks_blocked: 4, tasks_done: 900 },
};

beforeEach(() => {
  selectedProject.value = '';
});

it('counts what the server has beyond the list that the page keeps', () => {
  page(LISTED);
  expect(tasks.value).toHaveLength(3);
  expect([agentCount.value, runCount.value]).toEqual([12, 5]);
  expect(taskCounts.value).toEqual({ todo: 31, in_progress: 7, blocked: 4, done: 900, total: 942 });
});

it('counts on from there as updates come', () => {
  page(
    LISTED,
    ['task_update', { source_type: 'task.created', project_id: 'p', task_status: 'todo', data: { task_id: 'new', project_id: 'p' } }],
    ['task_update', { source_type: 'task.completed', project_id: 'q', task_status: 'done', data: { task_id: '3', project_id: 'q' } }],
    ['agent_update', { source_type: 'agent.registered', project_id: 'p', data: { agent_id: 'c', project_id: 'p' } }],
  );
  expect(agentCount.value).toBe(13);
  expect(taskCounts.value).toEqual({ todo: 32, in_progress: 6, blocked: 4, done: 901, total: 943 });
});

it('counts of one project only what it lists: what is beyond is of all of them', () => {
  page(LISTED);
  selectedProject.value = 'p';
  expect(projectIds.value).toEqual(['p', 'q']);
  expect([agentCount.value, runCount.value]).toEqual([1, 1]);
  expect(taskCounts.value).toEqual({ todo: 1, in_progress: 0, blocked: 0, done: 1, total: 2 });
});

it('never counts less than it shows', () => {
  page({ ...LISTED, counts: { agents: 1, tasks_done: 0 } });
  expect([agentCount.value, runCount.value]).toEqual([2, 1]);
  expect(taskCounts.value).toEqual({ todo: 1, in_progress: 1, blocked: 0, done: 1, total: 3 });
});

it('takes the next snapshot for what it says, and adds nothing of the one before', () => {
  page(LISTED);
  applySnapshot(state.value, { ...LISTED, counts: { agents: 2, runs: 1, tasks_todo: 1, tasks_in_progress: 1, tasks_done: 1 } }, NOW);
  state.value = { ...state.value };
  expect([agentCount.value, runCount.value, taskCounts.value.total]).toEqual([2, 1, 3]);
});
