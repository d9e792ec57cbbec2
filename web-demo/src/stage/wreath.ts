/** Tasks as they are worn by an agent, and as they wait around a hub. */
import type { Task } from '../state/types';
import { RAD, type Point } from './geometry';
import { wornScale } from './seats';

export interface PlacedTask extends Point {
  task: Task;
  /** Degrees by which the leaf is turned so that it lies along its wreath. */
  turn: number;
  scale: number;
}

const BEAD_PITCH = 12;
const TOP_SLOTS = 5;

/** Done tasks grow up both sides from the bottom like laurel; what is in hand stands at the top. Gives how many it shows. */
export function wreath(tasks: Task[], at: Point, r: number, rows: number, out: PlacedTask[]): number {
  if (rows === 0) return 0;
  const finished = tasks.filter((task) => task.status === 'done').sort((a, b) => a.at - b.at);
  const open = tasks.filter((task) => task.status !== 'done').sort((a, b) => b.at - a.at);
  const scale = wornScale(r);
  const pitch = BEAD_PITCH * scale;
  const before = out.length;
  open.slice(0, TOP_SLOTS).forEach((task, i) => {
    const radius = r + 13 * scale;
    const side = i % 2 === 0 ? 1 : -1;
    const angle = (-90 + (side * Math.ceil(i / 2) * pitch * 1.15) / radius / RAD) * RAD;
    out.push({ task, x: at.x + radius * Math.cos(angle), y: at.y + radius * Math.sin(angle), turn: 0, scale });
  });
  const slotsOf = (n: number): number => 2 * Math.floor(((n === 0 ? 138 : 165) * RAD * (r + (13 + 12 * n) * scale)) / pitch);
  let room = 0;
  for (let n = 0; n < rows; n += 1) room += slotsOf(n);
  let [row, slot] = [0, 0];
  // The newest leaves are kept when there is no room for all.
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
  }
  return out.length - before;
}

/** Tasks that nobody has yet, in rings around their hub. Gives how many rings are in use. */
export function waitingRings(tasks: Task[], hub: Point & { r: number }, rows: number, out: PlacedTask[]): number {
  let left = tasks.length;
  let index = 0;
  let row = 0;
  for (; row < rows && left > 0; row += 1) {
    const radius = hub.r + 17 + 11 * row;
    const slots = Math.floor((2 * Math.PI * radius) / 12);
    const used = Math.min(slots, left);
    for (let i = 0; i < used; i += 1, index += 1, left -= 1) {
      const task = tasks[index];
      if (!task) continue;
      // A few stand close together at the top, on the first ring and on those around it; spread out they would look astray.
      const turn = row === 0 ? (i - (used - 1) / 2) / Math.max(used, 10) : (i - (used - 1) / 2) / slots;
      const angle = -Math.PI / 2 + turn * 2 * Math.PI;
      out.push({ task, x: hub.x + radius * Math.cos(angle), y: hub.y + radius * Math.sin(angle), turn: 0, scale: 1 });
    }
  }
  return row;
}
