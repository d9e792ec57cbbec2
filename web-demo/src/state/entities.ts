/** Making and replacing the entities of the state; each upsert gives the new object and keeps the maps bounded. */
import { agentTone, taskStatus } from './status';
import { humanise, percent, number, record, text, time } from './read';
import type { Agent, Json, Project, Run, State, Task } from './types';

// Far above what a stage can show; a page left open for weeks must not grow without end.
const MOST_TASKS = 4000;
const MOST_AGENTS = 1000;
const MOST_RUNS = 200;
const MOST_PROJECTS = 200;

// Re-inserting on every change would keep maps sorted by age but make agents jump on the stage, so the victim is sought.
function bound<T extends { at: number }>(map: Map<string, T>, most: number, expendable: (item: T) => boolean): void {
  while (map.size > most) {
    let victim: string | null = null;
    let oldest = Infinity;
    for (const [id, item] of map) {
      const age = item.at + (expendable(item) ? 0 : 1e15);
      if (age < oldest) [victim, oldest] = [id, age];
    }
    if (victim === null) return;
    map.delete(victim);
  }
}

export function upsertAgent(state: State, id: string, patch: Partial<Agent>, at: number): Agent {
  const before = state.agents.get(id) ?? { id, name: humanise(id), role: '', status: 'idle', taskId: null, at };
  const after = { ...before, ...patch, at };
  state.agents.set(id, after);
  bound(state.agents, MOST_AGENTS, (agent) => agentTone(agent.status) === 'offline');
  return after;
}

export function upsertTask(state: State, id: string, patch: Partial<Task>, at: number): Task {
  const before = state.tasks.get(id) ?? { id, name: humanise(id), status: 'todo', agentId: null, progress: null, at };
  const after = { ...before, ...patch, at };
  state.tasks.set(id, after);
  bound(state.tasks, MOST_TASKS, (task) => task.status === 'done');
  return after;
}

/** Takes a task off the stage; nobody works on it any more. */
export function dropTask(state: State, id: string, at: number): void {
  state.tasks.delete(id);
  for (const agent of state.agents.values()) {
    if (agent.taskId === id) upsertAgent(state, agent.id, { taskId: null }, at);
  }
}

export function upsertProject(state: State, id: string, patch: Partial<Project>, at: number): void {
  const before = state.projects.get(id) ?? { id, name: humanise(id), progress: null, done: null, total: null, status: '', at };
  state.projects.set(id, { ...before, ...patch, at });
  bound(state.projects, MOST_PROJECTS, (project) => project.status === 'completed');
}

export function upsertRun(state: State, id: string, patch: Partial<Run>, at: number): void {
  const before = state.runs.get(id) ?? { id, name: humanise(id), status: '', progress: null, current: '', at };
  state.runs.set(id, { ...before, ...patch, at });
  bound(state.runs, MOST_RUNS, () => true);
}

/** Only the fields that `data` speaks of, so that a patch never wipes what is known. */
export function agentPatch(data: Json): Partial<Agent> {
  const patch: Partial<Agent> = {};
  const name = text(data, 'name', 'agent_name', 'display_name');
  const role = text(data, 'role');
  const status = text(data, 'status', 'new_status').toLowerCase();
  const taskId = data.task_id ?? data.current_task_id ?? data.current_task;
  if (name) patch.name = name;
  if (role) patch.role = role;
  if (status) patch.status = status;
  if (typeof taskId === 'string' || taskId === null) patch.taskId = taskId || null;
  return patch;
}

export function taskPatch(data: Json): Partial<Task> {
  const patch: Partial<Task> = {};
  const name = text(data, 'task_name', 'taskName', 'name', 'title');
  const agentId = text(data, 'agent_id', 'worker_id', 'assigned_to', 'agentId', 'workerId');
  const status = taskStatus(text(data, 'new_status', 'status'));
  const progress = percent(data, 'progress');
  if (name) patch.name = name;
  if (agentId) patch.agentId = agentId;
  if (status) patch.status = status;
  if (progress !== null) patch.progress = progress;
  return patch;
}

export function projectPatch(data: Json): Partial<Project> {
  const counts = record(data.counts);
  const fields = { ...counts, ...record(data.project_state), ...data };
  const patch: Partial<Project> = {};
  const name = text(fields, 'project_name', 'name');
  const status = text(fields, 'status');
  const done = number(fields, 'completed_tasks', 'tasks_completed', 'tasks_done', 'completed', 'done');
  const total = number(fields, 'total_tasks', 'tasks_total', 'total', 'task_count');
  let progress = percent(fields, 'progress', 'progress_percent', 'progress_percentage');
  if (progress === null && done !== null && total) progress = Math.min(100, (done / total) * 100);
  if (name) patch.name = name;
  if (status) patch.status = status;
  if (done !== null) patch.done = done;
  if (total !== null) patch.total = total;
  if (progress !== null) patch.progress = progress;
  return patch;
}

export function runPatch(data: Json): Partial<Run> {
  const patch: Partial<Run> = {};
  const name = text(data, 'name', 'workflow_name', 'title');
  const status = text(data, 'status', 'state', 'stage');
  const current = text(data, 'current_node', 'stage', 'step_name');
  const done = number(data, 'completed_nodes');
  const total = number(data, 'total_nodes');
  let progress = percent(data, 'progress_percentage', 'progress_percent', 'progress');
  if (progress === null && done !== null && total) progress = Math.min(100, (done / total) * 100);
  if (name) patch.name = name;
  if (status) patch.status = status.toLowerCase();
  if (current || data.current_node === null) patch.current = current;
  if (progress !== null) patch.progress = progress;
  return patch;
}

export function stamp(data: Json, fallback: number): number {
  return time(data.updated_at ?? data.timestamp, fallback);
}
