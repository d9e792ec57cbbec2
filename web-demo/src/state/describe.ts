/** One readable sentence per update, for the feed and the announcer. */
import { modelName, toolName } from './calls';
import { written } from './messages';
import { canonical } from './event';
import { PM_IDS, keyOf, known } from './keys';
import { itemsOf } from './plans';
import { humanise, number, percent, record, text } from './read';
import type { Json, State, Subject } from './types';
import { table } from './table';

/** A project that nobody named goes by its id. */
export function projectName(state: State, id: string): string {
  return state.projects.get(id)?.name || (id ? humanise(id) : 'Project');
}

/** The id in a key. */
const idIn = (key: string): string => key.slice(key.indexOf('\u0000') + 1);

export function agentName(state: State, key: string | null): string {
  if (!key) return 'Someone';
  return state.agents.get(key)?.name ?? (PM_IDS.includes(idIn(key)) ? 'Project manager' : humanise(idIn(key)));
}

/** The speaker of a text: the agent, with the role where the agent does not speak itself. */
export function speaker(state: State, agent: string | null, role: string): string {
  if (!agent) return words(role || 'agent');
  const own = ['', 'agent', 'assistant'].includes(role.toLowerCase());
  return own ? agentName(state, agent) : `${agentName(state, agent)} (${words(role).toLowerCase()})`;
}

function taskName(state: State, payload: Json, data: Json, who: Subject): string {
  const said = text(payload, 'task_name', 'taskName') || text(data, 'task_name', 'name', 'title');
  // An update names a task by its id where its event gave no name.
  if (said && said !== text(payload, 'task_id')) return said;
  return (who.task && state.tasks.get(who.task)?.name) || (who.task ? humanise(idIn(who.task)) : 'a task');
}

function runName(state: State, who: Subject, id: string): string {
  return (who.run && state.runs.get(who.run)?.name) || (id ? humanise(id) : 'A run');
}

/** A time in words: short ones in milliseconds. */
const lasting = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** Another attempt: which one, when, and why. */
function retried(name: string, data: Json): string {
  const [attempt, most, wait] = [number(data, 'attempt'), number(data, 'max_attempts'), number(data, 'retry_in_ms')];
  const which = attempt === null ? '' : ` (${attempt}${most === null ? '' : ` of ${most}`})`;
  const why = text(data, 'error', 'reason', 'message');
  return `${name} is tried again${which}${wait ? ` in ${lasting(wait)}` : ''}${why ? `: ${why}` : ''}`;
}

/** `task_blocked` → `Task blocked`. */
export function words(type: string): string {
  const plain = type.replace(/[_.:-]+/g, ' ').trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** Ids, times and the like: every event has some, and none says what happened. */
const DULL = /(^|_)(id|ids|at|time|timestamp|type|source|target|version|fingerprint|metadata|sequence)$|Id$|At$/;
const TELLING = ['message', 'text', 'content', 'task_name', 'project_name', 'agent_name', 'name', 'title', 'tool', 'tool_name', 'skill', 'error', 'summary', 'output', 'result', 'model'];

/** One value in a few words; nothing for one that is too much for a line. */
function inWords(value: unknown): string {
  if (typeof value === 'string') return value.length > 120 ? `${value.slice(0, 119)}…` : value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return '';
}

/** The text of an event without a row: its own text first, then its first fields that say something. */
function fallback(payload: Json, data: Json): string {
  const what = words(text(payload, 'source_type', 'type') || 'Update');
  const telling = TELLING.find((key) => inWords(data[key]) !== '');
  const lead = telling ? inWords(data[telling]) : text(payload, 'message');
  const others = Object.entries(data).filter(([key, value]) => key !== telling && !DULL.test(key) && inWords(value) !== '').slice(0, lead ? 3 : 4);
  const rest = others.map(([key, value]) => `${key.replace(/_/g, ' ')} ${inWords(value)}`).join(', ');
  const said = [lead, rest].filter(Boolean).join(' · ');
  return said ? `${what}: ${said}` : what;
}

/** The status of an agent in a sentence: nobody is “error”. */
const being = (status: string): string => (status.toLowerCase() === 'error' ? 'failed' : `is ${status.replace(/_/g, ' ') || 'changed'}`);

type Teller = (state: State, payload: Json, data: Json, who: Subject) => string;

const TELLERS = table<Teller>({
  agent_status_change: (state, payload, _data, who) =>
    `${agentName(state, who.agent)} ${being(text(payload, 'new_status'))}`,
  agent_update: (state, payload, data, { agent: agentId }) => {
    const change = text(data, 'change_type') || text(payload, 'update_type');
    if (change === 'registered') return `${agentName(state, agentId)} joined${text(data, 'role') ? ` as ${text(data, 'role')}` : ''}`;
    if (change === 'learned') return `${agentName(state, agentId)} got better at ${text(data, 'skill') || 'something'}`;
    if (change === 'changed') return `${agentName(state, agentId)} ${being(text(data, 'status', 'new_status'))}`;
    return `${agentName(state, agentId)}: ${words(text(payload, 'source_type') || change || 'updated').replace(/^Agent /i, '').toLowerCase()}`;
  },
  tool_update: (state, payload, data, who) => {
    const whose = agentName(state, who.agent);
    const tool = toolName(data) ?? (text(payload, 'tool_name') || 'a tool');
    const after = number(data, 'duration_ms');
    const took = after === null ? '' : ` after ${lasting(after)}`;
    const why = text(data, 'error', 'message');
    switch (canonical(text(payload, 'source_type'))) {
      case 'tool.started': return `${whose} uses ${tool}`;
      case 'tool.completed': return `${whose} is done with ${tool}${took}`;
      case 'tool.failed': return `${tool} failed for ${whose}${took}${why ? `: ${why}` : ''}`;
      case 'tool.cancelled': case 'tool.canceled': return `${whose} gave ${tool} up${took}`;
      default: return `${whose} still uses ${tool}${why ? ` (${why})` : ''}`;
    }
  },
  input_update: (state, payload, data, who) => {
    const whose = agentName(state, who.agent);
    const answer = inWords(data.answer);
    switch (canonical(text(payload, 'source_type'))) {
      case 'input.received': return `${whose} has an answer${answer ? `: ${answer}` : ''}`;
      case 'input.expired': return `${whose} no longer waits for an answer`;
      default: return `${whose} asks: ${inWords(data.message) || 'may it go on?'}`;
    }
  },
  llm_update: (state, payload, data, who) => {
    const whose = agentName(state, who.agent);
    const model = modelName(data) ?? 'a model';
    const tokens = number(payload, 'output_tokens');
    const why = text(payload, 'error');
    switch (text(payload, 'status')) {
      case 'running': return `${whose} asks ${model}`;
      case 'failed': return `${model} failed for ${whose}${why ? `: ${why}` : ''}${payload.will_retry === true ? ', and is asked again' : ''}`;
      default: return `${model} answered ${whose}${tokens === null ? '' : ` with ${tokens} tokens`}`;
    }
  },
  check_update: (state, payload, data, who) => {
    const name = text(payload, 'name') || text(data, 'name') || 'A check';
    const change = words(text(payload, 'change_type') || 'done').toLowerCase();
    const score = number(payload, 'score');
    const why = text(payload, 'reason');
    return `${words(name)} ${change}${who.agent ? ` for ${agentName(state, who.agent)}` : ''}${score === null ? '' : `: ${score}`}${why ? ` (${why})` : ''}`;
  },
  agent_handoff: (state, payload, data, who) => {
    const named = (id: string): string => (id ? agentName(state, known(state.agents, keyOf(who.projectId, id), id)) : 'another agent');
    const from = text(data, 'from_agent_id') ? named(text(data, 'from_agent_id')) : agentName(state, who.agent);
    const to = named(text(data, 'to_agent_id'));
    const why = text(data, 'reason');
    const what = { delegation: 'gives work to', return: 'reports back to', message: 'writes to' }[text(data, 'kind') || text(payload, 'kind')] ?? 'hands over to';
    return `${from} ${what} ${to}${why ? `: ${why}` : ''}`;
  },
  artifact_update: (state, payload, data, who) => {
    const name = text(payload, 'name') || text(data, 'name', 'path', 'url') || 'something';
    const does = { created: 'made', deleted: 'deleted' }[text(payload, 'status')] ?? 'changed';
    return who.agent ? `${agentName(state, who.agent)} ${does} ${name}` : `${name} was ${does}`;
  },
  plan_update: (state, _payload, data, who) => {
    const items = [...itemsOf(data).values()];
    const done = items.filter(({ status }) => status === 'done').length;
    const plan = `${items.length} ${items.length === 1 ? 'step' : 'steps'}${done ? `, ${done} of them done` : ''}`;
    return who.agent ? `${agentName(state, who.agent)} plans ${plan}` : `The plan has ${plan}`;
  },
  task_assignment: (state, payload, data, who) => `${agentName(state, who.agent)} took “${taskName(state, payload, data, who)}”`,
  progress_update: (state, payload, data, who) => {
    const done = percent(payload, 'progress') ?? percent(data, 'progress');
    const note = text(payload, 'message') || text(data, 'message');
    return `“${taskName(state, payload, data, who)}”${done === null ? '' : ` at ${Math.round(done)}%`}${note ? ` (${note})` : ''}`;
  },
  task_update: (state, payload, data, who) => {
    const name = `“${taskName(state, payload, data, who)}”`;
    const agentId = who.agent;
    const change = text(data, 'change_type', 'status');
    if (!text(data, 'task_id', 'taskId', 'task_name')) return `${agentName(state, agentId)}: ${words(text(payload, 'source_type') || 'task').toLowerCase()}`;
    if (change === 'completed' || change === 'done') return data.success === false ? `${name} did not succeed` : `${agentName(state, agentId)} finished ${name}`;
    if (change === 'retried') return retried(name, data);
    if (change === 'blocked') return `${name} is blocked: ${text(data, 'blocker', 'reason', 'description', 'blocker_description', 'message') || 'no reason given'}`;
    return `${name} ${words(change || 'updated').toLowerCase()}`;
  },
  project_update: (state, payload, data) => {
    const project = record(data.project_state);
    const name = text(data, 'project_name', 'name') || text(project, 'project_name') || projectName(state, text(payload, 'project_id') || text(data, 'project_id'));
    const done = number(data, 'completed_tasks') ?? number(project, 'completed_tasks');
    const total = number(data, 'total_tasks') ?? number(project, 'total_tasks');
    const change = text(data, 'change_type');
    if (change === 'completed') return `${name} is complete`;
    if (change === 'created') return `${name} begins${total === null ? '' : ` with ${total} tasks`}`;
    const progress = percent(data, 'progress', 'progress_percent', 'progress_percentage');
    if (done !== null && total !== null) return `${name}: ${done} of ${total} tasks done`;
    if (progress !== null) return `${name} at ${Math.round(progress)}%`;
    return `${name}: ${words(text(payload, 'source_type') || change || 'updated').toLowerCase()}`;
  },
  decision_event: (_state, payload, data) => text(payload, 'decision') || text(data, 'decision', 'what') || 'A decision was made',
  health_update: (_state, _payload, data) =>
    text(data, 'message') || `Health is ${text(data, 'status', 'severity', 'overall_health') || 'reported'}`,
  system_notification: (_state, payload, data) =>
    text(payload, 'message') || text(data, 'message', 'error', 'warning') || words(text(payload, 'source_type') || 'notice'),
  execution_update: (state, _payload, data, who) =>
    `${runName(state, who, text(data, 'execution_id', 'run_id'))}: ${text(data, 'status') || 'updated'}${text(data, 'current_node') ? `, at ${text(data, 'current_node')}` : ''}`,
  node_update: (_state, _payload, data) =>
    `${text(data, 'node_name', 'node_id') || 'Node'} ${text(data, 'status') || 'updated'}${text(data, 'message') ? `: ${text(data, 'message')}` : ''}`,
  ingest_update: (state, _payload, data, who) => {
    const done = percent(data, 'progress');
    return `${runName(state, who, text(data, 'job_id', 'id'))}: ${text(data, 'stage', 'status') || 'updated'}${done === null ? '' : `, ${Math.round(done)}%`}`;
  },
  agent_run_update: (state, payload, data, who) => {
    const run = record(data.run);
    const step = record(data.step);
    const name = text(run, 'name') || runName(state, who, text(run, 'id') || text(step, 'run_id') || text(data, 'run_id'));
    const at = text(step, 'name', 'title', 'id');
    // The last word of `agent.run.started` says how far it is where its status doesn't.
    const turn = text(payload, 'source_type').split(/[_.:]/).at(-1) || 'updated';
    return `${name}: ${[at, text(at ? step : run, 'status') || turn].filter(Boolean).join(' ')}`;
  },
  message_appended: (state, _payload, data, { agent: agentId, projectId }) => {
    const message = written(state, data, projectId);
    const joined = message?.content ?? text(data, 'content', 'delta');
    const who = speaker(state, agentId, message?.role ?? text(data, 'role'));
    const thinks = data.kind === 'reasoning';
    if (!joined) return `${who} ${thinks ? 'thinks' : 'writes'}…`;
    // The end of a long message is its news.
    return `${who}${thinks ? ' thinks' : ''}: ${joined.length > 160 ? `…${joined.slice(-159)}` : joined}`;
  },
  error: (_state, payload) => text(payload, 'message', 'code') || 'The server reported an error',
});

export function describe(state: State, type: string, payload: Json, who: Subject): string {
  const data = record(payload.data);
  const told = TELLERS[type]?.(state, payload, data, who) ?? fallback(payload, data);
  return told.length > 240 ? `${told.slice(0, 239)}…` : told;
}
