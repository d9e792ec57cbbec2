/**
 * What an event changes in the state: the same rules as the server's own fold (`src/state/fold.rs`), so that a page which
 * has watched for an hour shows what a page shows that was opened just now. It infers nothing that the server does not.
 */
import { editAgent, editProject, editRun, editTask, homeOf } from './entities';
import { executionOf, idAt, jobOf, runOf, type Said } from './event';
import { layOver, putFact, type Facts } from './facts';
import { keyOf, known } from './keys';
import { record } from './read';
import { readHealth } from './snapshot';
import type { Json, State } from './types';

/** What only the update says, and no fact of the thing: it is not kept. */
const NO_FACTS = ['change_type', 'project_id'];
const NOT_OF_AGENT = [
  ...NO_FACTS, 'old_status', 'new_status', 'current_task', 'source', 'target', 'update_type', 'agent_name', 'worker_id', 'status', 'said_status',
  'task_id', 'task_ids',
];
const NOT_OF_TASK = [
  ...NO_FACTS, 'agent_id', 'status', 'source', 'target', 'event_type', 'new_status', 'old_status', 'worker_id', 'task_details', 'blocker', 'blocker_description',
];
const NOT_OF_PROJECT = [...NO_FACTS, 'project_state', 'source', 'target', 'task_count'];
/** Beside the event's own objects: what an update of a run says of it that its event did not. */
const NOT_OF_RUN = [...NO_FACTS, 'run', 'job', 'step', 'nodeState', 'id', 'status', 'event'];
const OF_HEALTH = ['active_workers', 'tasks_in_progress', 'tasks_completed', 'tasks_blocked', 'system_metrics'];
/** Statuses of a task that nobody works on any more. */
const OVER = ['done', 'todo', 'failed', 'cancelled', 'deleted'];

const word = (data: Json, key: string): string | undefined => (typeof data[key] === 'string' ? data[key] : undefined);

export function foldEvent(state: State, said: Said, payload: Json): void {
  const [family = '', second = ''] = said.name.split('.');
  switch (family) {
    case 'agent':
      if (second === 'run' || second === 'step') foldRun(state, said, payload, 'agent_run');
      else if (second !== 'message') foldAgent(state, said, payload);
      return;
    case 'worker':
      if (second === 'registration') foldAgent(state, said, payload);
      return;
    case 'task':
    case 'blocker':
      return foldTask(state, said, payload);
    case 'progress':
      if (second === 'update') foldTask(state, said, payload);
      return;
    case 'project':
      return foldProject(state, said);
    case 'system':
      // An update writes `null` for what its event does not say: that is no fact.
      if (second === 'health') return foldHealth(state, said, saying(said.data));
      if (second === 'state') foldHealth(state, said, Object.fromEntries(OF_HEALTH.filter((key) => key in said.data).map((key) => [key, said.data[key]])));
      return;
    case 'workflow':
    case 'execution':
      return foldRun(state, said, payload, 'execution');
    case 'ingest':
      return foldRun(state, said, payload, 'job');
  }
}

/** Without what is `null`. */
const saying = (data: Json): Json => Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));

function stamped(facts: Facts, said: Said): void {
  putFact(facts, 'updated_at', said.at);
}

function foldAgent(state: State, said: Said, payload: Json): void {
  const { data, name, agentId: id } = said;
  if (!id) return;
  editAgent(state, said.agentProjectId, id, (facts, before) => {
    let busy = before?.busy ?? false;
    layOver(facts, data, NOT_OF_AGENT);
    putFact(facts, 'agent_id', id);
    putFact(facts, 'name', word(data, 'agent_name') ?? word(payload, 'agent_name') ?? word(data, 'name'));
    const status = name === 'agent.unregistered' ? 'offline' : word(data, 'new_status') ?? word(payload, 'new_status') ?? word(data, 'status');
    if (status !== undefined) [facts.said_status, busy] = [status, false];
    else if (typeof facts.said_status !== 'string' && (name === 'agent.registered' || name === 'worker.registration')) [facts.said_status, busy] = ['idle', false];
    if (name === 'agent.unregistered') facts.task_ids = [];
    const task = 'current_task' in data ? data.current_task : data.task_id;
    if (typeof task === 'string') [facts.task_ids, busy] = [[task], true];
    else if (task === null) facts.task_ids = [];
    stamped(facts, said);
    return settle(facts, busy);
  });
}

const MOST_TASKS = 16;
/** Words that leave open whether an agent works: then its tasks tell. */
const AT_REST = ['idle', 'available', 'ready', 'online', 'registered', 'waiting'];

const listed = (facts: Facts): string[] => (Array.isArray(facts.task_ids) ? facts.task_ids.filter((id) => typeof id === 'string') : []);

/** What follows from what was said of an agent and from the tasks that it has; whether it was given one since it spoke. */
function settle(facts: Facts, busy: boolean): boolean {
  const tasks = listed(facts);
  const word = typeof facts.said_status === 'string' ? facts.said_status : null;
  const isBusy = busy && tasks.length > 0;
  const last = tasks.at(-1) ?? null;
  Object.assign(facts, { said_status: word, task_ids: tasks, task_id: last, status: isBusy && (word === null || AT_REST.includes(word)) ? 'working' : word });
  return isBusy;
}

/** Where an event says why a task is blocked. */
const BLOCKERS = ['blocker', 'blocker_description', 'reason', 'description', 'message'];

function taskStatus(said: Said, payload: Json): string | undefined {
  const { data, name } = said;
  const told = word(payload, 'task_status');
  if (told !== undefined) return told;
  switch (name) {
    case 'task.completed': return data.success === false ? 'blocked' : 'done';
    case 'task.blocked': case 'blocker.reported': case 'blocker.report': return 'blocked';
    case 'task.assigned': case 'task.assignment': case 'task.started': case 'blocker.resolved': return 'in_progress';
    case 'task.created': case 'task.unassigned': return 'todo';
    case 'task.failed': return 'failed';
    case 'task.cancelled': case 'task.canceled': return 'cancelled';
    case 'task.deleted': return 'deleted';
    case 'task.progress': case 'progress.update': {
      const status = word(data, 'status');
      return status === 'completed' ? 'done' : status ?? 'in_progress';
    }
    default: return word(data, 'new_status') ?? word(data, 'status');
  }
}

function foldTask(state: State, said: Said, payload: Json): void {
  const { data, taskId: id, agentId } = said;
  if (!id) return;
  const status = taskStatus(said, payload);
  const home = homeOf(state, 'tasks', said.projectId, id);
  // An event that ends a task need not say whose it was.
  const had = status !== undefined && OVER.includes(status) ? state.tasks.get(known(state.tasks, keyOf(home, id), id))?.agentId ?? '' : '';
  editTask(state, home, id, (facts) => {
    layOver(facts, data, NOT_OF_TASK);
    putFact(facts, 'task_id', id);
    putFact(facts, 'name', word(data, 'task_name') ?? word(record(data.task_details), 'name') ?? word(data, 'name'));
    putFact(facts, 'status', status);
    if (status === 'todo') delete facts.agent_id;
    else if (agentId) putFact(facts, 'agent_id', agentId);
    if (status === 'blocked') putFact(facts, 'blocker', BLOCKERS.map((key) => word(data, key)).find((reason) => reason !== undefined));
    else if (status !== undefined) delete facts.blocker;
    if (status === 'done') putFact(facts, 'progress', 100);
    stamped(facts, said);
  });
  if (agentId) occupy(state, said, id, status);
  else if (had) occupy(state, { ...said, agentId: had, agentProjectId: homeOf(state, 'agents', said.projectId, had) }, id, status);
}

/** An agent has the tasks that it works on, until they are done or taken from it. */
function occupy(state: State, said: Said, task: string, status: string | undefined): void {
  editAgent(state, said.agentProjectId, said.agentId, (facts, before) => {
    let busy = before?.busy ?? false;
    putFact(facts, 'agent_id', said.agentId);
    if (status !== undefined) {
      const had = listed(facts);
      const isOver = OVER.includes(status);
      if (!isOver || had.includes(task)) {
        // One who works for several projects has the tasks of the one with news last.
        const others = had.filter((id) => id !== task);
        const own = others.filter((id) => state.tasks.has(keyOf(said.projectId, id)));
        const rest = others.filter((id) => !own.includes(id));
        facts.task_ids = [...rest, ...(isOver ? own : [...own.slice(1 - MOST_TASKS), task])];
        busy = true;
      }
    }
    stamped(facts, said);
    return settle(facts, busy);
  });
}

/** In percent, however the producer says it. */
function projectProgress(data: Json): unknown {
  const inner = typeof data.project_state === 'object' && data.project_state !== null ? record(data.project_state) : data;
  for (const key of ['progress', 'progress_percent', 'progress_percentage']) {
    const value = key in inner ? inner[key] : data[key];
    if (typeof value === 'number') return value;
  }
  return undefined;
}

/** A report without an id is about the project of the same name, else about the board that it names. */
function projectOf(state: State, said: Said, inner: Json): string {
  if (said.projectId) return said.projectId;
  const name = word(inner, 'project_name') ?? word(said.data, 'project_name');
  const named = name === undefined ? [] : [...state.projects.values()].filter((project) => project.facts.name === name).map(({ id }) => id).sort();
  return named[0] ?? word(inner, 'board_id') ?? '';
}

function foldProject(state: State, said: Said): void {
  const { data, name } = said;
  const inner = record(data.project_state);
  if (word(inner, 'risk_level') !== undefined) foldHealth(state, said, { risk_level: inner.risk_level });
  const id = projectOf(state, said, inner);
  if (!id) return;
  editProject(state, id, (facts) => {
    layOver(facts, data, NOT_OF_PROJECT);
    layOver(facts, inner, NO_FACTS);
    putFact(facts, 'name', word(data, 'project_name') ?? word(inner, 'project_name') ?? word(data, 'name'));
    putFact(facts, 'progress', projectProgress(data));
    const change = name.slice(name.lastIndexOf('.') + 1);
    if (change === 'created') putFact(facts, 'status', 'active');
    if (change === 'completed') Object.assign(facts, { status: 'completed', progress: 100 });
    putFact(facts, 'updated_at', said.at);
  });
}

function foldHealth(state: State, said: Said, data: Json): void {
  const facts = { ...state.healthFacts };
  layOver(facts, data, NO_FACTS);
  putFact(facts, 'updated_at', said.at);
  state.healthFacts = facts;
  state.health = readHealth(facts, 0);
}

function foldRun(state: State, said: Said, payload: Json, kind: string): void {
  const { data, name } = said;
  const id = kind === 'execution' ? executionOf(data) : kind === 'job' ? jobOf(data) : runOf(data);
  if (!id) return;
  editRun(state, homeOf(state, 'runs', said.projectId, id), id, (facts) => {
    putFact(facts, 'kind', kind);
    if (!('started_at' in facts)) putFact(facts, 'started_at', said.at);
    for (const outer of ['run', 'job']) layOver(facts, record(data[outer]), ['id', 'project_id']);
    if (name.startsWith('workflow.node')) putFact(facts, 'current_node', idAt(data, 'node_id', 'nodeId', 'nodeState.node_id', 'nodeState.nodeId', 'node.id') || undefined);
    else if (name.startsWith('agent.step')) putFact(facts, 'step', data.step);
    else {
      layOver(facts, saying(data), NOT_OF_RUN);
      putFact(facts, 'status', word(payload, 'run_status'));
    }
    stamped(facts, said);
  });
}
