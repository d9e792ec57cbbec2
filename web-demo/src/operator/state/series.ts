/** The measurements of the last minutes, for charts: one value for each answer, and gaps where there was none. */
export interface Point {
  at: number;
  value: number;
}

/** Points that are further apart than this have a gap between them: nobody was asked, or nobody answered. */
export const GAP_MS = 10_000;

/** Adds a point; those from before the span go. */
export function add(points: readonly Point[], point: Point, spanMs: number): Point[] {
  const from = point.at - spanMs;
  // The clock of the machine may have been set back: what is ahead of now can't be drawn.
  return [...points.filter(({ at }) => at >= from && at < point.at), point];
}

/** The stretches without a gap. */
export function stretches(points: readonly Point[], gapMs = GAP_MS): Point[][] {
  const found: Point[][] = [];
  points.forEach((point, i) => {
    const before = points[i - 1];
    if (before && point.at - before.at <= gapMs) found.at(-1)?.push(point);
    else found.push([point]);
  });
  return found;
}

/** The least round number of 1, 2 or 5 times a power of ten that is no less: the top of a chart's scale. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

export interface Sum {
  now: number;
  most: number;
  least: number;
  average: number;
}

export function sum(points: readonly Point[]): Sum | null {
  const values = points.map(({ value }) => value);
  const now = values.at(-1);
  if (now === undefined) return null;
  return {
    now, most: Math.max(...values), least: Math.min(...values), average: values.reduce((all, value) => all + value, 0) / values.length,
  };
}

export interface Frame {
  /** The moments at the left and right edge. */
  from: number;
  to: number;
  /** The value at the upper edge. */
  top: number;
  width: number;
  height: number;
}

/** The outline of one stretch, and the area below it, as paths of an SVG. */
export function paths(points: readonly Point[], { from, to, top, width, height }: Frame): { line: string; area: string } {
  const x = ({ at }: Point): string => (((at - from) / Math.max(1, to - from)) * width).toFixed(1);
  const y = ({ value }: Point): string => (height - (Math.min(value, top) / top) * height).toFixed(1);
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return { line: '', area: '' };
  const line = points.map((point, i) => `${i ? 'L' : 'M'}${x(point)} ${y(point)}`).join('');
  return { line, area: `${line}L${x(last)} ${height}L${x(first)} ${height}Z` };
}
