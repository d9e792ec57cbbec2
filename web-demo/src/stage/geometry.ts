/** Points, boxes and the bent edges between a hub and its agents. */
export interface Point {
  x: number;
  y: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const RAD = Math.PI / 180;

export const boxAt = (x: number, y: number, width: number, height: number): Box => ({ left: x, top: y, right: x + width, bottom: y + height });

export const overlap = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Whether a disc reaches into a box. */
export function touches(box: Box, x: number, y: number, r: number): boolean {
  const dx = Math.max(box.left - x, 0, x - box.right);
  const dy = Math.max(box.top - y, 0, y - box.bottom);
  return dx * dx + dy * dy < r * r;
}

/** The control point of the gently bent edge from a hub to an agent. */
export function bend(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return { x: (from.x + to.x) / 2 - dy * 0.09, y: (from.y + to.y) / 2 + dx * 0.09 };
}

export function along(from: Point, to: Point, t: number): Point {
  const c = bend(from, to);
  const u = 1 - t;
  return { x: u * u * from.x + 2 * u * t * c.x + t * t * to.x, y: u * u * from.y + 2 * u * t * c.y + t * t * to.y };
}

/** Angles (radians) of `n` points equally far apart along an ellipse, from `start` on. */
export function spread(n: number, rx: number, ry: number, start: number): number[] {
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

/** Angles of up to `n` points spread over an ellipse's right side, from `-widest` to `widest`, no two nearer than `pitch`; one sits in the middle. */
export function arc(rx: number, ry: number, widest: number, n: number, pitch: number): number[] {
  if (n === 0) return [];
  for (let here = n; here > 1; here -= 1) {
    const half = (here - 1) / 2;
    const angles = Array.from({ length: here }, (_, i) => Math.asin((Math.sin(widest) * (i - half)) / half));
    const points = angles.map((angle) => ({ x: rx * Math.cos(angle), y: ry * Math.sin(angle) }));
    // Those above and below the middle are as far to the right: the ends of a flat ellipse come near each other.
    if (points.every((a, i) => points.slice(i + 1).every((b) => Math.hypot(a.x - b.x, a.y - b.y) >= pitch))) return angles;
  }
  return [0];
}

/** The circumference of an ellipse (Ramanujan). */
export function around(rx: number, ry: number): number {
  const h = ((rx - ry) / (rx + ry)) ** 2;
  return Math.PI * (rx + ry) * (1 + (3 * h) / (10 + Math.sqrt(4 - 3 * h)));
}

/** Divides a box among parts of these weights, each as far from a stripe as can be. */
export function divide(box: Box, weights: number[]): Box[] {
  if (weights.length <= 1) return weights.map(() => box);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let first = 0;
  let cut = 0;
  while (cut < weights.length - 1 && (cut === 0 || first + (weights[cut] ?? 0) / 2 < whole / 2)) {
    first += weights[cut] ?? 0;
    cut += 1;
  }
  const part = Math.min(0.75, Math.max(0.25, first / whole));
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const [a, b] = width > height * 1.15
    ? [{ ...box, right: box.left + width * part }, { ...box, left: box.left + width * part }]
    : [{ ...box, bottom: box.top + height * part }, { ...box, top: box.top + height * part }];
  return [...divide(a, weights.slice(0, cut)), ...divide(b, weights.slice(cut))];
}
