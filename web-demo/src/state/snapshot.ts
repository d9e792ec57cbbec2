/** Taking over a snapshot: the server's word replaces all that the page believed. */
import { agentView, artifactView, inputView, projectView, remember, runView, taskView, type Kind } from './entities';
import { keyOf } from './keys';
import { number, record, text, time } from './read';
import { givenOf } from './standing';
import type { Agent, Counts, Health, Json, State, Thing } from './types';

const nothingBeyond = (): Counts => ({ agents: 0, projects: 0, runs: 0, inputs: 0, tasks: { todo: 0, in_progress: 0, blocked: 0, done: 0 } });

export function emptyState(): State {
  return {
    cursor: null, agents: new Map(), tasks: new Map(), projects: new Map(), runs: new Map(), inputs: new Map(), artifacts: new Map(), namesakes: new Map(), usageAhead: new Map(), beyond: nothingBeyond(),
    health: null, projectHealth: new Map(), decisions: [], messages: new Map(), seen: 0,
  };
}

/** The health of everything, or of a project, by its facts; null if there are none. */
export function readHealth(facts: Json, now: number): Health | null {
  const health = {
    severity: text(facts, 'severity').toLowerCase(), status: text(facts, 'status', 'overall_health').toLowerCase(),
    message: text(facts, 'message'), risk: text(facts, 'risk_level').toLowerCase(),
  };
  if (Object.keys(facts).length === 0) return null;
  return { ...health, facts, at: time(facts.updated_at ?? facts.timestamp, now) };
}

/** A field that only updates carry is no fact, also where a producer wrote it; its id and project are its key. */
function factsOf(value: unknown): Json {
  const { change_type: _change, id: _id, project_id: _project, ...facts } = record(value);
  return facts;
}

const OWN_ID: Record<Kind, string> = { agents: 'agent_id', tasks: 'task_id', projects: 'project_id', runs: 'id', inputs: 'id', artifacts: 'artifact_id' };

/** The id of a thing. The key on the wire may be the project and the id together, so the thing names its id itself. */
function idOf(kind: Kind, name: string, facts: Json): string {
  return text(facts, 'id', OWN_ID[kind]) || name;
}

function take<T extends Thing>(
  state: State, kind: Kind, said: unknown, view: (key: string, projectId: string, id: string, facts: Json, now: number, said: Json) => T, now: number,
): Map<string, T> {
  const things = Object.entries(record(said)).map(([name, value]) => {
    const said = record(value);
    const facts = factsOf(said);
    const id = idOf(kind, name, said);
    const projectId = kind === 'projects' ? '' : text(said, 'project_id');
    return view(keyOf(projectId, id), projectId, id, facts, now, said);
  });
  const fresh = new Map(things.map((thing) => [thing.key, thing]));
  // Things that are already on the stage keep their places.
  const kept = [...state[kind].keys()].filter((key) => fresh.has(key));
  const order = new Set([...kept, ...fresh.keys()]);
  for (const { id, key } of things) remember(state, kind, id, key);
  return new Map([...order].flatMap((key) => (fresh.has(key) ? [[key, fresh.get(key) as T] as const] : [])));
}

/** An agent as the server says that it stands. */
function agentOf(key: string, projectId: string, id: string, facts: Json, now: number, said: Json): Agent {
  const { given_tasks: _given, busy: _busy, task_project_id: _of, ...own } = facts;
  const taskProjectId = text(said, 'task_id') ? text(said, projectId ? 'project_id' : 'task_project_id') : '';
  return agentView(key, projectId, id, own, now, { given: givenOf(said), busy: said.busy === true, taskProjectId });
}

/** Mends `state` in place to what the snapshot says; decisions and messages are no part of it and stay. */
export function applySnapshot(state: State, payload: unknown, now: number): void {
  const snapshot = record(payload);
  state.namesakes = new Map();
  state.usageAhead = new Map();
  state.agents = take(state, 'agents', snapshot.agents, agentOf, now);
  state.tasks = take(state, 'tasks', snapshot.tasks, taskView, now);
  state.projects = take(state, 'projects', snapshot.projects, projectView, now);
  state.runs = take(state, 'runs', snapshot.runs, runView, now);
  state.inputs = take(state, 'inputs', snapshot.inputs, inputView, now);
  state.artifacts = take(state, 'artifacts', snapshot.artifacts, artifactView, now);
  const { projects, ...health } = factsOf(snapshot.health);
  state.health = readHealth(health, now);
  const ofProjects = Object.entries(record(projects)).map(([id, facts]) => [id, readHealth(record(facts), now)] as const);
  state.projectHealth = new Map(ofProjects.flatMap(([id, health]) => (health ? [[id, health] as const] : [])));
  state.beyond = beyond(state, record(snapshot.counts));
  const cursor = text(snapshot, 'cursor');
  if (cursor) state.cursor = cursor;
}

/** The server counts what there is, also where it does not list all of it. */
function beyond(state: State, counts: Json): Counts {
  const more = (key: string, listed: number): number => Math.max(0, (number(counts, key) ?? 0) - listed);
  const listed = nothingBeyond().tasks;
  for (const task of state.tasks.values()) {
    if (!task.gone) listed[task.status] += 1;
  }
  return {
    agents: more('agents', state.agents.size), projects: more('projects', state.projects.size), runs: more('runs', state.runs.size),
    inputs: more('inputs', state.inputs.size),
    tasks: {
      todo: more('tasks_todo', listed.todo), in_progress: more('tasks_in_progress', listed.in_progress),
      blocked: more('tasks_blocked', listed.blocked), done: more('tasks_done', listed.done),
    },
  };
}

/** Several parts of one snapshot: their union, once the last one is here. */
export class Parts {
  private parts: Json[] = [];

  /** Gives the whole snapshot with its last part, and null before. */
  add(payload: unknown): Json | null {
    const part = record(payload);
    const of = number(part, 'parts') ?? 1;
    const which = number(part, 'part') ?? 1;
    // A first part begins a snapshot anew: the one before it was cut off with its connection.
    if (which <= 1) this.parts = [];
    this.parts.push(part);
    if (which < of) return null;
    const whole: Json = { ...part };
    for (const kind of ['projects', 'agents', 'tasks', 'runs', 'inputs', 'artifacts', 'health', 'counts']) {
      whole[kind] = Object.assign({}, ...this.parts.map((one) => record(one[kind])));
    }
    this.parts = [];
    return whole;
  }
}
