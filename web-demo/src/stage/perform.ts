/** From an effect to movement: who is meant, which edge, which colour. */
import { agentTone } from '../state/status';
import type { Animation, Effect } from '../state/types';
import { type Layout, PM_IDS, type Point } from './layout';
import { blink, burst, ripple, travel } from './motion';

export interface NodeHandle {
  mark(name: Animation, durationMs: number): void;
  disc(): SVGGElement | null;
}

export interface Cast {
  layout: Layout;
  layer: SVGGElement;
  pm: NodeHandle | null;
  agent(id: string): NodeHandle | null;
}

interface Actor {
  node: NodeHandle | null;
  at: Point;
  r: number;
  tone: string;
}

/** The one who moves: the agent if one is named and seated, the task if only that is known, else the manager. */
function actor(cast: Cast, effect: Effect): Actor {
  const { layout } = cast;
  const id = effect.kind === 'agent' ? effect.id : effect.agentId;
  const seat = id && !PM_IDS.includes(id) ? layout.agents.find((placed) => placed.agent.id === id) : undefined;
  if (seat) return { node: cast.agent(seat.agent.id), at: seat, r: seat.r, tone: agentTone(seat.agent.status) };
  const task = effect.taskId ? layout.tasks.find((placed) => placed.task.id === effect.taskId) : undefined;
  if (task) return { node: null, at: task, r: 7, tone: 'active' };
  return { node: cast.pm, at: layout.pm, r: layout.pm.r, tone: 'accent' };
}

function place(layout: Layout, id: string): Point | null {
  if (PM_IDS.includes(id)) return layout.pm;
  return layout.agents.find((placed) => placed.agent.id === id) ?? null;
}

/** Along the edge the hint names; without one a message goes to the manager, and anything else comes from it. */
function flow(cast: Cast, effect: Effect, who: Actor): void {
  const message = effect.type === 'message_appended';
  let from = place(cast.layout, effect.from);
  let to = place(cast.layout, effect.to);
  if (!from || !to || from === to) [from, to] = message ? [who.at, cast.layout.pm] : [cast.layout.pm, who.at];
  // An edge is bent one way only, seen from the manager.
  const back = to === cast.layout.pm;
  travel(cast.layer, back ? to : from, back ? from : to, back, message ? 'active' : 'gold', effect.durationMs, message ? 0.1 : effect.intensity);
}

export function perform(cast: Cast, effect: Effect): void {
  const { layer } = cast;
  const who = actor(cast, effect);
  const duration = effect.durationMs;
  who.node?.mark(effect.animation, duration);
  const disc = who.node?.disc() ?? null;
  switch (effect.animation) {
    case 'pulse':
      ripple(layer, who.at, who.r, who.tone, duration, effect.intensity);
      return;
    case 'fade':
      // The middle stands in for all that has no place of its own; dimmed at each of those it would flicker.
      if (who.node === cast.pm) return ripple(layer, who.at, who.r, 'gold', duration, 0.15);
      if (disc) blink(disc, 1, 0.35, duration);
      return;
    case 'flow':
      if (who.node === cast.pm) return ripple(layer, who.at, who.r, 'gold', duration, effect.intensity);
      flow(cast, effect, who);
      return;
    case 'progress':
      ripple(layer, who.at, who.r + 2, who.node === cast.pm ? 'done' : 'active', duration, 0.25);
      return;
    case 'flash':
      if (disc) blink(disc, 2, 0.25, duration);
      ripple(layer, who.at, who.r, 'blocked', duration * 1.6, effect.intensity);
      return;
    case 'celebrate':
      burst(layer, who.at, who.r, duration, who.node === cast.pm ? 1 : effect.intensity);
      return;
    case 'alert':
      for (let i = 0; i < 3; i += 1) ripple(layer, who.at, who.r + 6 * i, 'blocked', duration * 1.4, 1, i * 160);
      return;
    case 'none':
  }
}
