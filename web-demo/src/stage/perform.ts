/** From an effect to movement: who is meant, which edge, which colour. */
import { agentTone } from '../state/status';
import type { Animation, Effect } from '../state/types';
import { along, type Point } from './geometry';
import { detour, onCurve } from './handoffs';
import { type Layout, type PlacedAgent, type PlacedHub, PM_IDS } from './layout';
import { blink, burst, drop, reach, ripple, travel, turn } from './motion';

export interface NodeHandle {
  mark(name: Animation, durationMs: number): void;
  disc(): SVGGElement | null;
}

export interface Cast {
  layout: Layout;
  layer: SVGGElement;
  /** By key. */
  agent(key: string): NodeHandle | null;
  /** By project. */
  hub(projectId: string): NodeHandle | null;
}

interface Actor {
  node: NodeHandle | null;
  at: Point;
  r: number;
  tone: string;
  hub: PlacedHub;
  isHub: boolean;
}

/** The hub of a project; of none, or of one that is not shown, the first. */
function hubOf({ layout }: Cast, projectId: string): PlacedHub | undefined {
  return layout.hubs.find((hub) => hub.projectId === projectId) ?? layout.hubs[0];
}

/** The one who moves: the agent if one is named and seated, the task if only that is known, else the middle of its group. */
function actor(cast: Cast, effect: Effect): Actor | null {
  const { layout } = cast;
  const seat = effect.agent ? layout.agents.find((placed) => placed.agent.key === effect.agent) : undefined;
  const hub = (seat && layout.hubs.find(({ x, y }) => x === seat.hub.x && y === seat.hub.y)) ?? hubOf(cast, effect.projectId);
  if (!hub) return null;
  if (seat) return { node: cast.agent(seat.agent.key), at: seat, r: seat.r, tone: agentTone(seat.agent.status), hub, isHub: false };
  const task = effect.task ? layout.tasks.find((placed) => placed.task.key === effect.task) : undefined;
  if (task) return { node: null, at: task, r: 7, tone: 'active', hub, isHub: false };
  return { node: cast.hub(hub.projectId), at: hub, r: hub.r, tone: 'accent', hub, isHub: true };
}

/** The place of the thing with that id: of two namesakes the one in the group of the actor who moves. */
function place(cast: Cast, id: string, who: Actor): Point | null {
  if (PM_IDS.includes(id)) return who.hub;
  const named = (placed: PlacedAgent): boolean => placed.agent.id === id;
  return cast.layout.agents.find((placed) => named(placed) && placed.hub.x === who.hub.x && placed.hub.y === who.hub.y) ?? cast.layout.agents.find(named) ?? null;
}

/** Along the edge the hint names; without one a message goes to the middle, and anything else comes from it. */
function flow(cast: Cast, effect: Effect, who: Actor): void {
  const message = effect.type === 'message_appended';
  let from = place(cast, effect.from, who);
  let to = place(cast, effect.to, who);
  if (!from || !to || from === to) [from, to] = message ? [who.at, who.hub] : [who.hub, who.at];
  const [tone, intensity] = message ? ['active', 0.1] : ['gold', effect.intensity];
  const [start, end] = [from, to];
  if (start !== who.hub && end !== who.hub) {
    const control = detour(start, end, who.hub);
    travel(cast.layer, (part) => onCurve(start, control, end, part), tone, effect.durationMs * 1.3, intensity);
    // With who gets it something begins.
    const got = cast.layout.agents.find((placed) => placed === end);
    if (got && !message) ripple(cast.layer, got, got.r, tone, effect.durationMs, intensity, effect.durationMs);
    return;
  }
  // An edge is bent one way only, seen from the middle.
  const back = end === who.hub;
  travel(cast.layer, (part) => (back ? along(end, start, 1 - part) : along(start, end, part)), tone, effect.durationMs, intensity);
}

/** The finer movements, in place of the animation's own; false for one that has none here. */
function move(layer: SVGGElement, effect: Effect, who: Actor): boolean {
  const duration = effect.durationMs;
  if (who.isHub) return false;
  switch (effect.motion) {
    case 'reach':
      reach(layer, who.at, who.hub, who.r, who.tone, duration);
      return true;
    case 'back':
      // A failed call flashes.
      if (effect.animation === 'flash') return false;
      reach(layer, who.at, who.hub, who.r, 'done', duration);
      return true;
    case 'ask':
      for (let i = 0; i < 2; i += 1) ripple(layer, who.at, who.r + 4, 'gold', duration * 1.6, 0.8, i * 220);
      return true;
    case 'retry':
      turn(layer, who.at, who.r, 'blocked', duration);
      return true;
    case 'drop':
      drop(layer, who.at, who.hub, who.r, duration);
      return true;
    default:
      return false;
  }
}

export function perform(cast: Cast, effect: Effect): void {
  const { layer } = cast;
  const who = actor(cast, effect);
  if (!who) return;
  const duration = effect.durationMs;
  who.node?.mark(effect.animation, duration);
  const disc = who.node?.disc() ?? null;
  if (move(layer, effect, who)) return;
  switch (effect.animation) {
    case 'pulse':
      ripple(layer, who.at, who.r, who.tone, duration, effect.intensity);
      return;
    case 'fade':
      // The middle stands in for all that has no place of its own; dimmed at each of those it would flicker.
      if (who.isHub) return ripple(layer, who.at, who.r, 'gold', duration, 0.15);
      if (disc) blink(disc, 1, 0.35, duration);
      return;
    case 'flow':
      if (who.isHub) return ripple(layer, who.at, who.r, 'gold', duration, effect.intensity);
      flow(cast, effect, who);
      return;
    case 'progress':
      ripple(layer, who.at, who.r + 2, who.isHub ? 'done' : 'active', duration, 0.25);
      return;
    case 'flash':
      if (disc) blink(disc, 2, 0.25, duration);
      ripple(layer, who.at, who.r, 'blocked', duration * 1.6, effect.intensity);
      return;
    case 'celebrate':
      burst(layer, who.at, who.r, duration, who.isHub ? 1 : effect.intensity);
      return;
    case 'alert':
      for (let i = 0; i < 3; i += 1) ripple(layer, who.at, who.r + 6 * i, 'blocked', duration * 1.4, 1, i * 160);
      return;
    case 'none':
  }
}
