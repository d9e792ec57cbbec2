/**
 * The changes that an event makes in the state: the same rules as the server's own fold (`src/projections/state/fold.rs`), so that a page which
 * has watched for an hour shows what a page shows that was opened just now. It infers nothing that the server does not. One thing it can't know: how
 * many facts, open calls and items of a plan the server is configured to keep of a thing (`[performance] max_entity_facts`, `max_tool_calls`,
 * `max_model_calls`, `max_plan_items`). The page goes by the defaults, so where others are configured it shows the server's own after a reload.
 */
import { endCalls, endCallsOf, foldCall, foldThought, toldCalls } from './calls';
import { addUsage, adopt, editAgent, editProject, editRun, editTask } from './entities';
import { executionOf, idAt, jobOf, runOf, type Said } from './event';
import { isLater, layOver, putFact, type Facts } from './facts';
import { foldInput, requestOf } from './inputs';
import { isBefore, record, text } from './read';
import { foldArtifact, foldPlan } from './plans';
import { readHealth } from './snapshot';
import { givenTo, isOver, stale, takenBack } from './standing';
import type { Given, Json, State } from './types';
import { table } from './table';
import { isTotal, plusUsage } from './usage';

/** Fields that only the update has, and that are no facts of the thing: they are not kept. */
const NO_FACTS = ['change_type', 'project_id'];
const NOT_OF_AGENT = [
  ...NO_FACTS, 'old_status', 'new_status', 'current_task', 'source', 'target', 'update_type', 'agent_name', 'worker_id', 'status', 'said_status',
  'task_id', 'task_ids', 'task_project_id', 'given_tasks', 'busy', 'tool', 'tool_calls', 'thinking', 'usage',
];
const NOT_OF_TASK = [
  ...NO_FACTS, 'agent_id', 'status', 'source', 'target', 'event_type', 'new_status', 'old_status', 'worker_id', 'task_details', 'blocker', 'blocker_description', 'planned_by',
];
/** The reason for another attempt is news, and no fact of a task that may well succeed. */
const NOT_OF_RETRIED = [...NOT_OF_TASK, 'error', 'error_type', 'retry_in_ms'];
const NOT_OF_PROJECT = [...NO_FACTS, 'project_state', 'source', 'target', 'task_count', 'usage'];
/** Beside the event's own objects: what an update of a run says of it that its event did not. */
const NOT_OF_RUN = [...NO_FACTS, 'run', 'job', 'step', 'nodeState', 'id', 'status', 'event', 'usage'];
const OF_HEALTH = ['active_workers', 'tasks_in_progress', 'tasks_completed', 'tasks_blocked', 'system_metrics'];
/** Updates that have `null` also for what their event does not say. */
const FILLED = ['health_update', 'execution_update', 'ingest_update'];

const word = (data: Json, key: string): string | undefined => (typeof data[key] === 'string' ? data[key] : undefined);

/** The runs that an id of this kind names: runs of different kinds may have one id. */
const RUNS = table<string>({ run: 'agent_run', execution: 'execution', job: 'job' });

/** Things that were known without a project, and that the update's event brings into its own. */
export function foldAdopted(state: State, said: Said): void {
  for (const kind of said.adopted) {
    const [map, id] = kind === 'task' ? (['tasks', said.taskId] as const)
      : (['runs', kind === 'run' ? runOf(said.data) : kind === 'execution' ? executionOf(said.data) : kind === 'job' ? jobOf(said.data) : ''] as const);
    if (id && said.projectId) adopt(state, map, said.projectId, id, RUNS[kind]);
  }
}

export function foldEvent(state: State, type: string, said: Said, payload: Json): void {
  const data = FILLED.includes(type) ? saying(said.data, payload.nulls) : said.data;
  const [family = '', second = ''] = said.name.split('.');
  switch (family) {
    case 'agent':
      if (second === 'run' || second === 'step') foldRun(state, { ...said, data }, payload, 'agent_run');
      else if (second === 'handoff') foldHandoff(state, said);
      else if (second !== 'message' && second !== 'reasoning') foldAgent(state, said, payload);
      return;
    case 'worker':
      if (second === 'registration') foldAgent(state, said, payload);
      return;
    case 'tool':
      return foldTool(state, said, second);
    case 'input':
      foldInput(state, said, payload);
      if (requestOf(said.name, payload, said.data)) noteAgent(state, said);
      return;
    case 'llm':
      return foldModel(state, said, second, payload);
    case 'artifact':
      return foldArtifact(state, said, payload);
    case 'plan':
      return foldPlan(state, said, payload);
    case 'task':
    case 'blocker':
      return foldTask(state, said, payload);
    case 'progress':
      if (second === 'update') foldTask(state, said, payload);
      return;
    case 'project':
      return foldProject(state, said);
    case 'system':
      if (second === 'health') return foldHealth(state, said, data);
      if (second === 'state') foldHealth(state, said, Object.fromEntries(OF_HEALTH.filter((key) => key in said.data).map((key) => [key, said.data[key]])));
      return;
    case 'workflow':
    case 'execution':
      return foldRun(state, { ...said, data }, payload, 'execution');
    case 'ingest':
      return foldRun(state, { ...said, data }, payload, 'job');
  }
}

/** Without what is `null`, but for the fields of which the event says that. */
const saying = (data: Json, nulls: unknown): Json =>
  Object.fromEntries(Object.entries(data).filter(([key, value]) => value !== null || (Array.isArray(nulls) && nulls.includes(key))));

function stamped(facts: Facts, said: Said): void {
  putFact(facts, 'updated_at', said.at);
}

function foldAgent(state: State, said: Said, payload: Json): void {
  const { data, name, agentId: id, projectId } = said;
  if (!id) return;
  editAgent(state, said.agentProjectId, id, (facts, before) => {
    let given: readonly Given[] = before;
    layOver(facts, data, NOT_OF_AGENT);
    putFact(facts, 'agent_id', id);
    putFact(facts, 'name', word(data, 'agent_name') ?? word(payload, 'agent_name') ?? word(data, 'name'));
    const status = name === 'agent.unregistered' ? 'offline' : word(data, 'new_status') ?? word(payload, 'new_status') ?? word(data, 'status');
    if (status !== undefined) [facts.said_status, given] = [status, stale(given)];
    else if (typeof facts.said_status !== 'string' && (name === 'agent.registered' || name === 'worker.registration')) facts.said_status = 'idle';
    if (name === 'agent.unregistered') {
      given = takenBack(given, projectId);
      endCalls(facts);
    }
    const task = 'current_task' in data ? data.current_task : data.task_id;
    if (typeof task === 'string') given = givenTo(takenBack(given, projectId), projectId, task);
    else if (task === null) given = takenBack(given, projectId);
    stamped(facts, said);
    return given;
  });
}

/** The words by which an event tells of a call. */
const OF_CALLS = ['started', 'progress', 'completed', 'failed', 'cancelled', 'canceled'];

/** Begins or ends a tool call of its agent. */
function foldTool(state: State, said: Said, change: string): void {
  const { data, agentId: id, name } = said;
  if (!id || name !== `tool.${change}` || !OF_CALLS.includes(change)) return;
  editAgent(state, said.agentProjectId, id, (facts, given) => {
    putFact(facts, 'agent_id', id);
    putFact(facts, 'name', word(data, 'agent_name'));
    foldCall(facts, change, data, said.taskId, said.at);
    stamped(facts, said);
    return given;
  });
}

/** The words by which an event tells of a question. */
const OF_INPUTS = ['input.requested', 'input.received', 'input.expired'];

/** Notes the agent of a question, which may be told of for the first time. */
function noteAgent(state: State, said: Said): void {
  if (!said.agentId || !OF_INPUTS.includes(said.name)) return;
  editAgent(state, said.agentProjectId, said.agentId, (facts, given) => {
    putFact(facts, 'agent_id', said.agentId);
    putFact(facts, 'name', word(said.data, 'agent_name'));
    stamped(facts, said);
    return given;
  });
}

/** Begins or ends calls of a model by its agent. Sums of calls are no calls. */
function foldModel(state: State, said: Said, change: string, payload: Json): void {
  const { data, agentId: id, name } = said;
  if (!id || name !== `llm.${change}` || !['started', 'completed', 'failed'].includes(change) || isTotal(data)) return;
  editAgent(state, said.agentProjectId, id, (facts, given) => {
    putFact(facts, 'agent_id', id);
    putFact(facts, 'name', word(data, 'agent_name'));
    for (const call of toldCalls(change, data, payload.calls, said.taskId, said.at)) foldThought(facts, call);
    stamped(facts, said);
    return given;
  });
}

/** Adds up what an update tells of the tokens and costs of one thing. */
export function foldUsage(state: State, said: Said, payload: Json): void {
  const scope = record(payload.scope);
  const [kind, id] = [text(scope, 'kind'), text(scope, 'id')];
  if (!id) return;
  const add = (facts: Facts): void => {
    facts.usage = plusUsage(facts.usage, payload);
  };
  if (kind === 'project') editProject(state, id, add);
  else if (kind === 'run') addUsage(state, said.projectId, id, payload);
  else if (kind === 'agent') {
    editAgent(state, said.agentProjectId, id, (facts, given) => {
      if (!('agent_id' in facts)) putFact(facts, 'agent_id', id);
      add(facts);
      return given;
    });
  }
}

/** Notes whom an agent passed work to. */
function foldHandoff(state: State, said: Said): void {
  const { data, agentId: id } = said;
  if (!id) return;
  editAgent(state, said.agentProjectId, id, (facts, given) => {
    putFact(facts, 'agent_id', id);
    putFact(facts, 'name', word(data, 'agent_name'));
    const to = word(data, 'to_agent_id');
    if (to !== undefined && !isLater(facts.handed_at, said.at)) {
      putFact(facts, 'handed_to', to);
      putFact(facts, 'handed_at', said.at);
    }
    stamped(facts, said);
    return given;
  });
}

/** The fields in which an event says why a task is blocked. */
const BLOCKERS = ['blocker', 'blocker_description', 'reason', 'description', 'message'];

function taskStatus(said: Said, payload: Json): string | undefined {
  const { data, name } = said;
  const told = word(payload, 'task_status');
  if (told !== undefined) return told;
  switch (name) {
    case 'task.completed': return data.success === false ? 'blocked' : 'done';
    case 'task.blocked': case 'blocker.reported': case 'blocker.report': return 'blocked';
    case 'task.assigned': case 'task.assignment': case 'task.started': case 'task.retried': case 'blocker.resolved': return 'in_progress';
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
  editTask(state, said.projectId, id, (facts) => {
    layOver(facts, data, said.name === 'task.retried' ? NOT_OF_RETRIED : NOT_OF_TASK);
    delete facts.planned_by;
    putFact(facts, 'task_id', id);
    putFact(facts, 'name', word(data, 'task_name') ?? word(record(data.task_details), 'name') ?? word(data, 'name'));
    putFact(facts, 'status', status);
    // The error of an earlier attempt is no fact of the one that goes on.
    if (status !== undefined && status !== 'failed') for (const key of ['error', 'error_type']) if (said.name === 'task.retried' || !(key in data)) delete facts[key];
    if (status === 'todo') delete facts.agent_id;
    else if (agentId) putFact(facts, 'agent_id', agentId);
    if (status === 'blocked') putFact(facts, 'blocker', BLOCKERS.map((key) => word(data, key)).find((reason) => reason !== undefined));
    else if (status !== undefined) delete facts.blocker;
    if (status === 'done') putFact(facts, 'progress', 100);
    stamped(facts, said);
  });
  if (agentId) occupy(state, said, id, status);
}

/** An agent has the tasks that it works on, until they are done or taken from it. */
function occupy(state: State, said: Said, task: string, status: string | undefined): void {
  editAgent(state, said.agentProjectId, said.agentId, (facts, given) => {
    putFact(facts, 'agent_id', said.agentId);
    stamped(facts, said);
    if (status === undefined) return given;
    if (!isOver(status)) return givenTo(given, said.projectId, task);
    endCallsOf(facts, task);
    return takenBack(given, said.projectId, task);
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

function foldProject(state: State, said: Said): void {
  const { data, name } = said;
  const inner = record(data.project_state);
  if (word(inner, 'risk_level') !== undefined) foldHealth(state, said, { risk_level: inner.risk_level });
  const id = said.projectId;
  if (!id) return;
  editProject(state, id, (facts) => {
    layOver(facts, data, NOT_OF_PROJECT);
    layOver(facts, inner, [...NO_FACTS, 'usage']);
    putFact(facts, 'name', word(data, 'project_name') ?? word(inner, 'project_name') ?? word(data, 'name'));
    putFact(facts, 'progress', projectProgress(data));
    const change = name.slice(name.lastIndexOf('.') + 1);
    if (change === 'created') putFact(facts, 'status', 'active');
    if (change === 'completed') Object.assign(facts, { status: 'completed', progress: 100 });
    putFact(facts, 'updated_at', said.at);
  });
}

/** The health of all, or of the one project that the event's producer speaks for. */
function foldHealth(state: State, said: Said, data: Json): void {
  const before = said.confined ? state.projectHealth.get(said.projectId) : state.health;
  const facts = { ...before?.facts };
  layOver(facts, data, NO_FACTS);
  putFact(facts, 'updated_at', said.at);
  const health = readHealth(facts, 0);
  if (!said.confined) state.health = health;
  else if (health) state.projectHealth.set(said.projectId, health);
}

/** Updates may come after those of later events: coalesced ones go at the last one's place, and spans are told as they end. */
const beganBefore = (known: unknown, said: Said): boolean => typeof known === 'string' && isBefore(said.since, known);

/** The id that an event names of its run, wherever it says that. */
function relation(data: Json, ...keys: string[]): string | undefined {
  const said = keys.map((key) => [data, ...['run', 'execution', 'job'].map((outer) => record(data[outer]))].find((one) => key in one)?.[key]);
  return said.find((id): id is string => typeof id === 'string' && id !== '');
}

function foldRun(state: State, said: Said, payload: Json, kind: string): void {
  const { data, name } = said;
  const id = kind === 'execution' ? executionOf(data) : kind === 'job' ? jobOf(data) : runOf(data);
  if (!id) return;
  editRun(state, said.projectId, id, (facts) => {
    putFact(facts, 'kind', kind);
    if (!('started_at' in facts) || beganBefore(facts.started_at, said)) putFact(facts, 'started_at', said.since);
    for (const outer of ['run', 'execution', 'job']) layOver(facts, record(data[outer]), ['id', 'project_id', 'usage']);
    putFact(facts, 'parent_run_id', relation(data, 'parent_run_id', 'parentRunId'));
    putFact(facts, 'session_id', relation(data, 'session_id', 'sessionId'));
    if (name.startsWith('workflow.node')) putFact(facts, 'current_node', idAt(data, 'node_id', 'nodeId', 'nodeState.node_id', 'nodeState.nodeId', 'node.id') || undefined);
    else if (name.startsWith('agent.step')) putFact(facts, 'step', data.step);
    else {
      layOver(facts, data, NOT_OF_RUN);
      putFact(facts, { execution: 'execution_id', job: 'job_id' }[kind] ?? 'run_id', id);
      putFact(facts, 'errorMessage', payload.errorMessage);
      putFact(facts, 'status', word(payload, 'run_status'));
    }
    stamped(facts, said);
  });
}
