import { expect, it } from 'vitest';
import { Opening } from './opening';
import { agentName } from './state/describe';
import { olderThan, pastDecisions, placeToBegin, withAgent } from './state/past';
import { applyUpdate } from './state/reduce';
import { applySnapshot, emptyState } from './state/snapshot';
import type { Update } from './state/types';

const NOW = Date.parse('2026-05-23T14:00:00Z');

it('begins before the oldest of the last events, and nowhere where there are none', () => {
  expect(placeToBegin({ events: [{ cursor: 'c3' }, { cursor: 'c2' }], from: 'c1', next: null })).toBe('c1');
  for (const none of [{ events: [], from: null, next: 'c1' }, { events: 7 }, { status: 'error' }, null]) expect(placeToBegin(none)).toBe('');
});

it('a decision of long ago has its project, and its agent whether or not others share it', () => {
  const state = emptyState();
  applySnapshot(state, { agents: { zeno: { name: 'Zeno' }, 'shop/wanda': { id: 'wanda', project_id: 'shop', name: 'Wanda' } } }, NOW);
  const made = (agent: string, minute: number) =>
    ({ id: agent, type: 'decision.logged', timestamp: `2026-05-23T13:0${minute}:00Z`, project_id: 'shop', data: { agent_id: agent, what: agent } });
  for (const older of pastDecisions({ events: [made('wanda', 1), made('zeno', 2)] })) {
    const [type, payload] = withAgent(state, older);
    applyUpdate(state, type, payload, NOW, true);
  }
  expect(state.decisions.map(({ projectId, agentId }) => [projectId, agentName(state, agentId)])).toEqual([['shop', 'Zeno'], ['shop', 'Wanda']]);
});

it('holds what comes live until the state is known', () => {
  const opening = new Opening();
  opening.take('task_update', 1);
  expect(opening.caughtUp({ complete: false, to: 'c9' })).toBe(false);
  expect(opening.caughtUp({ complete: true, to: 'c9' })).toBe(true);
  opening.take('task_update', 2);
  expect([opening.past, opening.held, opening.to]).toEqual([[['task_update', 1]], [['task_update', 2]], 'c9']);
});

it('a replayed update is told, and leaves what the state knows better as it is', () => {
  const state = emptyState();
  applySnapshot(state, { cursor: 'c9', agents: { zeno: { status: 'idle', name: 'Zeno' } }, tasks: { t: { status: 'done', progress: 100 } } }, NOW);
  const past = (type: string, payload: object) => applyUpdate(state, type, { animation: 'flash', cursor: 'c2', ...payload }, NOW, true);
  const { entry, effect } = past('task_update', { data: { task_id: 't', agent_id: 'zeno', change_type: 'blocked' } });
  past('agent_status_change', { agent_id: 'zeno', new_status: 'active' });
  past('agent_status_change', { agent_id: 'dio', new_status: 'active' });
  past('project_update', { data: { project_id: 'p', progress: 10 } });
  expect(entry).toMatchObject({ past: true, text: expect.stringContaining('is blocked') });
  expect(effect).toBeNull();
  expect(state.tasks.get('t')).toMatchObject({ status: 'done', progress: 100 });
  expect([...state.agents.values()]).toMatchObject([{ id: 'zeno', status: 'idle', taskId: null }]);
  expect([state.projects.size, state.cursor]).toEqual([0, 'c9']);

  past('decision_event', { decision_id: 'd', decision: 'Use marble' });
  past('message_appended', { data: { run_id: 'r', message_id: 'm', content: 'Live according to nature' } });
  expect(state.decisions).toMatchObject([{ decision: 'Use marble' }]);
  expect([...state.messages.values()].map((message) => message.content)).toEqual(['Live according to nature']);
});

it('decisions of long ago are kept in the order in which they were made, each once', () => {
  const made = (id: string, minute: number, what: string) => ({ id, type: 'decision_logged', timestamp: `2026-05-23T13:0${minute}:00Z`, data: { decision_id: `d-${id}`, what } });
  const decisions = pastDecisions({ events: [made('e3', 3, 'Third'), made('e1', 1, 'First')] }, { events: [made('e2', 2, 'Second')] }, { status: 'error' });
  const past: Update[] = [['task_update', { id: 'e2' }], ['decision_event', { id: 'e3', decision_id: 'd-e3', decision: 'Third' }]];
  const state = emptyState();
  for (const [type, payload] of [...olderThan(past, decisions), ...past]) applyUpdate(state, type, payload, NOW, true);
  expect(state.decisions.map(({ decision }) => decision)).toEqual(['Third', 'Second', 'First']);
});
