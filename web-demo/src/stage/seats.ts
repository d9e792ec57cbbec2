/**
 * The seats of the agents of one group around their hub: on one ellipse while they are few, on several the more they are; in a
 * cell too flat for a ring around the hub and its name, to the left and right of it.
 */
import { RAD, arc, around, boxAt, spread, touches, type Box, type Point } from './geometry';

export interface Seats {
  hub: Point & { r: number };
  /** Of an agent's disc. */
  r: number;
  /** Rows of leaves that each agent may wear. */
  rows: number;
  /** The radius of an agent with everything that it wears. */
  reach: number;
  /** The ellipses, outermost first. */
  rings: { rx: number; ry: number }[];
  places: Point[];
}

const LARGEST = 28;
const SMALLEST = 4;
const MOST_RINGS = 12;
/** Discs smaller than this wear no leaves: they would be specks. */
const WORN_FROM = 12;

export const wornScale = (r: number): number => (r < 16 ? 0.7 : r < 22 ? 0.85 : 1);

function reachOf(r: number, rows: number): number {
  return rows === 0 ? r + 4 : r + (13 + 12 * (rows - 1) + 7) * wornScale(r);
}

/** Whether what reaches so far from a place (seen from the hub) keeps off the hub and its name. */
type Clear = (place: Point, reach: number) => boolean;

/** The distance around the hub, with the tasks that wait around it. */
const aroundHub = (hubR: number, waiting: number): number => hubR + 14 + (waiting > 0 ? 22 : 0);

/** `named` is how wide the name below the hub is; 0 for none. */
export function seats(box: Box, n: number, waiting: number, named = 0): Seats {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const middle = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
  const narrow = width < 560;
  const hubR = Math.max(11, Math.min(narrow ? 24 : 34, 0.075 * Math.min(width, height)));
  const inner = aroundHub(hubR, waiting);
  const name = boxAt(-named / 2, hubR + 9, named, inner - hubR + 4);
  const clear: Clear = ({ x, y }, reach) => Math.hypot(x, y) >= inner + reach && (named === 0 || !touches(name, x, y, reach));
  const most = Math.min(LARGEST, Math.max(SMALLEST, (0.135 * Math.sqrt(width * height)) / Math.sqrt(n + 3)));
  const few = n <= 14;
  for (let r = most; ; r = Math.max(SMALLEST, r - 1)) {
    const rows = r < WORN_FROM || n > 40 ? 0 : few && !narrow ? 2 : 1;
    const reach = reachOf(r, rows);
    // Room for labels: beside and below them where they are few, between them where they are many.
    const sideways = few ? Math.max(reach, narrow ? 44 : 78) + 6 : reach + 18;
    const label = few ? 34 : 16;
    const rx = Math.max(20, width / 2 - sideways);
    const upright = height / 2 - reach - label - 2;
    const ry = Math.max(20, upright);
    const step = 2 * reach + (r >= 10 ? 16 : 5);
    const pitch = 2 * reach + (few ? (narrow ? 10 : 26) : 5);
    const rings = [{ rx, ry }];
    const room = (ring: { rx: number; ry: number }): number => Math.max(1, Math.floor(around(ring.rx, ring.ry) / pitch));
    let capacity = room({ rx, ry });
    while (capacity < n && rings.length < MOST_RINGS) {
      const next = { rx: rx - rings.length * step, ry: ry - rings.length * step };
      if (next.ry < inner + reach || next.rx < inner + reach) break;
      rings.push(next);
      capacity += room(next);
    }
    const seated = Math.min(n, capacity);
    const found = { hub: { ...middle, r: hubR }, r, rows, reach, rings };
    const ring = places(rings, rings.map(room), seated, width > height);
    if (capacity >= n && (rings.length > 1 || ring.every((place) => clear(place, reach)))) return { ...found, places: from(middle, ring) };
    const beside = sides(n, rx, upright, pitch, (place) => clear(place, reach));
    if (beside.length === n) return { ...found, places: from(middle, beside) };
    if (r <= SMALLEST) return { ...found, places: from(middle, beside.length > 0 ? beside : ring.filter((place) => clear(place, r))) };
  }
}

const from = (middle: Point, places: Point[]): Point[] => places.map(({ x, y }) => ({ x: middle.x + x, y: middle.y + y }));

/** As many of `n` as sit to the right and left of the hub, on the parts of the ellipse that are clear of it. */
function sides(n: number, rx: number, ry: number, pitch: number, clear: (place: Point) => boolean): Point[] {
  if (ry < 0) return [];
  const at = (angle: number): Point => ({ x: rx * Math.cos(angle), y: ry * Math.sin(angle) });
  let widest = -1;
  for (let degrees = 0; degrees < 90 && clear(at(degrees * RAD)) && clear(at(-degrees * RAD)); degrees += 1) widest = degrees;
  if (widest < 0) return [];
  const right = arc(rx, ry, widest * RAD, Math.ceil(n / 2), pitch);
  const left = arc(rx, ry, widest * RAD, Math.floor(n / 2), pitch);
  return [...right.map(at), ...left.map((angle) => at(Math.PI - angle))];
}

/** Each ring takes its share, the outer ones first; rings are turned against each other so that labels find gaps. */
function places(rings: { rx: number; ry: number }[], rooms: number[], n: number, wide: boolean): Point[] {
  const whole = rooms.reduce((sum, room) => sum + room, 0);
  const out: Point[] = [];
  let left = n;
  let roomLeft = whole;
  rings.forEach(({ rx, ry }, i) => {
    const room = rooms[i] ?? 0;
    const here = i === rings.length - 1 ? left : Math.min(room, Math.ceil((left * room) / Math.max(1, roomLeft)));
    const start = (here % 2 === 0 && wide ? 0 : -Math.PI / 2) + (i % 2 === 1 ? Math.PI / Math.max(1, here) : 0);
    for (const angle of spread(here, rx, ry, start)) out.push({ x: rx * Math.cos(angle), y: ry * Math.sin(angle) });
    left -= here;
    roomLeft -= room;
  });
  return out;
}
