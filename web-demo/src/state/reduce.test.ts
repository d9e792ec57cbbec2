import { describe, expect, it } from 'vitest';
import { QUIET } from './families';
import { keyOf } from './keys';
import { applyUpdate } from './reduce';
import { applySnapshot, emptyState } from './snapshot';
import { spentOf } from './spent';
import type { Json, State } from './types';

const NOW = Date.parse('2026-05-23T14:00:00Z');

function after(...updates: [string, Json][]) {
  const state = emptyState();
  const outcomes = updates.map(([type, payload]) => applyUpdate(state, type, payload, NOW));
  return { state, outcomes };
}

describe('a single update', () => {
  it('of no shape at all still makes a line and changes nothing', () => {
    for (const junk of [undefined, null, 7, 'text', [], {}, { data: 'no object', hint: 3, timestamp: {} }]) {
      const state = emptyState();
      for (const type of ['agent_status_change', 'task_update', 'project_update', 'message_appended', 'never_heard_of']) {
        expect(applyUpdate(state, type, junk, NOW).entry?.text).toBeTruthy();
      }
      expect(state.agents.size + state.tasks.size + state.projects.size + state.messages.size).toBe(0);
    }
  });

  it('may have names that every object has', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']) {
      const said = { type: name, priority: name, data: { agent_id: name, task_id: name, status: name } };
      for (const type of ['generic_update', 'agent_status_change', 'task_update', name]) {
        expect(typeof after([type, said]).outcomes[0]?.entry?.text).toBe('string');
        expect(typeof after([type, { ...said, source_type: name }]).outcomes[0]?.entry?.priority).toBe('string');
      }
    }
  });

  it('moves the cursor on', () => {
    expect(after(['generic_update', { cursor: 'c1' }], ['generic_update', {}]).state.cursor).toBe('c1');
  });

  it('counts what it stands for', () => {
    const { state, outcomes } = after(['progress_update', { task_id: 't', coalesced: 4 }]);
    expect(state.seen).toBe(4);
    expect(outcomes[0]?.entry?.coalesced).toBe(4);
  });
});

describe('agents and tasks', () => {
  const story: [string, Json][] = [
    ['agent_status_change', { id: 'e1', agent_id: 'zeno', old_status: 'offline', new_status: 'Active', animation: 'pulse', hint: { target: { kind: 'agent', id: 'zeno' } } }],
    ['task_assignment', { agent_id: 'zeno', task_id: 't1', task_name: 'Paint the porch', data: { agent_id: 'zeno', task_id: 't1', task_name: 'Paint the porch' }, animation: 'flow', hint: { from: 'pm-agent', to: 'zeno' } }],
    ['progress_update', { agent_id: 'zeno', task_id: 't1', progress: 40, status: 'in_progress', data: { task_id: 't1', progress: 40, status: 'in_progress' } }],
  ];

  it('are folded from what is said of them', () => {
    const { state, outcomes } = after(...story);
    expect(state.agents.get('zeno')).toMatchObject({ name: 'zeno', status: 'active', taskId: 't1' });
    expect(state.tasks.get('t1')).toMatchObject({ name: 'Paint the porch', status: 'in_progress', agentId: 'zeno', progress: 40 });
    expect(outcomes[1]?.entry?.text).toBe('zeno took “Paint the porch”');
    expect(outcomes[1]?.effect).toMatchObject({ animation: 'flow', from: 'pm-agent', to: 'zeno', agent: 'zeno' });
  });

  it('a task that ends leaves its agent free', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', agent_id: 'zeno', change_type: 'completed' } }]);
    expect(state.tasks.get('t1')).toMatchObject({ status: 'done', progress: 100 });
    expect(state.agents.get('zeno')?.taskId).toBeNull();
  });

  it('a task that is deleted is gone, now and in a snapshot', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', agent_id: 'zeno', change_type: 'deleted' } }]);
    expect([state.tasks.get('t1')?.gone, state.agents.get('zeno')?.taskId]).toEqual([true, null]);
    applySnapshot(state, { tasks: { t1: { status: 'deleted' }, t2: { status: 'failed' } } }, NOW);
    expect([...state.tasks.values()]).toMatchObject([{ id: 't1', gone: true }, { id: 't2', status: 'blocked' }]);
  });

  it('an agent that is unregistered is offline', () => {
    const { state } = after(...story, ['agent_update', { data: { agent_id: 'zeno', change_type: 'unregistered' } }]);
    expect(state.agents.get('zeno')).toMatchObject({ status: 'offline', taskId: null });
  });

  it('a completion without success is a block', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', change_type: 'completed', success: false } }]);
    expect(state.tasks.get('t1')?.status).toBe('blocked');
  });

  it('a resolved blocker puts the task back to work', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', change_type: 'blocked' } }],
      ['generic_update', { source_type: 'blocker.resolved', data: { task_id: 't1' } }]);
    expect(state.tasks.get('t1')?.status).toBe('in_progress');
  });

  it('a task that is given back has no agent, and its agent no task', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', agent_id: 'zeno', change_type: 'unassigned' } }]);
    expect(state.tasks.get('t1')).toMatchObject({ status: 'todo', agentId: null });
    expect(state.agents.get('zeno')?.taskId).toBeNull();
  });

  it('a change of status says the new one', () => {
    const { state } = after(...story, ['task_update', { data: { task_id: 't1', change_type: 'changed', old_status: 'in_progress', new_status: 'blocked' } }]);
    expect(state.tasks.get('t1')?.status).toBe('blocked');
  });

  it('an agent has the task that it tells of', () => {
    const { state } = after(...story, ['progress_update', { agent_id: 'zeno', task_id: 't2', progress: 5 }]);
    expect(state.agents.get('zeno')?.taskId).toBe('t2');
  });

  it('two tellings of one event are shown and animated once', () => {
    const { outcomes } = after(...story.slice(0, 1), ['agent_update', { id: 'e1', animation: 'fade', data: { agent_id: 'zeno', status: 'active' } }]);
    expect(outcomes[0]?.effect?.animation).toBe('pulse');
    expect(outcomes[1]).toEqual({ entry: null, effect: null });
  });

  it('replaces entities, never changes them in place', () => {
    const { state } = after(...story);
    const before = state.agents.get('zeno');
    applyUpdate(state, 'agent_status_change', { agent_id: 'zeno', new_status: 'idle' }, NOW);
    expect(before?.status).toBe('active');
    expect(state.agents.get('zeno')).not.toBe(before);
  });
});

describe('tools and hand-offs', () => {
  const tool = (change: string, data: Json): [string, Json] =>
    ['tool_update', { source_type: `tool.${change}`, project_id: 'p', timestamp: '2026-05-23T13:00:00Z', data: { agent_id: 'ada', task_id: 't', ...data } }];
  const search = { tool_call_id: 'c1', tool_name: 'search' };
  const ada = (...updates: [string, Json][]) => [...after(...updates).state.agents.values()][0];

  it('a call goes on until it ends, its task ends or its agent leaves', () => {
    const call = { tool_call_id: 'c1', tool_name: 'search', task_id: 't', started_at: '2026-05-23T13:00:00Z' };
    expect(ada(tool('started', search))).toMatchObject({ tool: 'search', facts: { tool: 'search', tool_calls: [call] } });
    expect(ada(tool('started', search), tool('started', { tool: 'read' }), tool('progress', search))).toMatchObject({ tool: 'read' });
    const done: [string, Json] = ['task_update', { source_type: 'task.completed', project_id: 'p', data: { agent_id: 'ada', task_id: 't' } }];
    const gone: [string, Json] = ['agent_update', { source_type: 'agent.unregistered', project_id: 'p', data: { agent_id: 'ada' } }];
    for (const end of [tool('completed', search), tool('failed', search), tool('cancelled', search), done, gone]) {
      const rests = ada(tool('started', search), end);
      expect(rests?.tool).toBe('');
      expect(rests?.facts).not.toHaveProperty('tool_calls');
    }
    const many = Array.from({ length: 20 }, (_, n) => tool('started', { tool_call_id: `m${n}`, tool_name: 'many' }));
    expect((ada(...many)?.facts.tool_calls as Json[]).map((one) => one.tool_call_id)).toEqual(Array.from({ length: 16 }, (_, n) => `m${n + 4}`));
  });

  it('are told in words', () => {
    const told = (...update: [string, Json]) => after(update).outcomes[0]?.entry?.text;
    expect(told(...tool('started', search))).toBe('ada uses search');
    expect(told(...tool('progress', { ...search, message: '3 of 10' }))).toBe('ada still uses search (3 of 10)');
    expect(told(...tool('completed', { ...search, duration_ms: 210 }))).toBe('ada is done with search after 210 ms');
    expect(told(...tool('failed', { ...search, duration_ms: 2100, error: 'No network' }))).toBe('search failed for ada after 2.1 s: No network');
    const handoff = (more: Json): [string, Json] => ['agent_handoff', { source_type: 'agent.handoff', data: { agent_id: 'ada', from_agent_id: 'ada', to_agent_id: 'eve', ...more } }];
    expect(told(...handoff({ reason: 'It is ready' }))).toBe('ada hands over to eve: It is ready');
    expect(told(...handoff({ kind: 'delegation', to_agent_id: null }))).toBe('ada gives work to another agent');
    expect(ada(handoff({}))?.facts.handed_to).toBe('eve');
    const at = (moment: string, to: string): [string, Json] => {
      const [type, update] = handoff({ to_agent_id: to });
      return [type, { ...update, timestamp: `2026-05-23T14:00:${moment}Z` }];
    };
    const late = ada(at('03.500123', 'eve'), at('03.500', 'bob'), at('03.500900', 'joe'), at('02', 'ann'))?.facts;
    expect(late).toMatchObject({ handed_to: 'joe', handed_at: '2026-05-23T14:00:03.500900Z', updated_at: '2026-05-23T14:00:03.500900Z' });
  });
});

describe('questions to people', () => {
  const input = (change: string, data: Json, more: Json = {}): [string, Json] =>
    ['input_update', { id: 'e', source_type: `input.${change}`, project_id: 'p', timestamp: '2026-05-23T13:00:00Z', data: { agent_id: 'ada', ...data }, ...more }];
  const asked = input('requested', { request_id: 'q1', message: 'Publish?', options: ['yes', 'no'], expires_at: 1_800_000_000 });
  const ada = (state: State) => [...state.agents.values()].find((agent) => agent.id === 'ada');

  it('are open until the first word that closes them, and their agent waits', () => {
    const { state } = after(input('requested', { request_id: 7 }), asked);
    expect([...state.inputs.values()]).toMatchObject([
      { id: '7', message: '', kind: 'input_required' },
      { id: 'q1', message: 'Publish?', options: ['yes', 'no'], agent: ada(state)?.key, expiresAt: 1_800_000_000_000, facts: { status: 'open', agent_project_id: 'p' } },
    ]);
    expect(ada(state)).toMatchObject({ status: 'waiting' });
    applyUpdate(state, ...input('received', { request_id: 'q1', answer: 'yes' }), NOW);
    expect(ada(state)).toMatchObject({ status: 'waiting' });
    // It need not name its agent.
    applyUpdate(state, ...input('expired', { requestId: '7', agent_id: undefined }), NOW);
    expect([state.inputs.size, ada(state)?.status]).toEqual([0, '']);
    applyUpdate(state, ...input('requested', {}), NOW);
    expect([...state.inputs.values()].map(({ id }) => id)).toEqual(['e']);
  });

  it('are taken from a snapshot, and closed after it', () => {
    const { state } = after();
    applySnapshot(state, {
      agents: { ada: { id: 'ada', project_id: 'p', status: 'waiting', said_status: 'working' } },
      inputs: { q1: { id: 'q1', project_id: 'p', request_id: 'q1', message: 'Publish?', agent_id: 'ada', agent_project_id: 'p', status: 'open' } },
      counts: { inputs: 1 },
    }, NOW);
    expect([...state.inputs.values()]).toMatchObject([{ id: 'q1', agent: ada(state)?.key }]);
    applyUpdate(state, ...input('received', { request_id: 'q1', agent_id: undefined }), NOW);
    expect([state.inputs.size, ada(state)?.status]).toEqual([0, 'working']);
  });

  it('are told in words', () => {
    const told = (...update: [string, Json]) => after(update).outcomes[0]?.entry?.text;
    expect(told(...asked)).toBe('ada asks: Publish?');
    expect(told(...input('received', { request_id: 'q1', answer: 'yes' }))).toBe('ada has an answer: yes');
    expect(told(...input('received', { request_id: 'q1', answer: { n: 1 } }))).toBe('ada has an answer');
    expect(told(...input('expired', { request_id: 'q1' }))).toBe('ada no longer waits for an answer');
  });
});

describe('the rest', () => {
  it('joins a message in order', () => {
    const part = (content: string): [string, Json] => ['message_appended', { data: { run_id: 'r', message_id: 'm', role: 'assistant', content } }];
    expect([...after(part('Live '), part('according '), part('to nature')).state.messages.values()].map((message) => message.content)).toEqual(['Live according to nature']);
  });

  it('joins the text of a message within one role', () => {
    const part = (role: string | null, content: string): [string, Json] => ['message_appended', { data: { message_id: 'm', role, content } }];
    const told = (...updates: [string, Json][]): unknown => [...after(...updates).state.messages.values()].map(({ role, content }) => `${role}: ${content}`);
    expect(told(part('user', 'How '), part('assistant', 'Well, '), part('user', 'come?'), part('assistant', 'so.'))).toEqual(['user: How come?', 'assistant: Well, so.']);
    // A delta without a role goes on with the one before it.
    expect(told(part('user', 'How '), part('assistant', 'Well, '), part(null, 'so.'), part('user', 'come?'), part(null, '!'))).toEqual(['user: How come?!', 'assistant: Well, so.']);
    expect(told(part(null, 'a'), part(null, 'b'), part('assistant', 'c'))).toEqual(['assistant: abc']);
    // Roles and ids may be called as they like.
    const odd = after(part('user', 'a'), ['message_appended', { data: { message_id: 'm\u0001user', content: 'b' } }], ['message_appended', { data: { message_id: 'm', role: 'user\u0001x', content: 'c' } }]);
    expect(odd.state.messages.size).toBe(3);
    const { outcomes } = after(part('user', 'How come?'), part('assistant', 'So.'));
    expect(outcomes.map((outcome) => outcome.entry?.text)).toEqual(['User: How come?', 'Assistant: So.']);
    expect(new Set(outcomes.map((outcome) => outcome.entry?.messageId)).size).toBe(2);
  });

  it('knows the begin and the end of a text, and a thought from what is said', () => {
    const part = (source: string, data: Json): [string, Json] => ['message_appended', { source_type: source, data: { message_id: 'm', agent_id: 'ada', ...data } }];
    const said = [part('agent.message.started', { content: '' }), part('agent.message.appended', { content: 'Live.' })] as const;
    const thought = part('agent.reasoning.appended', { content: 'Hm. ', kind: 'reasoning', to_agent_id: 'eve' });
    const ends = part('agent.message.completed', { content: '', final: true });
    const { state, outcomes } = after(...said, thought, ends);
    expect([...state.messages.values()]).toMatchObject([
      { kind: 'text', content: 'Live.', final: true, agentId: 'ada', toAgentId: null },
      { kind: 'reasoning', content: 'Hm. ', final: false, toAgentId: 'eve' },
    ]);
    expect(outcomes.map((outcome) => outcome.entry?.text)).toEqual(['ada writes…', 'ada: Live.', 'ada thinks: Hm. ', 'ada: Live.']);
    expect(state.agents.size, 'a text makes no agent').toBe(0);
    // The end of a text that nobody heard of is no news.
    const nothing = after(ends);
    expect([nothing.state.messages.size, nothing.outcomes]).toEqual([0, [{ entry: null, effect: null }]]);
    // A text that goes on was not at its end.
    expect([...after(ends, ...said, ends, said[1]).state.messages.values()]).toMatchObject([{ content: 'Live.Live.', final: false }]);
  });

  it('a task that is tried again goes on', () => {
    const task = (change: string, data: Json = {}): [string, Json] =>
      ['task_update', { source_type: `task.${change}`, project_id: 'p', data: { task_id: 't', agent_id: 'ada', change_type: change, ...data } }];
    const { state, outcomes } = after(task('failed', { error: 'It broke' }), task('retried', { attempt: 2, max_attempts: 3, error: 'Timeout', retry_in_ms: 1500 }));
    expect([...state.tasks.values()]).toMatchObject([{ status: 'in_progress', facts: { attempt: 2, max_attempts: 3 } }]);
    // The error was that of the attempt that is over.
    expect([...state.tasks.values()][0]?.facts).not.toHaveProperty('error');
    expect([...state.agents.values()]).toMatchObject([{ busy: true }]);
    expect(outcomes[1]?.entry?.text).toBe('“t” is tried again (2 of 3) in 1.5 s: Timeout');
  });

  it('shows what Marcus and his workers say, and what he thinks', () => {
    const line = (source_type: string, data: Json): [string, Json] => ['message_appended', { source_type, priority: 'low', data: { role: 'assistant', final: true, ...data } }];
    const { state, outcomes } = after(
      line('worker_communication', { message_id: 'e1', agent_id: 'ada', to_agent_id: 'marcus', content: 'Requesting next task', worker_id: 'ada' }),
      line('worker_communication', { message_id: 'e2', agent_id: 'marcus', to_agent_id: 'ada', content: 'Assigned', worker_id: 'ada' }),
      line('pm_thinking', { message_id: 'e3', agent_id: 'marcus', content: 'Who can do it?', kind: 'reasoning' }),
    );
    expect([...state.messages.values()]).toMatchObject([{ agentId: 'ada', toAgentId: 'marcus', final: true }, { agentId: 'marcus', toAgentId: 'ada' }, { kind: 'reasoning' }]);
    expect(outcomes.map((outcome) => outcome.entry?.text)).toEqual(['ada: Requesting next task', 'Project manager: Assigned', 'Project manager thinks: Who can do it?']);
    const noise = (source_type: string) => after(['generic_update', { source_type, priority: 'low', data: {} }]).outcomes[0]?.entry?.family;
    expect(['mcp_creating_response', 'ping.request', 'refresh_project_state_start', 'create_project_calling'].map(noise)).toEqual(['machinery', 'machinery', 'machinery', 'other']);
    expect(QUIET).toContain('machinery');
  });

  it('tells what an unknown event is about, and a failure by its name', () => {
    const told = (data: Json) => after(['generic_update', { source_type: 'step.done', data }]).outcomes[0]?.entry?.text;
    expect(told({ tool_name: 'search' })).toBe('Step done: search');
    expect(told({ model: 'small-1', tokens: 3 })).toBe('Step done: small-1 · tokens 3');
    expect(told({ content: 'Hello', tool_name: 'search', model: 'small-1' })).toBe('Step done: Hello · tool name search, model small-1');
    expect(after(['agent_status_change', { agent_id: 'publisher', new_status: 'error' }]).outcomes[0]?.entry?.text).toBe('publisher failed');
  });

  it('lists what was made', () => {
    const made = (change: string, data: Json): [string, Json] =>
      ['artifact_update', { source_type: `artifact.${change}`, project_id: 'p', artifact_id: 'f', status: change, name: 'page.html', data: { agent_id: 'ada', ...data } }];
    const { state, outcomes } = after(made('created', { artifact_id: 'f', path: 'out/page.html' }), made('updated', { url: 'https://example.org/x/' }), made('deleted', {}));
    expect([...state.artifacts.values()]).toMatchObject([{ id: 'f', projectId: 'p', name: 'page.html', facts: { artifact_id: 'f', agent_id: 'ada', path: 'out/page.html', status: 'deleted' } }]);
    expect(outcomes.map((outcome) => outcome.entry?.text)).toEqual(['ada made page.html', 'ada changed page.html', 'ada deleted page.html']);
    applySnapshot(state, { artifacts: { g: { id: 'g', project_id: 'p', artifact_id: 'g', url: 'https://example.org/x/report.pdf?a=/b' } } }, NOW);
    expect([...state.artifacts.values()]).toMatchObject([{ id: 'g', name: 'report.pdf' }]);
  });

  it('a plan has tasks that wait, until they are told of by themselves', () => {
    const plan = (...items: unknown[]): [string, Json] =>
      ['plan_update', { source_type: 'plan.updated', project_id: 'p', plan_id: 'r', data: { agent_id: 'ada', items } }];
    const task = (change: string, id: string): [string, Json] => ['task_update', { source_type: `task.${change}`, project_id: 'p', data: { task_id: id, change_type: change } }];
    const find = { id: 'a', title: 'Find it' };
    const { state, outcomes } = after(task('started', 'real'), plan(find, { id: 2, title: 'Write it', status: 'in_progress' }, { id: 'real', title: 'Other' }, 'Read it', null, { id: 'x'.repeat(129) }),
      task('started', 'a'), plan({ id: 2, status: 'completed' }, 'Print it'));
    const shown = [...state.tasks.values()].map(({ id, name, status, progress, facts }) => [id, name, status, progress, 'planned_by' in facts]);
    expect(shown).toEqual([['real', 'real', 'in_progress', null, false], ['a', 'Find it', 'in_progress', null, false], ['2', 'Write it', 'done', 100, true], ['Print it', 'Print it', 'todo', null, true]]);
    expect(outcomes.map((outcome) => outcome.entry?.text)).toEqual(['“real” started', 'ada plans 4 steps', '“Find it” started', 'ada plans 2 steps, 1 of them done']);
    expect(after(plan(...Array.from({ length: 150 }, (_, n) => n).map((id) => ({ id })))).state.tasks.size).toBe(100);
  });

  it('reads progress in the spellings producers use', () => {
    const of = (data: Json) => after(['project_update', { data: { project_id: 'p', ...data } }]).state.projects.get('p');
    expect(of({ progress: 10 })?.progress).toBe(10);
    expect(of({ progress_percent: 20 })?.progress).toBe(20);
    expect(of({ completed_tasks: 3, total_tasks: 4 })).toMatchObject({ progress: 75, done: 3, total: 4 });
    expect(of({ change_type: 'completed', total_tasks: 4 })).toMatchObject({ progress: 100, done: 4 });
  });

  it('never says more than all, nor less than nothing', () => {
    const said = (type: string, payload: Json): string | undefined => after([type, payload]).outcomes[0]?.entry?.text;
    expect(said('progress_update', { task_id: 't', progress: 400 })).toBe('“t” at 100%');
    expect(said('progress_update', { task_id: 't', progress: -4 })).toBe('“t” at 0%');
    expect(said('progress_update', { data: { task_id: 't', progress: 1e9 } })).toContain('100%');
    expect(said('project_update', { data: { project_id: 'p', progress: 250 } })).toContain('at 100%');
    expect(said('ingest_update', { data: { job_id: 'j', stage: 'read', progress: 101 } })).toContain('100%');
  });

  it('a run that ended is at no node any more', () => {
    const run = (status: string, current_node: string | null): [string, Json] => ['execution_update', { run_status: status, data: { execution_id: 'x', status, current_node } }];
    expect(after(run('running', 'build')).state.runs.get('x')).toMatchObject({ status: 'running', current: 'build' });
    expect(after(run('running', 'build'), run('completed', null)).state.runs.get('x')).toMatchObject({ status: 'completed', current: '' });
  });

  it('says one decision once', () => {
    const decision: [string, Json] = ['decision_event', { decision_id: 'd', decision: 'Use marble', rationale: 'It lasts', confidence_score: 0.9 }];
    const { state, outcomes } = after(decision, ['decision_event', { ...decision[1], id: 'e2', animation: 'pulse' }]);
    expect(state.decisions).toHaveLength(1);
    expect(outcomes[0]?.entry?.text).toBe('Use marble');
    expect(outcomes[1]).toEqual({ entry: null, effect: null });
    const changed = after(decision, ['decision_event', { ...decision[1], decision: 'Use limestone' }]);
    expect(changed.outcomes[1]?.entry?.text).toBe('Use limestone');
  });

  it('a run began with the first event that is coalesced, whatever came between', () => {
    const [first, second, last] = ['2026-05-23T13:00:00.184Z', '2026-05-23T13:00:00.184104Z', '2026-05-23T13:00:00.195853Z'];
    const node: [string, Json] = ['node_update', { timestamp: second, source_type: 'workflow.node_state.updated', data: { execution_id: 'x', node_id: 'n' } }];
    const run = (since?: string, said?: string): [string, Json] => ['execution_update', { timestamp: last, ...(since ? { since, coalesced: 2 } : {}), data: { execution_id: 'x', ...(said ? { started_at: said } : {}) } }];
    const began = (...updates: [string, Json][]): unknown => after(...updates).state.runs.get('x')?.facts.started_at;
    expect(began(node, run(first))).toBe(first);
    expect(began(run(first), node)).toBe(first);
    expect(began(node, run())).toBe(second);
    // The run's own word stands.
    expect(began(node, run(first, 'at noon'))).toBe('at noon');
  });

  it('a risk that a project is said to run is told as such, beside what the system says of itself', () => {
    const project = (risk_level: string): [string, Json] => ['project_update', { data: { project_state: { board_id: 'b', risk_level } } }];
    const report: [string, Json] = ['health_update', { data: { severity: 'warning', message: 'Queue is long' } }];
    expect(after(['project_update', { data: { project_id: 'p' } }]).state.health).toBeNull();
    expect(after(project('Low')).state.health).toMatchObject({ risk: 'low', severity: '', status: '' });
    expect(after(project('low'), report).state.health).toMatchObject({ risk: 'low', severity: 'warning' });
    expect(after(report, project('high')).state.health).toMatchObject({ risk: 'high', severity: 'warning', message: 'Queue is long' });
    const { state } = after(report);
    applySnapshot(state, { health: { risk_level: 'low' } }, NOW);
    expect(state.health).toMatchObject({ risk: 'low', severity: '' });
  });

  it('the health of a project is that project’s, live and in a snapshot', () => {
    const { state } = after(['health_update', { data: { severity: 'info' } }],
      ['health_update', { project_id: 'p', confined: true, nulls: ['message'], data: { severity: 'critical', message: null, status: null } }]);
    expect(state.health).toMatchObject({ severity: 'info' });
    expect(state.projectHealth.get('p')).toMatchObject({ severity: 'critical', facts: { severity: 'critical', message: null } });
    expect(state.projectHealth.get('p')?.facts).not.toHaveProperty('status');
    applySnapshot(state, { health: { severity: 'info', projects: { q: { severity: 'warning' } } } }, NOW);
    expect([...state.projectHealth]).toMatchObject([['q', { severity: 'warning' }]]);
    expect(state.health?.facts).toEqual({ severity: 'info' });
  });

  it('a task that was known without a project is of the one that adopts it', () => {
    const { state } = after(['task_assignment', { task_id: 't', agent_id: 'a', data: {} }],
      ['generic_update', { source_type: 'llm.call', project_id: 'p', adopted: ['task'], data: { task_id: 't' } }],
      ['task_update', { source_type: 'task.completed', project_id: 'p', data: { task_id: 't' } }]);
    expect([...state.tasks.values()]).toMatchObject([{ id: 't', projectId: 'p', status: 'done' }]);
    expect(state.agents.get('a')).toMatchObject({ taskId: null, busy: false });
  });

  it('an id that an agent run has moves no workflow run, but what its calls came to', () => {
    const { state } = after(['execution_update', { source_type: 'workflow.run.started', run_status: 'running', data: { execution_id: 'x' } }],
      ['usage_update', { source_type: 'llm.completed', scope: { kind: 'run', id: 'x' }, input_tokens: 2, calls: 1, data: { run_id: 'x' } }],
      ['llm_update', { source_type: 'llm.started', project_id: 'p', adopted: ['run'], data: { run_id: 'x', call_id: 'c' } }]);
    expect([...state.runs.values()]).toMatchObject([{ id: 'x', projectId: '', kind: 'execution' }]);
    expect(state.runs.get('x')?.facts).not.toHaveProperty('usage');
    expect([...state.usageAhead]).toMatchObject([[keyOf('p', 'x'), { input_tokens: 2, calls: 1 }]]);
  });

  it('an item of a plan whose task named no project yet is that task', () => {
    const plan = (project: string): [string, Json] =>
      ['plan_update', { source_type: 'plan.updated', project_id: project, plan_id: 'x', data: { items: [{ id: 't', title: 'Planned' }] } }];
    const { state } = after(plan('p'), ['task_update', { source_type: 'task.created', data: { task_id: 't', task_name: 'Real' } }], plan('p'), plan('pz'));
    expect([...state.tasks.values()]).toMatchObject([{ id: 't', projectId: '', name: 'Real' }]);
    const [type, update] = plan('limited');
    applyUpdate(state, type, { ...update, confined: true }, NOW);
    expect([...state.tasks.values()]).toMatchObject([{ projectId: '', name: 'Real' }, { projectId: 'limited', name: 'Planned' }]);
  });

  it('things of a snapshot are what they say of themselves, whatever their keys are', () => {
    const state = emptyState();
    applySnapshot(state, { tasks: {
      'c': { id: 'c', project_id: 'p0', name: 'p0 c' }, 'b/c': { id: 'b/c', project_id: 'p0', name: 'p0 b/c' },
      'a/b%2Fc': { id: 'b/c', project_id: 'a', name: 'a b/c' }, 'a%2Fb/c': { id: 'c', project_id: 'a/b', name: 'a/b c' },
    } }, NOW);
    expect([...state.tasks.values()].map((task) => `${task.projectId} ${task.id}`)).toEqual(['p0 c', 'p0 b/c', 'a b/c', 'a/b c']);
    // An update of one of them finds it.
    applyUpdate(state, 'task_update', { project_id: 'a/b', source_type: 'task.completed', data: { task_id: 'c' } }, NOW);
    expect([...state.tasks.values()].filter((task) => task.status === 'done').map((task) => task.name)).toEqual(['a/b c']);
    expect(state.tasks.size).toBe(4);
  });

  it('takes over a snapshot whole', () => {
    const { state } = after(['agent_status_change', { agent_id: 'gone', new_status: 'idle' }]);
    applySnapshot(state, {
      cursor: 'c9', agents: { zeno: { status: 'working', task_id: 't1' } }, tasks: { t1: { status: 'in_progress', name: 'Paint', agent_id: 'zeno' } },
      projects: { p: { progress: 50 } }, health: { severity: 'critical', message: 'Fire' }, runs: null,
    }, NOW);
    expect([...state.agents.keys()]).toEqual(['zeno']);
    expect(state.tasks.get('t1')?.agentId).toBe('zeno');
    expect(state.health?.severity).toBe('critical');
    expect(state.cursor).toBe('c9');
  });
});

describe('model calls', () => {
  const of = (source: string, data: Json, more: Json = {}): [string, Json] =>
    ['llm_update', { source_type: source, timestamp: '2026-05-23T14:00:00.000Z', data: { agent_id: 'zeno', model: 'small-1', ...data }, ...more }];

  it('go on until they end, one by one or told together', () => {
    const { state, outcomes } = after(of('llm.started', { call_id: 'c1' }), of('llm.started', { call_id: 'c2', task_id: 't1' }), of('llm.completed', { call_id: 'c1' }));
    expect(state.agents.get('zeno')?.facts.thinking).toHaveLength(1);
    expect(state.agents.get('zeno')?.facts.thinking).toEqual([{ call_id: 'c2', model: 'small-1', task_id: 't1', started_at: '2026-05-23T14:00:00.000Z' }]);
    expect(outcomes.map(({ entry }) => entry?.family)).toEqual(['models', 'models', 'models']);
    applyUpdate(state, ...of('llm.started', { call_id: 'c3' }, { coalesced: 3, calls: [{ call_id: 'c2', status: 'failed' }, { call_id: 'c3', status: 'running', model: 'small-1', task_id: null, started_at: 'x' }] }), NOW);
    expect(state.agents.get('zeno')?.facts.thinking).toEqual([{ call_id: 'c3', model: 'small-1', task_id: null, started_at: 'x' }]);
    applyUpdate(state, ...of('llm.completed', { call_id: 'c3', total: true }), NOW);
    expect(state.agents.get('zeno')?.facts.thinking).toHaveLength(1);
    applyUpdate(state, 'agent_update', { source_type: 'agent.unregistered', data: { agent_id: 'zeno', thinking: 'made up', usage: 'too' } }, NOW);
    expect(state.agents.get('zeno')?.facts).not.toHaveProperty('thinking');
    expect(state.agents.get('zeno')?.facts).not.toHaveProperty('usage');
  });

  const sum = (kind: string, id: string, more: Json): [string, Json] =>
    ['usage_update', { source_type: 'llm.completed', scope: { kind, id }, project_id: 'p', input_tokens: 10, output_tokens: 1, cost_usd: 0.1, calls: 1, by_model: { m: { input_tokens: 10, output_tokens: 1, cost_usd: 0.1, calls: 1 } }, ...more }];

  it('add up to whole cents, by model, and are no line of the feed', () => {
    const { state, outcomes } = after(...Array.from({ length: 10 }, () => sum('project', 'p', {})));
    expect(state.projects.get('p')).toMatchObject({ facts: { usage: { input_tokens: 100, cost_usd: 1, calls: 10, by_model: { m: { calls: 10, cost_usd: 1 } } } } });
    expect(outcomes.every(({ entry, effect }) => entry === null && effect === null)).toBe(true);
  });

  it('of a run that nobody knows yet wait for it', () => {
    const { state } = after(sum('run', 'r', {}), sum('run', 'r', {}));
    expect(state.runs.size).toBe(0);
    applyUpdate(state, 'execution_update', { source_type: 'workflow.run.started', project_id: 'p', run_status: 'running', data: { execution_id: 'r' } }, NOW);
    applyUpdate(state, ...sum('run', 'r', {}), NOW);
    expect(spentOf([...state.runs.values()][0]?.facts ?? {})?.calls).toBe(3);
  });

  it('that sum up others are shown where no other is told', () => {
    const totals = { input_tokens: 7, output_tokens: 3, cost_usd: 0, calls: 1 };
    const nothing = { input_tokens: 0, output_tokens: 0, cost_usd: 0, calls: 0, by_model: {} };
    const { state } = after(sum('agent', 'a', { ...nothing, totals }));
    const agent = (): unknown => spentOf([...state.agents.values()][0]?.facts ?? {});
    expect(agent()).toEqual({ input: 7, output: 3, cost: null, calls: 1 });
    applyUpdate(state, ...sum('agent', 'a', {}), NOW);
    expect(agent()).toEqual({ input: 10, output: 1, cost: 0.1, calls: 1 });
  });
});
