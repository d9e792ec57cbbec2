/** Work that goes from agent to agent: an edge between the two while the one who got it is at it. */
import { agentTone } from '../state/status';
import { text } from '../state/read';
import type { Point } from './geometry';
import type { PlacedAgent } from './layout';

export interface Handoff {
  key: string;
  from: PlacedAgent;
  to: PlacedAgent;
  /** From rim to rim, with its arrow's tip at the end. */
  d: string;
  arrow: string;
}

/** More cross each other and say nothing. */
const MOST = 24;

/** The control point of the edge from one agent to another: bent away from the middle, which it would cross. */
export function detour(from: Point, to: Point, hub: Point): Point {
  const mid = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  // To the side on which the hub is not; straight through it, to the right of who hands over.
  const side = Math.sign((to.x - from.x) * (hub.y - from.y) - (to.y - from.y) * (hub.x - from.x)) || 1;
  const by = 0.2 * length * side;
  return { x: mid.x + ((to.y - from.y) / length) * by, y: mid.y - ((to.x - from.x) / length) * by };
}

export function onCurve(from: Point, control: Point, to: Point, t: number): Point {
  const u = 1 - t;
  return { x: u * u * from.x + 2 * u * t * control.x + t * t * to.x, y: u * u * from.y + 2 * u * t * control.y + t * t * to.y };
}

/** The point at that distance from a place towards another. */
function towards(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: from.x + ((to.x - from.x) / length) * distance, y: from.y + ((to.y - from.y) / length) * distance };
}

const at = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

export function handoffs(agents: PlacedAgent[]): Handoff[] {
  const found: Handoff[] = [];
  for (const from of agents) {
    const id = text(from.agent.facts, 'handed_to');
    const to = id ? agents.find(({ agent }) => agent.id === id && agent.projectId === from.agent.projectId) : undefined;
    if (!to || to === from || found.length >= MOST || agentTone(to.agent.status) !== 'active') continue;
    const control = detour(from, to, from.hub);
    const start = towards(from, control, from.r + 6);
    const tip = towards(to, control, to.r + 7);
    const back = towards(tip, control, 8);
    const [dx, dy] = [(tip.x - back.x) / 8, (tip.y - back.y) / 8];
    const wing = (side: number): Point => ({ x: back.x - dy * 4 * side, y: back.y + dx * 4 * side });
    found.push({
      key: `${from.agent.key} ${to.agent.key}`, from, to,
      d: `M${at(start)} Q${at(control)} ${at(back)}`, arrow: `M${at(tip)} L${at(wing(1))} L${at(wing(-1))}Z`,
    });
  }
  return found;
}
