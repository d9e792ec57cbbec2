/** Reading fields that may be missing or of another type: every reader answers, none throws. */
import type { Json } from './types';

export function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** The first of `keys` that holds a non-empty text (a number counts as its digits). */
export function text(source: Json, ...keys: string[]): string {
  for (const key of keys) {
    const value = source[key];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  }
  return '';
}

/** The first of `keys` that holds a finite number. */
export function number(source: Json, ...keys: string[]): number | null {
  for (const key of keys) {
    const value = source[key];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
  }
  return null;
}

export function percent(source: Json, ...keys: string[]): number | null {
  const value = number(source, ...keys);
  return value === null ? null : Math.min(100, Math.max(0, value));
}

/** Milliseconds since the epoch of an ISO text, else `fallback`. */
export function time(value: unknown, fallback: number): number {
  if (typeof value !== 'string') return fallback;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? fallback : parsed;
}

/** Whether one moment is before another; both are ISO texts, down to the microsecond. */
export function isBefore(one: string, other: string): boolean {
  const [first, second] = [time(one, NaN), time(other, NaN)];
  return first === second ? one.replace('Z', '') < other.replace('Z', '') : first < second;
}

/** A readable name for one that only has an id; letters stay as they are, so that it can be found by what is shown. */
export function humanise(id: string): string {
  if (/^[0-9a-f-]{16,}$/i.test(id)) return id.slice(0, 8);
  // The unique tail of an id tells a reader nothing.
  return id.replace(/[_.:-][0-9a-f]{16,}$/i, '').replace(/[_\s]+/g, ' ').trim() || id;
}
