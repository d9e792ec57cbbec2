/**
 * The places of everything on the stage: each project a group of its own, its hub in the middle with the tasks that nobody has yet around it,
 * its agents around that, each wearing its tasks. Pure: the same groups and size give the same picture.
 */
import { agentTone } from '../state/status';
import type { Agent, Task } from '../state/types';
import { along, boxAt, divide, type Box, type Point } from './geometry';
import { cut, labels, type Label, type Measure, type Obstacles, type Wanted } from './labels';
import { initials } from './initials';
import { seats, type Seats } from './seats';
import { waitingRings, wreath, type PlacedTask } from './wreath';

export interface Seated {
  agent: Agent;
  task: Task | null;
  tasks: Task[];
  /** The tool that it is seen to use; empty for none. */
  tool: string;
  /** Whether it waits for a person's answer. */
  asks: boolean;
}

export interface Group {
  projectId: string;
  /** Empty for no label. */
  name: string;
  progress: number | null;
  /** Whether the stream has one who hands out the tasks: then that is who stands in the middle, else nobody does. */
  managed: boolean;
  agents: Seated[];
  waiting: Task[];
}

export interface PlacedAgent extends Point, Seated {
  initials: string;
  r: number;
  hub: Point;
  /** The part of the stage that its group has. */
  cell: Box;
  label: Label | null;
  /** Whether a line leads to it from its hub. */
  edge: boolean;
}

export interface PlacedHub extends Point {
  projectId: string;
  name: string;
  progress: number | null;
  managed: boolean;
  r: number;
  label: Label | null;
  rings: { rx: number; ry: number }[];
}

export interface Layout {
  width: number;
  height: number;
  hubs: PlacedHub[];
  agents: PlacedAgent[];
  tasks: PlacedTask[];
  /** The agents for which the stage had no room. */
  hiddenAgents: number;
  hiddenTasks: number;
}

/** The ids under which the project manager itself appears in the stream. */
export { PM_IDS } from '../state/keys';

const MOST_AGENTS = 200;
const MOST_LABELS = 60;
/** A group needs so much room to be read. */
const CELL = 210 * 190;
const MOST_GROUPS = 9;
/** Only with one ring do lines cross nothing. */
const MOST_EDGES = 24;

/** The groups with the most recent news, in the order in which they came. */
function shownGroups(groups: Group[], width: number, height: number): Group[] {
  const most = Math.max(1, Math.min(MOST_GROUPS, Math.floor((width * height) / CELL)));
  if (groups.length <= most) return groups;
  const news = (group: Group): number => Math.max(...group.agents.map(({ agent }) => agent.at), ...group.waiting.map((task) => task.at), 0);
  const recent = new Set([...groups].sort((a, b) => news(b) - news(a)).slice(0, most));
  return groups.filter((group) => recent.has(group));
}

function seated(agents: Seated[], most: number): Seated[] {
  if (agents.length <= most) return agents;
  const recent = new Set([...agents].sort((a, b) => b.agent.at - a.agent.at).slice(0, most));
  return agents.filter((one) => recent.has(one));
}

/** `focus` holds the keys of agents whose labels come first. */
export function layout(groups: Group[], width: number, height: number, focus: ReadonlySet<string>, measure: Measure): Layout {
  const shown = shownGroups(groups, width, height);
  const cells = divide(boxAt(0, 0, width, height), shown.map((group) => group.agents.length + 4));
  const whole = groups.reduce((sum, group) => sum + group.agents.length, 0);
  const allTasks = groups.reduce((sum, group) => sum + group.waiting.length + group.agents.reduce((own, { tasks }) => own + tasks.length, 0), 0);
  const scene: Layout = { width, height, hubs: [], agents: [], tasks: [], hiddenAgents: 0, hiddenTasks: 0 };
  shown.forEach((group, i) => {
    const cell = cells[i] ?? boxAt(0, 0, width, height);
    place(scene, group, cell, Math.floor((MOST_AGENTS * group.agents.length) / Math.max(1, whole)) + 1, shown.length > 1, measure);
  });
  label(scene, focus, measure);
  scene.hiddenAgents = whole - scene.agents.length;
  scene.hiddenTasks = allTasks - scene.tasks.length;
  return scene;
}

function place(scene: Layout, group: Group, cell: Box, most: number, several: boolean, measure: Measure): void {
  const wanted = seated(group.agents, most);
  const inset = several ? 6 : 0;
  const box = { left: cell.left + inset, top: cell.top + inset, right: cell.right - inset, bottom: cell.bottom - inset };
  const around: Seats = seats(box, wanted.length, group.waiting.length, nameWidth(group.name, box, measure));
  const agents = wanted.length > around.places.length ? seated(wanted, around.places.length) : wanted;
  const rows = waitingRings(group.waiting, around.hub, around.rings.length === 1 ? (box.right - box.left < 560 ? 2 : 3) : 1, scene.tasks);
  scene.hubs.push({
    ...around.hub, projectId: group.projectId, name: group.name, progress: group.progress, managed: group.managed, rings: around.rings,
    label: hubLabel(group.name, around, rows, box, measure),
  });
  const signs = initials(agents.map(({ agent }) => agent));
  const edge = around.rings.length === 1 && agents.length <= MOST_EDGES;
  agents.forEach((one, i) => {
    const at = around.places[i] ?? around.hub;
    wreath(one.tasks, at, around.r, around.rows, scene.tasks);
    scene.agents.push({ ...one, ...at, initials: signs[i] ?? '', r: around.r, hub: around.hub, cell, label: null, edge });
  });
}

const WIDEST_NAME = 190;

/** The greatest width of a hub's name. */
const nameWidth = (name: string, box: Box, measure: Measure): number =>
  (name ? Math.min(measure(name, 12.5, 500), WIDEST_NAME, box.right - box.left - 20) + 12 : 0);

function hubLabel(name: string, { hub, rings }: Seats, rows: number, box: Box, measure: Measure): Label | null {
  if (!name) return null;
  const inner = rings.at(-1) ?? { rx: 0, ry: 0 };
  const text = cut(name, Math.max(60, Math.min(WIDEST_NAME, 1.3 * inner.rx, box.right - box.left - 20)), 12.5, 500, measure);
  const top = hub.y + hub.r + 9 + 11 * rows;
  const width = measure(text, 12.5, 500) + 12;
  return { lines: [text], x: hub.x, y: top + 13, anchor: 'middle', isTool: false, box: boxAt(hub.x - width / 2, top, width, 18) };
}

const URGENCY: Record<string, number> = { blocked: 3, active: 2, done: 1, idle: 1, offline: 0 };

function label(scene: Layout, focus: ReadonlySet<string>, measure: Measure): void {
  const { agents, hubs, tasks, width } = scene;
  if (agents.length === 0) return;
  const managed = new Set(hubs.filter((hub) => hub.managed).map(({ x, y }) => `${x} ${y}`));
  const many = agents.length > 24;
  const widest = agents.length <= 14 ? (width < 560 ? 112 : 172) : 112;
  const obstacles: Obstacles = {
    discs: [...agents.map(({ x, y, r }) => ({ x, y, r: r + 5 })), ...hubs.map(({ x, y, r }) => ({ x, y, r: r + 7 })), ...tasks.map(({ x, y, scale }) => ({ x, y, r: 5 * scale }))],
    boxes: hubs.flatMap((hub) => (hub.label ? [hub.label.box] : [])),
    // Where nobody hands anything out the lines are faint, and a name may stand on one.
    points: agents.filter(({ edge, hub }) => edge && managed.has(`${hub.x} ${hub.y}`)).flatMap((agent) => Array.from({ length: 14 }, (_, i) => along(agent.hub, agent, 0.1 + i * 0.06))),
  };
  // The tasks that an agent wears are its own: its label stands beyond them.
  const worn = new Map<string, number>();
  for (const { agent, x, y, r, tasks: own } of agents) {
    let reach = r + 5;
    const mine = new Set(own);
    if (own.length > 0) for (const placed of tasks) if (mine.has(placed.task)) reach = Math.max(reach, Math.hypot(placed.x - x, placed.y - y) + 6 * placed.scale);
    worn.set(agent.key, reach);
  }
  const wanted = agents.map(({ agent, task, tool, asks, x, y, r, hub, cell }): Wanted => {
    const tone = agentTone(agent.status);
    const busy = tone === 'active' || tone === 'blocked';
    const doing = asks ? 'asks you something' : task && busy && task.status !== 'done' ? task.name : agent.status.replace(/_/g, ' ');
    return {
      x, y, r, hub, cell, name: agent.name, tool: asks ? '' : tool, doing: many && !focus.has(agent.key) ? '' : doing, reach: worn.get(agent.key) ?? r + 5,
      weight: (focus.has(agent.key) ? 100 : 0) + (asks ? 10 : 0) + (tool ? 1 : 0) + (URGENCY[tone] ?? 1),
    };
  });
  const found = labels(wanted, obstacles, widest, MOST_LABELS, measure);
  agents.forEach((agent, i) => {
    agent.label = found[i] ?? null;
  });
}
