/** The things of the state: what is known of one, and how the page reads it. Each change gives a new object. */
import type { Facts } from './facts';
import { keyOf } from './keys';
import { humanise, number, percent, record, text, time } from './read';
import { agentTone, ended, gone, taskStatus } from './status';
import type { Agent, Project, Run, State, Task, Thing } from './types';

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
  // What was first known without a project, and is then named with one, is of that project. Agents may work for several.
  if (projectId !== '' && (kind === 'tasks' || kind === 'runs') && !map.has(key) && map.has(id)) adopt(map, id, key);
  const before = map.get(key);
  remember(state, kind, id, key);
  map.set(key, view(before, key));
}

/** In its place in the map. */
function adopt<T extends Thing>(map: Map<string, T>, before: string, key: string): void {
  const things = [...map];
  map.clear();
  for (const [name, thing] of things) map.set(name === before ? key : name, thing);
}

export function remember(state: State, kind: Kind, id: string, key: string): void {
  const name = `${kind} ${id}`;
  const keys = state.namesakes.get(name);
  if (!keys) state.namesakes.set(name, [key]);
  else if (!keys.includes(key)) keys.push(key);
}

/**
 * The project under which a thing is kept that an event of `projectId` names; the server's rule. One that is known without a
 * project works for all, so an event of a project means that one, unless the project has one of its own; and an event without a
 * project means the only one there is; but of agents the one of no project.
 */
export function homeOf(state: State, kind: Kind, projectId: string, id: string): string {
  const map = state[kind];
  if (projectId !== '') return !map.has(keyOf(projectId, id)) && kind === 'agents' && map.has(id) ? '' : projectId;
  // An agent that all may see is not told as one of a project that they may not.
  if (kind === 'agents' || map.has(id)) return '';
  const keys = (state.namesakes.get(`${kind} ${id}`) ?? []).filter((key) => map.has(key));
  return keys.length === 1 ? map.get(keys[0] ?? '')?.projectId ?? '' : '';
}

export type Kind = 'agents' | 'tasks' | 'projects' | 'runs';
type Change = (facts: Facts) => void;

const changed = (before: Thing | undefined, change: Change): Facts => {
  const facts = { ...before?.facts };
  change(facts);
  return facts;
};

/** `change` gives whether the agent was given a task since it last spoke. */
export function editAgent(state: State, projectId: string, id: string, change: (facts: Facts, before: Agent | undefined) => boolean): void {
  edit<Agent>(state, 'agents', projectId, id, (before, key) => {
    const facts = { ...before?.facts };
    const busy = change(facts, before);
    return { ...agentView(key, projectId, id, facts, Date.now()), busy };
  });
  bound(state.agents, (agent) => agentTone(agent.status) === 'offline');
}

export function editTask(state: State, projectId: string, id: string, change: Change): void {
  edit<Task>(state, 'tasks', projectId, id, (before, key) => taskView(key, projectId, id, changed(before, change), Date.now()));
  bound(state.tasks, (task) => task.status === 'done' || task.gone);
}

export function editProject(state: State, id: string, change: Change): void {
  edit<Project>(state, 'projects', '', id, (before, key) => projectView(key, '', id, changed(before, change), Date.now()));
  bound(state.projects, (project) => ended(project.status));
}

export function editRun(state: State, projectId: string, id: string, change: Change): void {
  edit<Run>(state, 'runs', projectId, id, (before, key) => runView(key, projectId, id, changed(before, change), Date.now()));
  bound(state.runs, (run) => ended(run.status));
}

const common = (key: string, projectId: string, id: string, facts: Facts, now: number): Thing =>
  ({ key, id, projectId, facts, at: time(facts.updated_at ?? facts.timestamp, now), name: text(facts, 'name') || humanise(id) });

export function agentView(key: string, projectId: string, id: string, facts: Facts, now: number): Agent {
  return {
    ...common(key, projectId, id, facts, now), role: text(facts, 'role'), status: text(facts, 'status').toLowerCase(),
    taskId: text(facts, 'task_id') || null,
    // As far as a snapshot tells; what is folded knows it exactly.
    busy: Array.isArray(facts.task_ids) && facts.task_ids.length > 0 && facts.status === 'working',
  };
}

export function taskView(key: string, projectId: string, id: string, facts: Facts, now: number): Task {
  return {
    ...common(key, projectId, id, facts, now), name: text(facts, 'name', 'title') || humanise(id),
    status: taskStatus(text(facts, 'status')) ?? 'todo', gone: gone(text(facts, 'status')),
    agentId: text(facts, 'agent_id', 'assigned_to') || null, progress: percent(facts, 'progress'),
  };
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
    current: isOver ? '' : text(facts, 'current_node', 'stage', 'step_name') || text(step, 'name', 'title'),
  };
}
