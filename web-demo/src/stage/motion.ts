/**
 * The movements of the stage, drawn into one overlay and removed when they end. They are drawn with the Web Animations
 * API: the browser runs them, Vue renders nothing meanwhile.
 */
import { RAD, type Point } from './geometry';

const SVG = 'http://www.w3.org/2000/svg';
// More at once cannot be told apart, and would cost frames.
const MOST_AT_ONCE = 60;

const stillness = window.matchMedia('(prefers-reduced-motion: reduce)');

function busy(layer: SVGGElement): boolean {
  return stillness.matches || document.hidden || layer.childElementCount >= MOST_AT_ONCE;
}

function add(layer: SVGGElement, tag: 'circle' | 'path', attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  layer.append(element);
  return element;
}

function run(element: SVGElement, frames: Keyframe[], options: KeyframeAnimationOptions): void {
  const animation = element.animate(frames, { fill: 'both', ...options });
  animation.onfinish = animation.oncancel = () => element.remove();
}

const moved = (p: Point, more = ''): string => `translate(${p.x.toFixed(1)}px, ${p.y.toFixed(1)}px) ${more}`;

/** A ring that widens and fades. */
export function ripple(layer: SVGGElement, at: Point, r: number, tone: string, durationMs: number, intensity: number, delay = 0): void {
  if (busy(layer)) return;
  const ring = add(layer, 'circle', { r: String(r), class: `fx-ring tone-${tone}` });
  run(ring, [
    { transform: moved(at, 'scale(0.9)'), opacity: 0.35 + 0.6 * intensity },
    { transform: moved(at, `scale(${1.5 + intensity})`), opacity: 0 },
  ], { duration: durationMs * 1.4, delay, easing: 'cubic-bezier(0.16, 0.7, 0.3, 1)' });
}

/** A bright bead with two echoes that runs along a line; `at` gives its points from 0 to 1. */
export function travel(layer: SVGGElement, at: (part: number) => Point, tone: string, durationMs: number, intensity: number): void {
  if (busy(layer)) return;
  const frames = (echo: number): Keyframe[] => Array.from({ length: 25 }, (_, i) => {
    const t = i / 24;
    // From rim to rim: over a disc it would hide the sign there.
    return { transform: moved(at(0.1 + 0.8 * t)), opacity: Math.min(1, t * 8, (1 - t) * 8) * (1 - echo * 0.32) };
  });
  for (let echo = 0; echo < 3; echo += 1) {
    const bead = add(layer, 'circle', { r: String((3.5 + 2.5 * intensity) * (1 - echo * 0.22)), class: `fx-bead tone-${tone}` });
    run(bead, frames(echo), { duration: durationMs, delay: echo * 55, easing: 'cubic-bezier(0.45, 0.05, 0.3, 1)' });
  }
}

/** A line that shoots out of a disc, away from the middle, and comes back: a hand that reaches for a tool. */
export function reach(layer: SVGGElement, at: Point, hub: Point, r: number, tone: string, durationMs: number): void {
  if (busy(layer)) return;
  const turn = Math.atan2(at.y - hub.y, at.x - hub.x) / RAD;
  const line = add(layer, 'path', { d: `M${r + 4} 0 H${r + 24}`, class: `fx-line tone-${tone}`, pathLength: '1' });
  run(line, [
    { transform: moved(at, `rotate(${turn}deg)`), strokeDashoffset: 1, opacity: 1 },
    { transform: moved(at, `rotate(${turn}deg)`), strokeDashoffset: 0, opacity: 1, offset: 0.45 },
    { transform: moved(at, `rotate(${turn}deg)`), strokeDashoffset: 1, opacity: 0.6 },
  ], { duration: durationMs * 1.5, easing: 'cubic-bezier(0.3, 0.7, 0.3, 1)' });
}

/** An arc that runs once around a disc: again, from the beginning. */
export function turn(layer: SVGGElement, at: Point, r: number, tone: string, durationMs: number): void {
  if (busy(layer)) return;
  const arc = add(layer, 'path', { d: `M0 ${-r - 6} A${r + 6} ${r + 6} 0 0 1 ${r + 6} 0`, class: `fx-line whole tone-${tone}` });
  run(arc, [
    { transform: moved(at, 'rotate(0deg)'), opacity: 1 }, { transform: moved(at, 'rotate(360deg)'), opacity: 1, offset: 0.8 }, { transform: moved(at, 'rotate(380deg)'), opacity: 0 },
  ], { duration: durationMs * 2, easing: 'cubic-bezier(0.4, 0.1, 0.3, 1)' });
}

/** A tablet that is laid down in front of the one who made it. */
export function drop(layer: SVGGElement, at: Point, hub: Point, r: number, durationMs: number): void {
  if (busy(layer)) return;
  const far = Math.hypot(hub.x - at.x, hub.y - at.y) || 1;
  const end = { x: at.x + ((hub.x - at.x) / far) * (r + 26), y: at.y + ((hub.y - at.y) / far) * (r + 26) };
  const sheet = add(layer, 'path', { d: 'M-6 -8 H3 L6 -5 V8 H-6Z', class: 'fx-leaf tone-gold' });
  run(sheet, [
    { transform: moved(at, 'scale(0.3)'), opacity: 0 }, { transform: moved(end, 'scale(1.15)'), opacity: 1, offset: 0.35 },
    { transform: moved(end, 'scale(1)'), opacity: 1, offset: 0.75 }, { transform: moved(end, 'scale(0.8)'), opacity: 0 },
  ], { duration: Math.max(1400, durationMs * 2), easing: 'cubic-bezier(0.2, 0.8, 0.3, 1)' });
}

const LEAF = 'M0 -6 C4 -3 4 3 0 6 C-4 3 -4 -3 0 -6Z';

/** Leaves thrown from a point: the crown at the games. */
export function burst(layer: SVGGElement, at: Point, r: number, durationMs: number, intensity: number): void {
  if (busy(layer)) return;
  const leaves = Math.round(8 + 10 * intensity);
  for (let i = 0; i < leaves; i += 1) {
    const angle = (i / leaves) * 2 * Math.PI + Math.random() * 0.4;
    const far = r + 22 + Math.random() * 34 * (0.5 + intensity);
    const turn = (angle * 180) / Math.PI + 90;
    const leaf = add(layer, 'path', { d: LEAF, class: `fx-leaf ${i % 3 === 0 ? 'tone-gold' : 'tone-done'}` });
    const start = { x: at.x + r * 0.6 * Math.cos(angle), y: at.y + r * 0.6 * Math.sin(angle) };
    const end = { x: at.x + far * Math.cos(angle), y: at.y + far * Math.sin(angle) };
    run(leaf, [
      { transform: moved(start, `rotate(${turn}deg) scale(0.4)`), opacity: 0 },
      { transform: moved({ x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }, `rotate(${turn + 30}deg) scale(1)`), opacity: 1, offset: 0.3 },
      { transform: moved({ x: end.x, y: end.y + 14 }, `rotate(${turn + 140}deg) scale(0.7)`), opacity: 0 },
    ], { duration: durationMs * 1.1, easing: 'cubic-bezier(0.12, 0.7, 0.3, 1)', delay: Math.random() * 60 });
  }
}

/** The thing itself, dimmed and back (fade) or shaken in colour (flash): at most two beats, far below three per second. */
export function blink(element: Element, beats: number, low: number, durationMs: number): void {
  if (stillness.matches || document.hidden) return;
  const frames: Keyframe[] = [{ opacity: 1 }];
  for (let i = 0; i < beats; i += 1) frames.push({ opacity: low }, { opacity: 1 });
  element.animate(frames, { duration: Math.max(durationMs, beats * 420), easing: 'ease-in-out' });
}
