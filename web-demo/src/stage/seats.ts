/** Where the agents of one group sit around their hub: on one ellipse while they are few, on several the more they are. */
import { around, spread, type Box, type Point } from './geometry';

export interface Seats {
  hub: Point & { r: number };
  /** Of an agent's disc. */
  r: number;
  /** Rows of leaves that each agent may wear. */
  rows: number;
  /** How far an agent with what it wears reaches from its middle. */
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

export function seats(box: Box, n: number, waiting: number): Seats {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const middle = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
  const narrow = width < 560;
  const hubR = Math.max(11, Math.min(narrow ? 24 : 34, 0.075 * Math.min(width, height)));
  const inner = hubR + 14 + (waiting > 0 ? 22 : 0);
  const most = Math.min(LARGEST, Math.max(SMALLEST, (0.135 * Math.sqrt(width * height)) / Math.sqrt(n + 3)));
  const few = n <= 14;
  for (let r = most; ; r = Math.max(SMALLEST, r - 1)) {
    const rows = r < WORN_FROM || n > 40 ? 0 : few && !narrow ? 2 : 1;
    const reach = reachOf(r, rows);
    // Room for labels: beside and below them where they are few, between them where they are many.
    const sideways = few ? Math.max(reach, narrow ? 44 : 78) + 6 : reach + 18;
    const label = few ? 34 : 16;
    const rx = Math.max(20, width / 2 - sideways);
    const ry = Math.max(20, height / 2 - reach - label - 2);
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
    if (capacity >= n || r <= SMALLEST) {
      const seated = Math.min(n, capacity);
      return { hub: { ...middle, r: hubR }, r, rows, reach, rings, places: places(middle, rings, rings.map(room), seated, width > height) };
    }
  }
}

/** Each ring takes its share, the outer ones first; rings are turned against each other so that labels find gaps. */
function places(middle: Point, rings: { rx: number; ry: number }[], rooms: number[], n: number, wide: boolean): Point[] {
  const whole = rooms.reduce((sum, room) => sum + room, 0);
  const out: Point[] = [];
  let left = n;
  let roomLeft = whole;
  rings.forEach(({ rx, ry }, i) => {
    const room = rooms[i] ?? 0;
    const here = i === rings.length - 1 ? left : Math.min(room, Math.ceil((left * room) / Math.max(1, roomLeft)));
    const start = (here % 2 === 0 && wide ? 0 : -Math.PI / 2) + (i % 2 === 1 ? Math.PI / Math.max(1, here) : 0);
    for (const angle of spread(here, rx, ry, start)) out.push({ x: middle.x + rx * Math.cos(angle), y: middle.y + ry * Math.sin(angle) });
    left -= here;
    roomLeft -= room;
  });
  return out;
}
