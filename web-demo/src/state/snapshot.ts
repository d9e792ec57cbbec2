/** Taking over a snapshot: the server's word replaces all that the page believed. */
import { agentPatch, projectPatch, runPatch, stamp, taskPatch, upsertAgent, upsertProject, upsertRun, upsertTask } from './entities';
import { record, text } from './read';
import { gone } from './status';
import type { Health, Json, State } from './types';

export function emptyState(): State {
  return {
    cursor: null, agents: new Map(), tasks: new Map(), projects: new Map(), runs: new Map(), health: null, decisions: [],
    messages: new Map(), seen: 0,
  };
}

/** What is said of it, laid over what was known; null if nothing ever was. */
export function readHealth(data: Json, before: Health | null, at: number): Health | null {
  const severity = text(data, 'severity');
  const status = text(data, 'status', 'overall_health');
  const message = text(data, 'message');
  const risk = text(data, 'risk_level');
  if (!severity && !status && !message) return risk ? { severity: '', status: '', message: '', ...before, risk: risk.toLowerCase(), at } : before;
  return { severity: severity.toLowerCase(), status: status.toLowerCase(), message, risk: risk.toLowerCase() || before?.risk || '', at };
}

/** Mends `state` in place to what the snapshot says; decisions and messages are no part of it and stay. */
export function applySnapshot(state: State, payload: unknown, now: number): void {
  const snapshot = record(payload);
  const before = state.agents;
  state.agents = new Map();
  state.tasks = new Map();
  state.projects = new Map();
  state.runs = new Map();
  const agents = record(snapshot.agents);
  // Agents that are already on the stage keep their places.
  const ids = [...before.keys()].filter((id) => id in agents);
  for (const id of new Set([...ids, ...Object.keys(agents)])) {
    const data = record(agents[id]);
    upsertAgent(state, id, agentPatch(data), stamp(data, now));
  }
  for (const [id, value] of Object.entries(record(snapshot.tasks))) {
    const data = record(value);
    if (gone(text(data, 'status'))) continue;
    upsertTask(state, id, taskPatch(data), stamp(data, now));
  }
  for (const [id, value] of Object.entries(record(snapshot.projects))) {
    const data = record(value);
    upsertProject(state, id, projectPatch(data), stamp(data, now));
  }
  for (const [id, value] of Object.entries(record(snapshot.runs))) {
    const data = record(value);
    upsertRun(state, id, runPatch(data), stamp(data, now));
  }
  const health = record(snapshot.health);
  state.health = readHealth(health, null, stamp(health, now));
  const cursor = text(snapshot, 'cursor');
  if (cursor) state.cursor = cursor;
}
