/**
 * Where everything stands: the project manager in the middle with the tasks nobody has yet in rings around it, the agents
 * on an ellipse, each wearing its tasks as a wreath. Pure: the same state and size give the same picture.
 */
import type { Agent, State, Task } from '../state/types';

export interface Point {
  x: number;
  y: number;
}

export interface PlacedAgent extends Point {
  agent: Agent;
  task: Task | null;
  done: number;
  r: number;
  /** The first baseline of its label; above the disc in the upper half, where the edge comes from below. */
  labelAt: number;
  /** Rough room for the label in characters. */
  chars: number;
}

export interface PlacedTask extends Point {
  task: Task;
  /** Degrees by which the leaf is turned so that it lies along its wreath. */
  turn: number;
  scale: number;
}

export interface Layout {
  width: number;
  height: number;
  /** `labelAt`: below the rings of waiting tasks. */
  pm: Point & { r: number; labelAt: number };
  agents: PlacedAgent[];
  tasks: PlacedTask[];
  /** What the stage had no room for. */
  hiddenAgents: number;
  hiddenTasks: number;
  crowded: boolean;
  /** The ellipse on which the agents stand. */
  rx: number;
  ry: number;
}

/** The ids under which the project manager itself appears in the stream. */
export const PM_IDS: readonly string[] = ['pm-agent', 'pm_agent', 'marcus'];

const MOST_AGENTS = 48;
const MOST_WAITING = 100;
const WREATH_ROWS = 2;
const BEAD_PITCH = 12;
const RAD = Math.PI / 180;

/** Angles (radians) of `n` points equally far apart along an ellipse, from `start` on. */
function spread(n: number, rx: number, ry: number, start: number): number[] {
  const steps = 720;
  const lengths = [0];
  for (let i = 1; i <= steps; i += 1) {
    const a = start + ((i - 1) / steps) * 2 * Math.PI;
    const b = start + (i / steps) * 2 * Math.PI;
    lengths.push((lengths[i - 1] ?? 0) + Math.hypot(rx * (Math.cos(b) - Math.cos(a)), ry * (Math.sin(b) - Math.sin(a))));
  }
  const whole = lengths[steps] ?? 1;
  const angles: number[] = [];
  let at = 0;
  for (let i = 0; i < n; i += 1) {
    while (at < steps && (lengths[at] ?? 0) < (i / n) * whole) at += 1;
    angles.push(start + (at / steps) * 2 * Math.PI);
  }
  return angles;
}

function seated(agents: Agent[]): { shown: Agent[]; hidden: number } {
  if (agents.length <= MOST_AGENTS) return { shown: agents, hidden: 0 };
  const recent = new Set([...agents].sort((a, b) => b.at - a.at).slice(0, MOST_AGENTS));
  return { shown: agents.filter((agent) => recent.has(agent)), hidden: agents.length - MOST_AGENTS };
}

/** Done tasks grow up both sides from the bottom like laurel; what is in hand stands at the top. */
function wreath(tasks: Task[], at: Point, r: number, rows: number, out: PlacedTask[]): number {
  const finished = tasks.filter((task) => task.status === 'done').sort((a, b) => a.at - b.at);
  const open = tasks.filter((task) => task.status !== 'done').sort((a, b) => b.at - a.at);
  const scale = r < 16 ? 0.7 : r < 22 ? 0.85 : 1;
  const pitch = BEAD_PITCH * scale;
  let placed = 0;
  const topSlots = 5;
  open.slice(0, topSlots).forEach((task, i) => {
    const radius = r + 13 * scale;
    const side = i % 2 === 0 ? 1 : -1;
    const angle = (-90 + (side * Math.ceil(i / 2) * pitch * 1.15) / radius / RAD) * RAD;
    out.push({ task, x: at.x + radius * Math.cos(angle), y: at.y + radius * Math.sin(angle), turn: 0, scale });
    placed += 1;
  });
  // The newest leaves are kept when there is no room for all.
  let row = 0;
  let slot = 0;
  const slotsOf = (n: number): number => {
    const radius = r + (13 + 12 * n) * scale;
    return 2 * Math.floor(((n === 0 ? 138 : 165) * RAD * radius) / pitch);
  };
  let room = 0;
  for (let n = 0; n < rows; n += 1) room += slotsOf(n);
  for (const task of finished.slice(Math.max(0, finished.length - room))) {
    if (slot >= slotsOf(row)) [row, slot] = [row + 1, 0];
    const radius = r + (13 + 12 * row) * scale;
    const side = slot % 2 === 0 ? 1 : -1;
    const turned = (12 * RAD + (Math.floor(slot / 2) * pitch) / radius) * side;
    const angle = Math.PI / 2 - turned;
    // The tip points the way the wreath grows, a little outward.
    const turn = angle / RAD + (side > 0 ? 24 : 156);
    out.push({ task, x: at.x + radius * Math.cos(angle), y: at.y + radius * Math.sin(angle), turn, scale });
    slot += 1;
    placed += 1;
  }
  return tasks.length - placed;
}

/** Gives how many found no place, and how many rings are in use. */
function waitingRings(tasks: Task[], pm: Point & { r: number }, rows: number, out: PlacedTask[]): { left: number; used: number } {
  let left = tasks.length;
  let index = 0;
  let row = 0;
  for (; row < rows && left > 0; row += 1) {
    const radius = pm.r + 17 + 11 * row;
    const slots = Math.floor((2 * Math.PI * radius) / 12);
    const used = Math.min(slots, left);
    for (let i = 0; i < used; i += 1, index += 1, left -= 1) {
      const task = tasks[index];
      if (!task) continue;
      // A few stand close together at the top, on the first ring and on those around it; spread out they would look astray.
      const turn = row === 0 ? (i - (used - 1) / 2) / Math.max(used, 10) : (i - (used - 1) / 2) / slots;
      const angle = -Math.PI / 2 + turn * 2 * Math.PI;
      out.push({ task, x: pm.x + radius * Math.cos(angle), y: pm.y + radius * Math.sin(angle), turn: 0, scale: 1 });
    }
  }
  return { left, used: row };
}

export function layout(state: State, width: number, height: number): Layout {
  const everyone = [...state.agents.values()].filter((agent) => !PM_IDS.includes(agent.id));
  const { shown, hidden } = seated(everyone);
  const n = shown.length;
  const crowded = n > 14;
  const r = Math.max(9, Math.min(28, (0.135 * Math.sqrt(width * height)) / Math.sqrt(n + 3)));
  const rows = crowded ? 1 : WREATH_ROWS;
  const reach = r + 13 + 12 * (rows - 1) + 8;
  const label = crowded ? 16 : 36;
  const narrow = width < 560;
  const sideways = Math.max(reach, narrow ? 52 : 82) + 6;
  const rx = Math.max(40, width / 2 - sideways);
  const ry = Math.max(40, (height - 2 * reach - 2 * label) / 2 - 4);
  const pm = { x: width / 2, y: height / 2, r: narrow ? 24 : 34, labelAt: 0 };

  const byAgent = new Map<string, Task[]>();
  const waiting: Task[] = [];
  const seats = new Set(shown.map((agent) => agent.id));
  let hiddenTasks = 0;
  for (const task of state.tasks.values()) {
    if (task.agentId && seats.has(task.agentId)) {
      const list = byAgent.get(task.agentId);
      if (list) list.push(task);
      else byAgent.set(task.agentId, [task]);
    } else if (task.status !== 'done') waiting.push(task);
    else hiddenTasks += 1;
  }

  const start = n % 2 === 0 && width > height ? 0 : -Math.PI / 2;
  const angles = spread(n, rx, ry, start);
  const agents: PlacedAgent[] = [];
  const tasks: PlacedTask[] = [];
  shown.forEach((agent, i) => {
    const inner = crowded && i % 2 === 1 ? 0.66 : 1;
    const angle = angles[i] ?? 0;
    const at = { x: pm.x + rx * inner * Math.cos(angle), y: pm.y + ry * inner * Math.sin(angle) };
    const own = byAgent.get(agent.id) ?? [];
    const done = own.filter((task) => task.status === 'done').length;
    hiddenTasks += wreath(own, at, r, rows, tasks);
    const clear = r + 13 + (done > 18 ? 12 : 0);
    const above = at.y < pm.y - 0.3 * ry;
    agents.push({
      ...at, agent, r, done, task: (agent.taskId ? state.tasks.get(agent.taskId) : null) ?? null,
      labelAt: above ? -(clear + (crowded ? 14 : 29)) : clear + 20, chars: crowded ? 12 : narrow ? 16 : 26,
    });
  });
  hiddenTasks += Math.max(0, waiting.length - MOST_WAITING);
  const rings = waitingRings(waiting.slice(0, MOST_WAITING), pm, narrow ? 2 : 3, tasks);
  hiddenTasks += rings.left;
  pm.labelAt = pm.r + 24 + 11 * rings.used;
  return { width, height, pm, agents, tasks, hiddenAgents: hidden, hiddenTasks, crowded, rx, ry };
}

/** The control point of the gently bent edge from the manager to an agent. */
export function bend(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return { x: (from.x + to.x) / 2 - dy * 0.09, y: (from.y + to.y) / 2 + dx * 0.09 };
}

export function along(from: Point, to: Point, t: number): Point {
  const c = bend(from, to);
  const u = 1 - t;
  return { x: u * u * from.x + 2 * u * t * c.x + t * t * to.x, y: u * u * from.y + 2 * u * t * c.y + t * t * to.y };
}
