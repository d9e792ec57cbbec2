/** Streams to watch: those of real producers, and random ones with all that can be said of agents, tasks, projects and runs. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Event = Record<string, unknown>;

const data = fileURLToPath(new URL('../../tests/data/', import.meta.url));

export const REAL = [
  'marcus-events', 'marcus-conversations', 'producers/ag_ui_showcase_1_0', 'producers/crewai_flow', 'producers/langgraph_astream_events_v2',
  'producers/openai_agents_tracing_export', 'producers/otlp_langgraph_openinference', 'producers/vercel_ai_ui_message_stream',
];

/** What `stoa.watch()` told of the teams of tests/python/frameworks, as recorded, or as STREAMS=folder has it anew. */
const watching = process.env.STREAMS ? fileURLToPath(new URL(`../../${process.env.STREAMS}/`, import.meta.url)) : `${data}watched/`;
export const WATCHED = readdirSync(watching).filter((name) => name.endsWith('.jsonl')).map((name) => name.slice(0, -6));

export const watched = (name: string): Event[] => lines(`${watching}${name}.jsonl`);

export function real(name: string): Event[] {
  return lines(`${data}${name}.jsonl`);
}

function lines(path: string): Event[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Event);
}

/** The same numbers for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An event, and whether its producer's token names projects. */
export interface Told {
  event: Event;
  limited: boolean;
}

/**
 * A story of few things with many turns. Ids are the same in all projects, so there are namesakes; a third of the stories knows no
 * projects. In the others an event names its project only mostly, and a fifth is told by one who speaks for its project only.
 */
export function random(seed: number, length = 40): Told[] {
  const next = chance(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const perhaps = <T>(likely: number, make: () => T): T | undefined => (next() < likely ? make() : undefined);
  const projects = seed % 3 === 0 ? [undefined] : [`p${seed}`, `q${seed}`];
  const agent = (): string => `a${seed}-${Math.floor(next() * 3)}`;
  const task = (): string => `t${seed}-${Math.floor(next() * 4)}`;
  const run = (kind: string): string => `${kind}${seed}-${Math.floor(next() * 2)}`;
  const status = (): string => pick(['idle', 'working', 'blocked', 'in_progress', 'done', 'waiting', 'error']);
  const percent = (): number => Math.floor(next() * 101);
  const nothing = (): null => null;
  const about = (): Event => ({ task_id: task(), agent_id: perhaps(0.7, agent), task_name: perhaps(0.4, () => `Task ${percent()}`) });
  const run_id = (): Event => ({ run_id: run('r'), agent_id: perhaps(0.5, agent) });
  const makers: (() => Event)[] = [
    () => ({ type: pick(['agent.registered', 'worker_registration']), data: { agent_id: agent(), name: perhaps(0.6, () => `Agent ${percent()}`), role: perhaps(0.5, () => 'Engineer'), status: perhaps(0.3, status) } }),
    () => ({ type: 'agent_status_changed', data: { agent_id: agent(), old_status: 'idle', new_status: status() } }),
    () => ({ type: pick(['agent.updated', 'agent.skill.learned', 'agent.unregistered']), data: { agent_id: agent(), skill: 'stone', status: perhaps(0.3, status), current_task: perhaps(0.2, () => pick([task(), null])) } }),
    () => ({ type: pick(['task.created', 'task.assigned', 'task.started', 'task.unassigned', 'task.deleted', 'task.cancelled', 'task.failed', 'task.blocked']), data: { ...about(), reason: perhaps(0.3, () => 'No key') } }),
    () => ({ type: 'task.retried', data: { ...about(), attempt: percent(), error: 'It timed out', retry_in_ms: 20 } }),
    () => ({ type: pick(['agent.message.started', 'agent.message.appended', 'agent.reasoning.appended', 'agent.message.completed']), data: { message_id: `m${Math.floor(next() * 3)}`, agent_id: agent(), role: perhaps(0.7, () => 'assistant'), content: 'word ' } }),
    () => ({ type: 'task.completed', data: { ...about(), success: perhaps(0.3, () => next() < 0.5) } }),
    () => ({ type: pick(['task.updated', 'task.status.changed']), data: { ...about(), status: perhaps(0.5, status), new_status: perhaps(0.3, status), estimate: percent() } }),
    () => ({ type: pick(['task.progress', 'progress_update']), data: { ...about(), progress: percent(), status: perhaps(0.4, () => pick(['in_progress', 'completed', 'blocked'])) } }),
    () => ({ type: pick(['blocker.reported', 'blocker.resolved']), data: { ...about(), description: perhaps(0.6, () => 'The sandbox is down') } }),
    () => ({ type: pick(['project.created', 'project.progress.updated', 'project.completed', 'project.renamed']), data: { project_name: perhaps(0.4, () => `Porch ${seed}`), progress: perhaps(0.4, percent), total_tasks: perhaps(0.4, percent), completed_tasks: perhaps(0.4, percent) } }),
    () => ({ type: 'project_state_refreshed', data: { project_state: { board_id: `b${seed}`, project_name: perhaps(0.7, () => `Board ${seed}`), risk_level: perhaps(0.5, () => pick(['low', 'high'])), progress_percent: perhaps(0.4, percent) } } }),
    () => ({ type: pick(['workflow.run.created', 'workflow.run.started', 'workflow.run.progress', 'workflow.run.paused', 'workflow.run.resumed', 'workflow.run.updated', 'execution.completed', 'workflow.run.failed']), data: { execution_id: run('x'), name: perhaps(0.3, () => 'Nightly build'), status: perhaps(0.2, () => pick(['running', 'queued'])), progress: perhaps(0.5, () => pick([percent, nothing])()), current_node: perhaps(0.2, () => pick(['n1', null])), error: perhaps(0.2, () => pick(['It broke', null])), agent_id: perhaps(0.4, agent) } }),
    () => ({ type: pick(['workflow.node.started', 'workflow.node.completed', 'workflow.node_state.updated']), data: { execution_id: run('x'), node_id: `n${Math.floor(next() * 3)}`, status: perhaps(0.3, () => 'running') } }),
    () => ({ type: pick(['agent.run.started', 'agent.run.updated', 'agent.run.completed', 'agent.run.failed']), data: perhaps(0.5, () => ({ run: { id: run('r'), status: 'running', agent_id: agent(), tokens: pick([percent(), null]) } })) ?? { ...run_id(), summary: perhaps(0.3, () => pick(['Short', null])) } }),
    () => ({ type: 'agent.step.updated', data: { ...run_id(), step: perhaps(0.9, () => pick([{ id: 's1', name: 'Think', status: perhaps(0.5, () => pick(['running', 'completed'])) }, null])) } }),
    () => ({ type: pick(['ingest.job.created', 'ingest.job.updated', 'ingest.job.completed']), data: { job_id: run('j'), stage: perhaps(0.6, () => pick(['read', 'split', 'store', null])), progress: perhaps(0.5, () => pick([percent, nothing])()) } }),
    () => ({ type: pick(['system.health.changed', 'system_state']), data: { severity: perhaps(0.5, () => pick(['info', 'warning', 'critical', null])), message: perhaps(0.5, () => pick([`Load ${percent()}`, null])), active_workers: perhaps(0.3, () => pick([percent, nothing])()) } }),
    () => ({ type: pick(['llm.call.finished', 'my_chat_message', 'skill_used']), data: { ...about(), text: 'Hello', tokens: percent() } }),
    () => ({ type: pick(['tool.started', 'tool.started', 'tool.progress', 'tool.completed', 'tool.failed', 'tool.cancelled', 'tool.listed']), data: { ...about(), tool_call_id: perhaps(0.8, () => pick([`c${Math.floor(next() * 4)}`, 7])), tool_name: perhaps(0.9, () => pick(['search', 'read'])), agent_name: perhaps(0.2, () => `Agent ${percent()}`), args: { q: 'x' } } }),
    () => ({ type: pick(['input.requested', 'input.requested', 'input.received', 'input.expired', 'input.listed']), data: { ...about(), request_id: perhaps(0.9, () => pick([`i${seed}-${Math.floor(next() * 3)}`, 7])), message: perhaps(0.8, () => 'May I?'), kind: perhaps(0.5, () => pick(['confirmation', null])), options: perhaps(0.4, () => ['yes', 'no']), answer: perhaps(0.4, () => pick(['yes', { n: 1 }])), run_id: perhaps(0.3, () => run('r')), agent_name: perhaps(0.2, () => `Agent ${percent()}`) } }),
    () => ({ type: pick(['agent.run.started', 'agent.run.paused', 'agent.run.resumed']), data: { ...run_id(), parent_run_id: perhaps(0.4, () => run('x')), session_id: perhaps(0.4, () => `s${seed}`), run: perhaps(0.3, () => ({ parentRunId: pick([run('r'), null]), status: 'running' })) } }),
    () => ({ type: pick(['llm.started', 'llm.started', 'llm.completed', 'llm.completed', 'llm.failed', 'llm.listed']), data: { ...about(), run_id: perhaps(0.5, () => run(pick(['r', 'x']))), job_id: perhaps(0.1, () => run('j')), call_id: perhaps(0.8, () => `m${Math.floor(next() * 4)}`), model: perhaps(0.9, () => pick(['small-1', 'large-1'])), agent_name: perhaps(0.2, () => `Agent ${percent()}`), input_tokens: perhaps(0.8, () => pick([percent(), `${percent()}`, -1])), output_tokens: perhaps(0.8, percent), cached_tokens: perhaps(0.2, percent), cost_usd: perhaps(0.7, () => percent() / 1000), total: perhaps(0.2, () => true) } }),
    () => ({ type: pick(['guardrail.passed', 'guardrail.triggered', 'eval.scored', 'memory.stored', 'retrieval.completed']), data: { ...about(), name: 'No secrets', score: perhaps(0.5, percent), reason: perhaps(0.3, () => 'A key') } }),
    () => ({ type: 'agent.handoff', data: { from_agent_id: agent(), to_agent_id: perhaps(0.8, agent), agent_id: perhaps(0.2, agent), task_id: perhaps(0.4, task), kind: perhaps(0.5, () => 'delegation'), reason: 'It is ready' } }),
    () => ({ type: pick(['artifact.created', 'artifact.updated', 'artifact.deleted', 'artifact.listed']), data: { artifact_id: perhaps(0.8, () => pick([`f${Math.floor(next() * 3)}`, 7])), name: perhaps(0.5, () => `Page ${percent()}`), path: perhaps(0.5, () => 'out/page.html'), bytes: percent(), agent_id: perhaps(0.5, agent), task_id: perhaps(0.3, task) } }),
    () => ({ type: 'plan.updated', data: { plan_id: perhaps(0.6, () => pick(['plan-1', 'plan-2'])), agent_id: perhaps(0.4, agent), items: perhaps(0.9, () => Array.from({ length: Math.floor(next() * 4) }, () => pick([{ id: task(), title: perhaps(0.7, () => `Step ${percent()}`), status: perhaps(0.6, () => pick(['pending', 'in_progress', 'completed', 'failed', 'odd'])) }, 'Think', null]))) } }),
    () => ({ type: 'decision_logged', data: { agent_id: agent(), what: 'Use marble', why: 'It lasts' } }),
  ];
  // Fields that any event may have beside its own: so updates of a thing say one fact in several ways, or only some of it.
  const words = (): unknown => pick(['low', 'The sandbox is down', percent(), null]);
  const others: (() => Event)[] = [
    () => ({ [pick(['status', 'new_status'])]: status() }),
    () => ({ [pick(['error', 'error_type', 'errorMessage'])]: words() }),
    () => ({ [pick(['reason', 'description', 'message', 'blocker', 'blocker_description'])]: words() }),
    () => ({ [pick(['name', 'agent_name', 'task_name', 'project_name', 'note'])]: words() }),
    () => ({ [pick(['progress', 'progress_percent', 'progress_percentage'])]: pick([percent(), null]) }),
    () => ({ current_task: pick([task(), null]) }),
    () => ({ [pick(['parent_run_id', 'parentRunId'])]: pick([run('r'), null]), [pick(['session_id', 'sessionId'])]: pick([`s${seed}`, `z${seed}`, null]) }),
    () => ({ [pick(['run', 'job', 'execution', 'project_state'])]: { [pick(['status', 'note', 'stage', 'progress', 'parentRunId', 'session_id', 'name', 'project_name', 'risk_level'])]: words() } }),
    () => ({ [pick(['step', 'task_details'])]: { name: words(), status: status() } }),
  ];
  // More of the same thing, so that its updates are coalesced.
  const again = ({ type, data }: Event): Event => ({ type, data: Object.fromEntries(Object.entries(data as Event).filter(([key]) => key.endsWith('_id') || key === 'project_state')) });
  let last: Event | undefined;
  return Array.from({ length }, () => {
    const event = last && next() < 0.4 ? again(last) : pick(makers)();
    last = event;
    while (next() < 0.3) event.data = { ...pick(others)(), ...(event.data as Event) };
    const project_id = pick(projects);
    const limited = project_id !== undefined && next() < 0.2;
    // Such a report names its board and nothing else.
    const named = limited || (event.type !== 'project_state_refreshed' && next() < 0.7);
    if (limited && event.type === 'project_state_refreshed') delete (event.data as { project_state: Event }).project_state.board_id;
    return { event: { ...event, ...(named && project_id ? { project_id } : {}) }, limited };
  });
}
