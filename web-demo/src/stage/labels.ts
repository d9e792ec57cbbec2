/**
 * The labels that are shown, and their places: the most important first, each where it covers nothing; one that finds no room is left
 * out, and shown while the pointer or the focus is on its agent.
 */
import { boxAt, overlap, touches, type Box, type Point } from './geometry';

/** The width of a text in pixels. */
export type Measure = (text: string, size: number, weight: number) => number;

export interface Label {
  lines: string[];
  x: number;
  /** The first baseline. */
  y: number;
  anchor: 'start' | 'middle' | 'end';
  /** Whether the second line is a tool, in a frame of its own. */
  isTool: boolean;
  box: Box;
}

export interface Wanted extends Point {
  name: string;
  /** The present work; empty for a label of one line. */
  doing: string;
  /** The tool in use, which is told in place of the work; empty for none. */
  tool: string;
  /** The radius of the picture. */
  reach: number;
  /** The disc alone: a label beside it may come nearer than one below its leaves. */
  r: number;
  /** The middle that it sits around: labels are set away from it. */
  hub: Point;
  /** The box in which the label may be. */
  cell: Box;
  /** The greater, the earlier it is placed. */
  weight: number;
}

export interface Obstacles {
  discs: { x: number; y: number; r: number }[];
  boxes: Box[];
  /** Points on lines that must not run through a label. */
  points: Point[];
}

const NAME = { size: 13, weight: 600, height: 16 };
const DOING = { size: 11.5, weight: 400, height: 15 };
export const TOOL = { size: 11, weight: 550, height: 20, mark: 17, pad: 7 };
const PAD = 3;

/** The longest beginning of a text that is no wider than that. */
export function cut(text: string, width: number, size: number, weight: number, measure: Measure): string {
  if (measure(text, size, weight) <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const half = Math.ceil((low + high) / 2);
    if (measure(`${text.slice(0, half).trimEnd()}…`, size, weight) <= width) low = half;
    else high = half - 1;
  }
  return `${text.slice(0, low).trimEnd()}…`;
}

type Side = 'below' | 'above' | 'left' | 'right';

/** Away from the hub first. */
function sides({ x, y, hub }: Wanted): Side[] {
  const vertical: Side[] = y < hub.y ? ['above', 'below'] : ['below', 'above'];
  const horizontal: Side[] = x < hub.x ? ['left', 'right'] : ['right', 'left'];
  const [away = 'below', towards = 'above'] = vertical;
  const [outside = 'right', inside = 'left'] = horizontal;
  return [away, outside, towards, inside];
}

function set(wanted: Wanted, side: Side, lines: string[], width: number, isTool: boolean): Label {
  const height = NAME.height + (isTool ? TOOL.height : lines.length > 1 ? DOING.height : 0);
  const { x, y, reach } = wanted;
  const beside = reach + 5;
  const placed = {
    below: { x, top: y + reach + 2, anchor: 'middle' as const },
    above: { x, top: y - reach - 2 - height, anchor: 'middle' as const },
    right: { x: x + beside, top: y - height / 2, anchor: 'start' as const },
    left: { x: x - beside, top: y - height / 2, anchor: 'end' as const },
  }[side];
  const left = placed.anchor === 'middle' ? x - width / 2 : placed.anchor === 'start' ? placed.x : placed.x - width;
  return { lines, x: placed.x, y: placed.top + 12, anchor: placed.anchor, isTool, box: boxAt(left, placed.top, width, height) };
}

/** The label of each that is wanted, in their order; null for one without room. */
export function labels(wanted: Wanted[], obstacles: Obstacles, widest: number, most: number, measure: Measure): (Label | null)[] {
  const out: (Label | null)[] = wanted.map(() => null);
  const taken = new Set(obstacles.boxes);
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[b]?.weight ?? 0) - (wanted[a]?.weight ?? 0) || a - b);
  let shown = 0;
  const free = (box: Box, own: Wanted): boolean => {
    const wide = { left: box.left - PAD, top: box.top - 1, right: box.right + PAD, bottom: box.bottom + 1 };
    const { cell } = own;
    if (wide.left < cell.left || wide.right > cell.right || wide.top < cell.top || wide.bottom > cell.bottom) return false;
    for (const other of taken) if (overlap(wide, other)) return false;
    return !obstacles.discs.some((disc) => (disc.x !== own.x || disc.y !== own.y) && touches(wide, disc.x, disc.y, disc.r))
      && !obstacles.points.some(({ x, y }) => x > wide.left && x < wide.right && y > wide.top && y < wide.bottom);
  };
  for (const i of order) {
    const one = wanted[i];
    if (!one || shown >= most) continue;
    const label = place(one, names(one, widest, measure), measure, (box) => free(box, one));
    if (!label) continue;
    out[i] = label;
    taken.add(label.box);
    shown += 1;
  }
  // Once all have their names: what room there is left tells what they are at.
  for (const i of order) {
    const [one, before] = [wanted[i], out[i]];
    if (!one || !before || (!one.doing && !one.tool)) continue;
    taken.delete(before.box);
    const more = place(one, [both(one, widest, measure)], measure, (box) => free(box, one)) ?? before;
    out[i] = more;
    taken.add(more.box);
  }
  return out;
}

/** Ways to write the name, the best first. */
function names(one: Wanted, widest: number, measure: Measure): string[][] {
  // Room is short on a crowded stage: the word that all names share goes first.
  const short = one.name.replace(/\s*\bagent\b\s*/i, ' ').trim() || one.name;
  const name = (width: number): string => (measure(one.name, NAME.size, NAME.weight) <= width ? one.name : cut(short, width, NAME.size, NAME.weight, measure));
  return [[name(widest)], ...(widest > 84 ? [[name(84)]] : [])];
}

/** The room that the frame of a tool takes beside its name. */
const FRAME = TOOL.mark + 2 * TOOL.pad;

/** The name, and the tool or the work below it. */
function both(one: Wanted, widest: number, measure: Measure): string[] {
  const [name] = names(one, widest, measure)[0] ?? [''];
  return [name ?? '', one.tool ? cut(one.tool, widest - FRAME, TOOL.size, TOOL.weight, measure) : cut(one.doing, widest, DOING.size, DOING.weight, measure)];
}

function place(one: Wanted, ways: string[][], measure: Measure, free: (box: Box) => boolean): Label | null {
  for (const lines of ways) {
    const isTool = one.tool !== '' && lines.length > 1;
    const second = lines[1] ? (isTool ? measure(lines[1], TOOL.size, TOOL.weight) + FRAME : measure(lines[1], DOING.size, DOING.weight)) : 0;
    const width = Math.max(measure(lines[0] ?? '', NAME.size, NAME.weight), second);
    for (const side of sides(one)) {
      const label = set(one, side, lines, width, isTool);
      if (free(label.box)) return label;
    }
  }
  return null;
}
