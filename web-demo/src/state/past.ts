/** Reading the history of events: where the page begins, and what was decided long before. */
import { agentOf } from './event';
import { keyOf, known } from './keys';
import { record, text } from './read';
import type { Json, State, Update } from './types';

function eventsOf(history: unknown): Json[] {
  const { events } = record(history);
  return Array.isArray(events) ? events.map(record) : [];
}

/** The place before the oldest of these events: who begins there is told of all of them. Empty if there are none. */
export function placeToBegin(history: unknown): string {
  return text(record(history), 'from');
}

/** Decisions as they were published, as updates, oldest first: they are too rare to be among the last events. */
export function pastDecisions(...histories: unknown[]): Update[] {
  const events = histories.flatMap(eventsOf).filter((event) => text(event, 'timestamp'));
  events.sort((a, b) => Date.parse(text(a, 'timestamp')) - Date.parse(text(b, 'timestamp')));
  return events.map(({ id, timestamp, type, data, project_id }) => ['decision_event', { ...record(data), id, timestamp, source_type: type, data, project_id }]);
}

/** The same update with the agent that the state knows: an event doesn't say whether its agent is one that all projects share. */
export function withAgent(state: State, [type, payload]: Update): Update {
  const said = record(payload);
  const [projectId, id] = [text(said, 'project_id'), agentOf(record(said.data))];
  const isShared = id !== '' && known(state.agents, keyOf(projectId, id), id) === id;
  return isShared ? [type, { ...said, agent_project_id: null }] : [type, payload];
}

const decisionId = ([, payload]: Update): string => text(record(payload), 'decision_id', 'id');

/** The decisions that the updates of the past don't tell themselves. */
export function olderThan(past: Update[], decisions: Update[]): Update[] {
  const told = new Set(past.filter(([type]) => type === 'decision_event').map(decisionId));
  return decisions.filter((decision) => !told.has(decisionId(decision)));
}
