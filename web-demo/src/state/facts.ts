/** The facts of one thing: later ones are laid over earlier ones, within the bounds that the server keeps too. */
import { isBefore } from './read';
import type { Json } from './types';

export type Facts = Json;

const MOST_FACTS = 64;
const LONGEST_FACT = 8 * 1024;

const bytes = new TextEncoder();

/** Whether a value is too much for the state: whoever needs it finds it in the history. */
function isLarge(value: unknown): boolean {
  const json = JSON.stringify(value) as string | undefined;
  // A character has at most three bytes.
  return json !== undefined && json.length * 3 > LONGEST_FACT && bytes.encode(json).length > LONGEST_FACT;
}

/** Whether a fact is a later moment than this one. */
export const isLater = (known: unknown, than: unknown): boolean => typeof known === 'string' && typeof than === 'string' && isBefore(than, known);

/** Sets a fact; nothing said leaves it as it is. The time of the last event never goes back, in whatever order events come. */
export function putFact(facts: Facts, key: string, value: unknown): void {
  if (value === undefined || isLarge(value)) return;
  if (key === 'updated_at' && isLater(facts.updated_at, value)) return;
  if (key in facts || Object.keys(facts).length < MOST_FACTS) facts[key] = value;
}

/** Lays all fields of `data` over the facts, but those. */
export function layOver(facts: Facts, data: Json, but: readonly string[]): void {
  for (const [key, value] of Object.entries(data)) {
    if (!but.includes(key)) putFact(facts, key, value);
  }
}
