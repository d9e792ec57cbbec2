import { expect, it } from 'vitest';
import type { Agent } from '../state/types';
import { detour, handoffs } from './handoffs';
import type { PlacedAgent } from './layout';

const placed = (id: string, x: number, y: number, handed_to?: string, status = 'working', projectId = 'p'): PlacedAgent =>
  ({ x, y, r: 20, hub: { x: 100, y: 100 }, agent: { id, key: `${projectId} ${id}`, projectId, status, facts: handed_to ? { handed_to } : {} } as unknown as Agent }) as PlacedAgent;

it('an edge leads to the one who got the work, while that one is at it', () => {
  const seen = handoffs([placed('a', 0, 100, 'b'), placed('b', 200, 100, 'c'), placed('c', 100, 0, undefined, 'idle'), placed('d', 100, 200, 'd'), placed('e', 0, 0, 'nobody')]);
  expect(seen.map(({ from, to }) => [from.agent.id, to.agent.id])).toEqual([['a', 'b']]);
});

it('of two projects’ agents of one id it is the own one', () => {
  const seen = handoffs([placed('b', 1, 1, undefined, 'working', 'q'), placed('a', 0, 100, 'b'), placed('b', 200, 100)]);
  expect(seen.map(({ to }) => to.agent.projectId)).toEqual(['p']);
});

it('it keeps off the middle', () => {
  for (const [from, to] of [[{ x: 0, y: 90 }, { x: 200, y: 90 }], [{ x: 200, y: 90 }, { x: 0, y: 90 }], [{ x: 20, y: 130 }, { x: 180, y: 150 }]] as const) {
    const control = detour(from, to, { x: 100, y: 100 });
    const mid = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    expect(Math.hypot(control.x - 100, control.y - 100)).toBeGreaterThan(Math.hypot(mid.x - 100, mid.y - 100));
  }
});
