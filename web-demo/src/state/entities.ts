/** The things of the state: what is known of one, and how the page reads it. Each change gives a new object. */
import type { Facts } from './facts';
import { keyOf } from './keys';
import { humanise, number, percent, record, text, time } from './read';
import { isOver, restand, standing } from './standing';
import { agentTone, ended, gone, taskStatus } from './status';
import { plusUsage } from './usage';
import type { Agent, Given, Input, Json, Project, Run, State, Task, Thing } from './types';

// As many as a server keeps by default; a page left open for weeks must not grow without end.
const MOST = 10_000;

// Re-inserting on every change would keep maps sorted by age but make agents jump on the stage, so the victim is sought.
function bound<T extends Thing>(map: Map<string, T>, expendable: (item: T) => boolean): void {
  if (map.size <= MOST) return;
  // An eighth in one walk: one at a time each new thing would cost a walk.
  const ranked = [...map.values()].sort((a, b) => Number(expendable(b)) - Number(expendable(a)) || a.at - b.at);
  for (const { key } of ranked.slice(0, MOST / 8)) map.delete(key);
}

function edit<T extends Thing>(state: State, kind: Kind, projectId: string, id: string, view: (before: T | undefined, key: string) => T): void {
  const map = state[kind] as unknown as Map<string, T>;
  const key = keyOf(projectId, id);
  const before = map.get(key);
  remember(state, kind, id, key);
  map.set(key, view(before, key));
}

/** Moves a thing that was known without a project to this one, in its place in the map; a run only if it is of this kind. */
export function adopt(state: State, kind: 'tasks' | 'runs', projectId: string, id: string, runKind?: string): void {
  const map = state[kind] as unknown as Map<string, Thing>;
  const key = keyOf(projectId, id);
  const things = [...map].filter(([name]) => name !== key);
  const known = map.get(id);
  const stays = !known || (kind === 'runs' && known.facts.kind !== runKind);
  if (kind === 'runs' && stays) moveUsage(state, projectId, id);
  if (stays) return;
  // The run in its place has calls of its own.
  const replaced = kind === 'runs' ? map.get(key)?.facts.usage : undefined;
  if (replaced !== undefined) state.usageAhead.set(key, plusUsage(state.usageAhead.get(key), record(replaced)));
  map.clear();
  for (const [name, thing] of things) {
    if (name === id) map.set(key, { ...known, key, projectId });
    else map.set(name, thing);
  }
  remember(state, kind, id, key);
  const ahead = kind === 'runs' ? state.usageAhead.get(key) : undefined;
  if (ahead !== undefined && state.usageAhead.delete(key)) addUsage(state, projectId, id, ahead);
  if (kind === 'tasks') restand(state, id, (agent) => stood(state, agent));
}

/** Adds to what the calls of a run came to, also of one that is not known yet. */
export function addUsage(state: State, projectId: string, id: string, more: Json): void {
  const key = keyOf(projectId, id);
  if (!state.runs.has(key)) state.usageAhead.set(key, plusUsage(state.usageAhead.get(key), more));
  else editRun(state, projectId, id, (facts) => {
    facts.usage = plusUsage(facts.usage, more);
  });
}

/** Moves what the calls of a run without a project came to: also if the run of this id is of another kind, and stays. */
function moveUsage(state: State, projectId: string, id: string): void {
  const [ahead, run] = [state.usageAhead.get(id), state.runs.get(id)];
  if (ahead !== undefined && state.usageAhead.delete(id)) addUsage(state, projectId, id, ahead);
  if (run?.facts.usage === undefined) return;
  const { usage, ...facts } = run.facts;
  state.runs.set(id, { ...run, facts });
  addUsage(state, projectId, id, record(usage));
}

export function remember(state: State, kind: Kind, id: string, key: string): void {
  const name = `${kind} ${id}`;
  const keys = state.namesakes.get(name);
  if (!keys) state.namesakes.set(name, [key]);
  else if (!keys.includes(key)) keys.push(key);
}

/** The time of what only others told of, such as a project of which only calls of models are known. */
const UNTOLD = 0;

export type Kind = 'agents' | 'tasks' | 'projects' | 'runs' | 'inputs' | 'artifacts';
type Change = (facts: Facts) => void;

const changed = (before: Thing | undefined, change: Change): Facts => {
  const facts = { ...before?.facts };
  change(facts);
  return facts;
};

/** An agent as it stands by its facts and its tasks. */
function stood(state: State, agent: Agent): Agent {
  const { facts, ...stands } = standing(state, agent.facts, agent.given, asks(state, agent.key));
  return agentView(agent.key, agent.projectId, agent.id, facts, agent.at, { given: agent.given, ...stands });
}

/** Whether a person has to answer an agent. */
function asks(state: State, agent: string): boolean {
  for (const question of state.inputs.values()) {
    if (question.agent === agent) return true;
  }
  return false;
}

/** An agent asked, or has its answer, and nothing else was said of it. */
export function restandAgent(state: State, key: string): void {
  const agent = state.agents.get(key);
  if (agent) state.agents.set(key, stood(state, agent));
}

/** `change` gives the tasks that the agent has been given. */
export function editAgent(state: State, projectId: string, id: string, change: (facts: Facts, given: readonly Given[]) => readonly Given[]): void {
  edit<Agent>(state, 'agents', projectId, id, (before, key) => {
    const said = { ...before?.facts };
    const given = [...change(said, before?.given ?? [])];
    const { facts, ...stands } = standing(state, said, given, asks(state, key));
    return agentView(key, projectId, id, facts, UNTOLD, { given, ...stands });
  });
  bound(state.agents, (agent) => agentTone(agent.status) === 'offline');
}

export function editTask(state: State, projectId: string, id: string, change: Change): void {
  const key = keyOf(projectId, id);
  const before = state.tasks.get(key);
  edit<Task>(state, 'tasks', projectId, id, (before, key) => taskView(key, projectId, id, changed(before, change), UNTOLD));
  if (!before || isOver(before.facts.status) !== isOver(state.tasks.get(key)?.facts.status)) restand(state, id, (agent) => stood(state, agent));
  bound(state.tasks, (task) => task.status === 'done' || task.gone);
}

/** A task is no more. */
export function forgetTask(state: State, { key, id }: Task): void {
  state.tasks.delete(key);
  restand(state, id, (agent) => stood(state, agent));
}

export function editArtifact(state: State, projectId: string, id: string, change: Change): void {
  edit<Thing>(state, 'artifacts', projectId, id, (before, key) => artifactView(key, projectId, id, changed(before, change), UNTOLD));
  bound(state.artifacts, ({ facts }) => facts.status === 'deleted');
}

export function editProject(state: State, id: string, change: Change): void {
  edit<Project>(state, 'projects', '', id, (before, key) => projectView(key, '', id, changed(before, change), UNTOLD));
  bound(state.projects, (project) => ended(project.status));
}

export function editRun(state: State, projectId: string, id: string, change: Change): void {
  edit<Run>(state, 'runs', projectId, id, (before, key) => {
    const facts = changed(before, change);
    const ahead = state.usageAhead.get(key);
    if (ahead !== undefined && state.usageAhead.delete(key)) facts.usage = plusUsage(facts.usage, ahead);
    return runView(key, projectId, id, facts, UNTOLD);
  });
  bound(state.runs, (run) => ended(run.status));
}

export function editInput(state: State, projectId: string, id: string, change: Change): void {
  edit<Input>(state, 'inputs', projectId, id, (before, key) => inputView(key, projectId, id, changed(before, change), UNTOLD));
  bound(state.inputs, () => false);
}

const common = (key: string, projectId: string, id: string, facts: Facts, now: number): Thing =>
  ({ key, id, projectId, facts, at: time(facts.updated_at ?? facts.timestamp, now), name: text(facts, 'name') || humanise(id) });

/** The state of an agent, beside the fields that its facts give. */
type Stands = Pick<Agent, 'given' | 'busy' | 'taskProjectId'>;

export function agentView(key: string, projectId: string, id: string, facts: Facts, now: number, stands: Stands): Agent {
  return {
    ...common(key, projectId, id, facts, now), role: text(facts, 'role'), status: text(facts, 'status').toLowerCase(),
    taskId: text(facts, 'task_id') || null, tool: text(facts, 'tool'), ...stands,
  };
}

export function taskView(key: string, projectId: string, id: string, facts: Facts, now: number): Task {
  return {
    ...common(key, projectId, id, facts, now), name: text(facts, 'name', 'title') || humanise(id),
    status: taskStatus(text(facts, 'status')) ?? 'todo', gone: gone(text(facts, 'status')),
    agentId: text(facts, 'agent_id', 'assigned_to') || null, progress: percent(facts, 'progress'),
  };
}

/** A name for an artifact that has none: the end of its place. */
const endOf = (place: string): string => place.split(/[?#]/)[0]?.split(/[/\\]/).filter(Boolean).at(-1) ?? '';

export function artifactView(key: string, projectId: string, id: string, facts: Facts, now: number): Thing {
  return { ...common(key, projectId, id, facts, now), name: text(facts, 'name') || endOf(text(facts, 'path', 'url')) || humanise(id) };
}

export function projectView(key: string, _projectId: string, id: string, facts: Facts, now: number): Project {
  const fields = { ...record(facts.counts), ...facts };
  const status = text(facts, 'status').toLowerCase();
  const total = number(fields, 'total_tasks', 'tasks_total', 'total', 'task_count');
  const counted = number(fields, 'completed_tasks', 'tasks_completed', 'tasks_done', 'completed', 'done');
  const done = status === 'completed' ? total ?? counted : counted;
  const said = percent(facts, 'progress', 'progress_percent', 'progress_percentage');
  return {
    ...common(key, id, id, facts, now), status, done, total,
    progress: said ?? (done !== null && total ? Math.min(100, (done / total) * 100) : null),
  };
}

export function runView(key: string, projectId: string, id: string, facts: Facts, now: number): Run {
  const status = text(facts, 'status', 'state', 'stage').toLowerCase();
  const done = number(facts, 'completed_nodes');
  const total = number(facts, 'total_nodes');
  const said = percent(facts, 'progress_percentage', 'progress_percent', 'progress');
  const step = record(facts.step);
  const isOver = ended(status);
  return {
    ...common(key, projectId, id, facts, now), name: text(facts, 'name', 'workflow_name', 'title') || humanise(id),
    kind: text(facts, 'kind'), status, agentId: text(facts, 'agent_id', 'agentId') || null,
    startedAt: time(facts.started_at ?? facts.startedAt ?? facts.created_at, 0) || null,
    progress: status === 'completed' ? 100 : said ?? (done !== null && total ? Math.min(100, (done / total) * 100) : null),
    parentRunId: text(facts, 'parent_run_id'), sessionId: text(facts, 'session_id'),
    current: isOver ? '' : text(facts, 'current_node', 'stage', 'step_name') || text(step, 'name', 'title'),
  };
}

export function inputView(key: string, projectId: string, id: string, facts: Facts, now: number): Input {
  const agentId = text(facts, 'agent_id');
  return {
    ...common(key, projectId, id, facts, now), kind: text(facts, 'kind'), message: text(facts, 'message'),
    options: Array.isArray(facts.options) ? facts.options : [],
    agent: agentId ? keyOf(text(facts, 'agent_project_id'), agentId) : null,
    taskId: text(facts, 'task_id') || null, runId: text(facts, 'run_id') || null,
    expiresAt: moment(facts.expires_at),
  };
}

/** A moment as producers write it: an ISO text, or seconds or milliseconds since the epoch. */
function moment(said: unknown): number | null {
  const epoch = typeof said === 'number' ? said : typeof said === 'string' && /^\d+(\.\d+)?$/.test(said.trim()) ? Number(said) : null;
  if (epoch !== null) return epoch < 1e11 ? epoch * 1000 : epoch;
  return time(said, 0) || null;
}
