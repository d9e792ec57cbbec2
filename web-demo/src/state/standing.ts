/**
 * The standing of an agent: the tasks that it was given and that are not over, and its status. The same rule as the server's
 * (`src/projections/state/agent.rs`): whether a task is over is read off the task, so an event that ends one need not name its agent.
 */
import { keyOf } from './keys';
import { record, text } from './read';
import type { Agent, Given, Json, State, Task } from './types';

const MOST_TASKS = 16;
/** Words that leave open whether an agent works: then its tasks tell. */
const AT_REST = ['idle', 'available', 'ready', 'online', 'registered', 'waiting'];
/** Statuses of a task that nobody works on any more. */
const OVER = ['done', 'todo', 'failed', 'cancelled', 'deleted'];

export const isOver = (status: unknown): boolean => OVER.includes(status as string);

/** A task as it was given; one that was given without a project is perhaps known in one by now. */
function taskOf(state: State, { projectId, taskId }: Given): Task | undefined {
  const own = state.tasks.get(keyOf(projectId, taskId));
  if (own || projectId !== '') return own;
  const keys = (state.namesakes.get(`tasks ${taskId}`) ?? []).filter((key) => state.tasks.has(key));
  return keys.length === 1 ? state.tasks.get(keys[0] ?? '') : undefined;
}

/** The state of an agent, by its facts, by the tasks that it was given, and by whether a person has to answer it. */
export function standing(state: State, facts: Json, given: readonly Given[], asks: boolean): { facts: Json; taskProjectId: string; busy: boolean } {
  const tasks = new Map<string, { id: string; projectId: string; fresh: boolean }>();
  for (const one of given) {
    const task = taskOf(state, one);
    if (isOver(task?.facts.status)) continue;
    const projectId = task?.projectId ?? one.projectId;
    const key = keyOf(projectId, one.taskId);
    tasks.delete(key);
    tasks.set(key, { id: one.taskId, projectId, fresh: one.fresh });
  }
  const shown = [...tasks.values()];
  const busy = shown.some(({ fresh }) => fresh);
  const said = typeof facts.said_status === 'string' ? facts.said_status : null;
  const last = shown.at(-1);
  const rests = said === null || AT_REST.includes(said);
  return {
    facts: {
      ...facts, said_status: said, status: asks && said !== 'offline' ? 'waiting' : busy && rests ? 'working' : said,
      task_id: last?.id ?? null, task_ids: shown.map(({ id }) => id),
    },
    taskProjectId: last?.projectId ?? '', busy,
  };
}

/** The tasks of a snapshot's agent. */
export function givenOf(agent: Json): Given[] {
  const list = Array.isArray(agent.given_tasks) ? agent.given_tasks : [];
  return list.map(record).map((one) => ({ projectId: text(one, 'project_id'), taskId: text(one, 'task_id'), fresh: one.fresh === true }));
}

/** Without the tasks of a project, or without one of them. */
export const takenBack = (given: readonly Given[], projectId: string, taskId?: string): Given[] =>
  given.filter((one) => one.projectId !== projectId || (taskId !== undefined && one.taskId !== taskId));

/** With a task; of too many the one that the agent has longest goes. */
export function givenTo(given: readonly Given[], projectId: string, taskId: string): Given[] {
  const others = takenBack(given, projectId, taskId);
  const own = others.filter((one) => one.projectId === projectId);
  const oldest = own.length >= MOST_TASKS ? own[0] : undefined;
  return [...others.filter((one) => one !== oldest), { projectId, taskId, fresh: true }];
}

/** Marks tasks as older than the agent's last status. */
export const stale = (given: readonly Given[]): Given[] => given.map((one) => ({ ...one, fresh: false }));

/** A task began, ended or was brought into a project: those who were given it stand otherwise. */
export function restand(state: State, taskId: string, view: (before: Agent) => Agent): void {
  for (const [key, agent] of state.agents) {
    if (agent.given.some((one) => one.taskId === taskId)) state.agents.set(key, view(agent));
  }
}
