import { expect, it } from 'vitest';
import type { Agent, Task } from '../state/types';
import { overlap, touches } from './geometry';
import { initials } from './initials';
import { layout, type Group } from './layout';

const measure = (text: string, size: number): number => text.length * size * 0.56;
const NOBODY = new Set<string>();

function group(projectId: string, agents: number, tasks: number, waiting = 0): Group {
  const task = (n: number, agentId: string | null, status: Task['status']): Task =>
    ({ key: `${projectId}t${n}`, id: `t${n}`, projectId, name: `Build the part number ${n}`, at: n, facts: {}, status, gone: false, agentId, progress: null });
  return {
    projectId, name: `The project ${projectId}`, progress: 40, managed: false,
    agents: Array.from({ length: agents }, (_, i) => {
      const agent: Agent = { key: `${projectId}a${i}`, id: `a${i}`, projectId, name: `Backend Agent ${i}`, at: i, facts: {}, role: '', status: i % 2 ? 'working' : 'idle', taskId: null, tool: '', taskProjectId: '', busy: false, given: [] };
      const own = Array.from({ length: tasks }, (_, n) => task(i * tasks + n, agent.id, n % 5 === 0 ? 'in_progress' : 'done'));
      return { agent, task: own[0] ?? null, tasks: own, tool: i % 4 === 1 ? 'search_the_documents' : '', asks: i % 7 === 3 };
    }),
    waiting: Array.from({ length: waiting }, (_, n) => task(1_000_000 + n, null, 'todo')),
  };
}

const STAGES = [[366, 430], [700, 500], [950, 600]] as const;
const CROWDS: [string, Group[]][] = [
  ['nobody', [group('p', 0, 0, 3)]], ['one', [group('p', 1, 0)]], ['six', [group('p', 6, 8, 9)]], ['thirteen', [group('p', 13, 4)]],
  ['forty', [group('p', 40, 4, 30)]], ['a hundred and fifty', [group('p', 150, 3)]], ['a thousand', [group('p', 1000, 1)]],
  ['three teams', [group('p', 20, 3), group('q', 5, 3), group('r', 40, 3)]], ['a team of one beside another', [group('p', 6, 8, 2), group('q', 1, 1)]], ['two teams', [group('p', 5, 4, 3), group('q', 3, 2, 1)]],
  ['twenty teams', Array.from({ length: 20 }, (_, n) => group(`p${n}`, 3, 2))],
];

for (const [name, groups] of CROWDS) {
  it.each(STAGES)(`${name} on %i by %i: all is inside, nobody covers another, and no label covers anything`, (width, height) => {
    const scene = layout(groups, width, height, NOBODY, measure);
    const agents = groups.reduce((sum, one) => sum + one.agents.length, 0);
    const tasks = groups.reduce((sum, one) => sum + one.waiting.length + one.agents.reduce((own, { tasks: list }) => own + list.length, 0), 0);
    expect(scene.agents.length + scene.hiddenAgents).toBe(agents);
    expect(scene.tasks.length + scene.hiddenTasks).toBe(tasks);
    for (const { x, y } of [...scene.agents, ...scene.tasks]) {
      expect(Math.min(x, y, width - x, height - y)).toBeGreaterThan(0);
    }
    for (const { agent, x, y, r, hub } of scene.agents) {
      expect(Math.hypot(x - hub.x, y - hub.y), `${agent.key} and its hub`).toBeGreaterThan(r + (scene.hubs.find((one) => one.x === hub.x && one.y === hub.y)?.r ?? 0) + 7);
      for (const { label } of scene.hubs) if (label) expect(touches(label.box, x, y, r), `${agent.key} and ${label.lines}`).toBe(false);
    }
    scene.agents.forEach((a, i) => scene.agents.slice(i + 1).forEach((b) => {
      expect(Math.hypot(a.x - b.x, a.y - b.y), `${a.agent.key} and ${b.agent.key}`).toBeGreaterThan(a.r + b.r);
    }));
    const labels = [...scene.agents.map(({ label }) => label), ...scene.hubs.map(({ label }) => label)].flatMap((label) => label ?? []);
    labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => expect(overlap(a.box, b.box), `${a.lines} and ${b.lines}`).toBe(false)));
    for (const { label } of scene.agents) {
      if (label) expect(scene.agents.filter(({ x, y, r }) => touches(label.box, x, y, r)).map(({ agent }) => agent.key)).toEqual([]);
    }
  });
}

it('all of a small team have a label', () => {
  expect(layout([group('p', 6, 4)], 950, 600, NOBODY, measure).agents.every(({ label }) => label !== null)).toBe(true);
});

it('no two discs of a group bear the same letters', () => {
  const names = ['Backend 1', 'Backend Agent 1', 'backend_1', ...Array.from({ length: 40 }, (_, i) => `Research Agent ${i}`), ...Array.from({ length: 40 }, () => 'Zeno'), '', '?'];
  const signs = initials(names.map((name) => ({ name }) as Agent));
  expect(new Set(signs.map((sign) => sign.toLowerCase())).size).toBe(names.length);
  expect(signs.every((sign) => sign !== '' && sign.length <= 6)).toBe(true);
});
