/** The parts of the state that several panels read, narrowed to the project and the run that the reader chose. */
import { computed } from 'vue';
import { keyOf } from './keys';
import { family, isOf } from './runs';
import { selectedProject, selectedRun } from './selection';
import { ended } from './status';
import { state } from './store';
import type { Agent, Project, Run, State, Task, TaskStatus } from './types';

export const chosen = (projectId: string): boolean => selectedProject.value === '' || projectId === selectedProject.value;

/** The chosen run with those that it began; null for all. */
export const chosenRuns = computed(() => (selectedRun.value ? family(state.value, selectedRun.value) : null));

/** Whether something that has this project, and these facts of its run, is to be shown. */
const shown = (thing: Task): boolean => chosen(thing.projectId) && (!chosenRuns.value || isOf(chosenRuns.value, thing.projectId, thing.facts));

/** The key of the agent that has a task: the project's own, else the one of that id who works for all. */
export function agentOfTask(known: State, task: Task): string | null {
  if (!task.agentId) return null;
  const own = keyOf(task.projectId, task.agentId);
  return known.agents.has(own) || !known.agents.has(task.agentId) ? own : task.agentId;
}

export const tasks = computed<Task[]>(() => [...state.value.tasks.values()].filter((task) => !task.gone && shown(task)));

export const tasksByAgent = computed(() => {
  const byAgent = new Map<string, Task[]>();
  for (const task of tasks.value) {
    const key = agentOfTask(state.value, task);
    if (!key) continue;
    const list = byAgent.get(key);
    if (list) list.push(task);
    else byAgent.set(key, [task]);
  }
  return byAgent;
});

/** Of a project: its own, and those who work for all and have a task in it. Of a run: those it names, and those with a task in it. */
export const agents = computed<Agent[]>(() => [...state.value.agents.values()].filter((agent) => {
  const own = tasksByAgent.value.has(agent.key);
  if (!chosen(agent.projectId) && !(agent.projectId === '' && own)) return false;
  return !chosenRuns.value || own || isOf(chosenRuns.value, agent.projectId, agent.facts) || runners.value.has(agent.key);
}));

/** The keys of the agents that the chosen runs are of. */
const runners = computed(() => {
  const keys = new Set<string>();
  for (const key of chosenRuns.value ?? []) {
    const run = state.value.runs.get(key);
    if (run?.agentId) keys.add(keyOf(run.projectId, run.agentId)).add(run.agentId);
  }
  return keys;
});

/** The task that an agent is at. */
export function taskOfAgent(agent: Agent): Task | null {
  if (!agent.taskId) return null;
  const own = state.value.tasks.get(keyOf(agent.taskProjectId, agent.taskId));
  return own && !own.gone ? own : null;
}

export const runs = computed<Run[]>(() =>
  [...state.value.runs.values()].filter((run) => chosen(run.projectId) && (!chosenRuns.value || chosenRuns.value.has(run.key))).sort((a, b) => Number(ended(a.status)) - Number(ended(b.status)) || b.at - a.at));

/** Most recently heard of first; of those heard of at the same moment the one that goes on. */
export const projects = computed<Project[]>(() =>
  [...state.value.projects.values()].sort((a, b) => b.at - a.at || Number(ended(a.status)) - Number(ended(b.status))));

/** Every project that anything is of, also those that only their things name. */
export const projectIds = computed<string[]>(() => {
  const { agents: everyone, tasks: everything, runs: every } = state.value;
  const ids = new Set(projects.value.map(({ id }) => id));
  for (const things of [everyone, everything, every]) {
    for (const { projectId } of things.values()) if (projectId) ids.add(projectId);
  }
  return [...ids];
});

/** The project the page speaks of: the chosen one, else the one with news. */
export const mainProject = computed<Project | null>(() =>
  (selectedProject.value ? state.value.projects.get(selectedProject.value) : projects.value[0]) ?? null);

/** The finished tasks of a project, as its producer says, else as they were counted. */
export function tasksOf(project: Project): { done: number; total: number } {
  if (project.total !== null && project.done !== null) return { done: project.done, total: project.total };
  const own = counted.value.get(project.id) ?? { done: 0, total: 0 };
  return { done: own.done, total: Math.max(own.total, project.total ?? 0) };
}

/** In percent; null while nobody knows. */
export function progressOf(project: Project): number | null {
  const { done, total } = tasksOf(project);
  return project.progress ?? (total > 0 ? (done / total) * 100 : null);
}

/** Tasks that name no project are of the only one there is. */
const counted = computed(() => {
  const [only] = projectIds.value;
  const counts = new Map<string, { done: number; total: number }>();
  for (const task of state.value.tasks.values()) {
    const id = task.projectId || (projectIds.value.length === 1 ? only ?? '' : '');
    if (task.gone || !id) continue;
    const count = counts.get(id) ?? { done: 0, total: 0 };
    count.total += 1;
    if (task.status === 'done') count.done += 1;
    counts.set(id, count);
  }
  return counts;
});

/** The number of things: those listed, and those that the server has beyond them. */
const beyond = (count: number): number => (selectedProject.value === '' && selectedRun.value === '' ? count : 0);
export const agentCount = computed(() => agents.value.length + beyond(state.value.beyond.agents));
export const runCount = computed(() => runs.value.length + beyond(state.value.beyond.runs));

export const taskCounts = computed(() => {
  const counts = { todo: 0, in_progress: 0, blocked: 0, done: 0, total: 0 };
  for (const task of tasks.value) counts[task.status] += 1;
  for (const status of ['todo', 'in_progress', 'blocked', 'done'] satisfies TaskStatus[]) {
    counts[status] += beyond(state.value.beyond.tasks[status]);
    counts.total += counts[status];
  }
  return counts;
});

export const isEmpty = computed(() => {
  const { agents: everyone, tasks: everything, projects: known, runs: every, seen } = state.value;
  return seen === 0 && everyone.size + everything.size + known.size + every.size === 0;
});
