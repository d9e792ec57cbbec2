/** Reading the history of events: where the page begins, and what was decided long before. */
import { record, text } from './read';
import type { Json, Update } from './types';

function eventsOf(history: unknown): Json[] {
  const { events } = record(history);
  return Array.isArray(events) ? events.map(record) : [];
}

/** The place after the oldest of these events, which are newest first; empty if there are none. */
export function placeToBegin(history: unknown): string {
  return text(eventsOf(history).at(-1) ?? {}, 'cursor');
}

/** Decisions as they were published, as updates, oldest first: they are too rare to be among the last events. */
export function pastDecisions(...histories: unknown[]): Update[] {
  const events = histories.flatMap(eventsOf).filter((event) => text(event, 'timestamp'));
  events.sort((a, b) => Date.parse(text(a, 'timestamp')) - Date.parse(text(b, 'timestamp')));
  return events.map(({ id, timestamp, type, data }) => ['decision_event', { ...record(data), id, timestamp, source_type: type, data }]);
}

const decisionId = ([, payload]: Update): string => text(record(payload), 'decision_id', 'id');

/** Those of the decisions that the updates of the past don't tell themselves. */
export function olderThan(past: Update[], decisions: Update[]): Update[] {
  const told = new Set(past.filter(([type]) => type === 'decision_event').map(decisionId));
  return decisions.filter((decision) => !told.has(decisionId(decision)));
}
