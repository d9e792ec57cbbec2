/** The feed as a list: newest first, bounded, one line per message however many parts it comes in. */
import type { FeedEntry } from './types';

export const MOST_ENTRIES = 500;
// A part joins its line only while that line is still near the top, where it can be seen to grow.
const JOINS_WITHIN = 40;

/** `incoming` is oldest first. Entries are replaced, never changed; `before` is left as it is. */
export function joinFeed(before: FeedEntry[], incoming: FeedEntry[]): FeedEntry[] {
  const top = before.slice(0, JOINS_WITHIN);
  const fresh: FeedEntry[] = [];
  for (const entry of incoming) {
    if (!entry.messageId || !(join(fresh, entry) || join(top, entry))) fresh.push(entry);
  }
  return [...fresh.reverse(), ...top, ...before.slice(JOINS_WITHIN)].slice(0, MOST_ENTRIES);
}

function join(list: FeedEntry[], entry: FeedEntry): boolean {
  const at = list.findIndex((other) => other.messageId === entry.messageId);
  const other = list[at];
  if (!other) return false;
  list[at] = { ...entry, key: other.key, at: other.at, coalesced: other.coalesced + entry.coalesced };
  return true;
}
