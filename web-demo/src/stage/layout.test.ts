import { expect, it } from 'vitest';
import { emptyState } from '../state/snapshot';
import { applyUpdate } from '../state/reduce';
import { layout } from './layout';

function crowd(agents: number, tasks: number) {
  const state = emptyState();
  for (let i = 0; i < agents; i += 1) applyUpdate(state, 'agent_status_change', { agent_id: `a${i}`, new_status: 'working' }, i);
  for (let i = 0; i < tasks; i += 1) {
    applyUpdate(state, 'task_update', { data: { task_id: `t${i}`, agent_id: `a${i % agents}`, change_type: i % 5 === 0 ? 'started' : 'completed' } }, i);
  }
  return state;
}

it.each([[1, 0, 900, 560], [6, 40, 900, 560], [6, 40, 366, 460], [24, 200, 900, 560], [60, 3000, 366, 460]])(
  'keeps %i agents and %i tasks inside the stage', (agents, tasks, width, height) => {
    const scene = layout(crowd(agents, tasks), width, height);
    for (const { x, y } of [...scene.agents, ...scene.tasks]) {
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(width);
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(height);
    }
    expect(scene.agents.length + scene.hiddenAgents).toBe(agents);
    expect(scene.tasks.length + scene.hiddenTasks).toBe(tasks);
  },
);

it('seats the project manager in the middle only', () => {
  const state = crowd(2, 0);
  applyUpdate(state, 'agent_status_change', { agent_id: 'pm-agent', new_status: 'active' }, 1);
  expect(layout(state, 800, 500).agents).toHaveLength(2);
});
