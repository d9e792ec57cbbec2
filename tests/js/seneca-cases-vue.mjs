// Seneca's Vue UI before a Stoa: the event log, decision and worker nodes, the metrics.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { startStoa } from './server.mjs';
import { AGENT, agents, confidence, decisions, openVue, page } from './seneca-cases.mjs';
import { assertReadAs, busEvents, conversations, publishLines, senecaReads, story } from './seneca-lines.mjs';
import { assertSound } from './seneca-page.mjs';

/** The figures of the board, and what they come to at the run's end; they are told once a second, so also before it. */
const board = (ui) => ui.node('kanban-board').data.metrics;
const DONE = { totalTasks: 40, inProgress: 0, completed: 40 };

page('Vue UI: a story, line by line', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  // A canvas that names its workers by their ids, so that the camel-case updates can be seen in it.
  ui.nodes.push({ id: AGENT, type: 'worker', data: { label: AGENT, status: 'idle' } });
  const lines = story();
  const extra = { assignment_event: [], blocker_event: [], decision_event: [] };
  for (const [name, list] of Object.entries(extra)) ui.socket.on(name, (event) => list.push(event));
  for (const [at, line] of lines.entries()) {
    await publishLines(stoa.url, [line]);
    await ui.until(`line ${at}`, () => ui.events.length > at);
    assertReadAs(ui.events[0], line);
  }
  assert.deepEqual(ui.events.map((event) => event.event_type).reverse(), lines.map((line) => senecaReads(line).event_type));
  assert.match(ui.printRow(ui.events.at(-2)), /^\[worker_message\] [\d:]+ Agent Backend 1 → Marcus: Ready for work$/);

  // The same line once more under its own name.
  await ui.until('the assignment', () => extra.assignment_event.length === 1 && extra.blocker_event.length === 1);
  assertReadAs(extra.assignment_event[0], lines[5]);
  assertReadAs(extra.blocker_event[0], lines[8]);

  const [decided] = await ui.until('the decision', () => extra.decision_event.length === 1 && extra.decision_event);
  assertReadAs(decided, lines[4]);
  const node = ui.nodes.find((one) => one.type === 'decision');
  assert.deepEqual(node.data, {
    label: 'Give the inventory data model ...',
    status: 'initializing',
    decision: 'Give the inventory data model to agent_backend_1',
    rationale: 'Best match of skills',
    confidence: 0.87,
    timestamp: node.data.timestamp,
  });
  assert.equal(Date.parse(node.data.timestamp), Date.parse(lines[4].timestamp));
  assert.equal(ui.printDecision(node)[1], '87% confidence');
  assert.ok(ui.edges.some((edge) => edge.source === 'pm-agent' && edge.target === node.id));

  // Worker nodes: named by the agent's id, though the UI makes only ids of its own.
  await ui.until('progress', () => {
    const { progress, taskName, skills, lastUpdate } = ui.node(AGENT).data;
    return progress === 30 && taskName && skills && lastUpdate;
  });
  assert.deepEqual(ui.printWorker(ui.node(AGENT)), [
    `ID: ${AGENT}`, 'Status: working', 'Role: Backend Developer', 'python, redis',
    'Design inventory data model', 'Progress 30%', 'tables drafted',
  ]);

  await ui.until('metrics', () => ui.node('kanban-board').data.metrics.totalTasks === 2);
  assert.deepEqual(ui.node('pm-agent').data.metrics, { decisionsToday: 1, avgConfidence: 0.87, activeWorkers: 1 });
  assert.deepEqual(ui.node('kanban-board').data.metrics, { totalTasks: 2, inProgress: 0, completed: 0 });
  assert.deepEqual(ui.printMetrics(), [
    '0 in progress, 0% completion rate', '87%, 1 decisions today', 'Total Events: 10, Last Hour: 10',
  ]);
  assertSound(ui);
});

page('Vue UI: bus events are lines too', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const timestamp = new Date().toISOString();
  await publishLines(stoa.url, [
    { event_id: 'evt_1', timestamp, event_type: 'agent_registered', source: 'agent_test_1', data: { agent_id: 'agent_test_1', agent_name: 'Test Agent', skills: ['pytest'] }, metadata: {} },
    { event_id: 'evt_2', timestamp, event_type: 'task_assigned', source: 'marcus', data: { agent_id: 'agent_test_1', task_id: 't1', task_name: 'Test the ledger', has_context: false, has_dependencies: false }, metadata: {} },
    { event_id: 'evt_3', timestamp, event_type: 'decision_logged', source: 'agent_test_1', data: { decision_id: 'dec_1', task_id: 't1', agent_id: 'agent_test_1', timestamp, what: 'Use integers for money', why: 'Floats drift', impact: 'API shows minor units', project_id: null }, metadata: {} },
  ]);
  const rows = await ui.until('three lines', () => ui.events.length === 3 && [...ui.events].sort((a, b) => (a.event_type < b.event_type ? -1 : 1)));
  assert.deepEqual(rows.map(({ event_type, source, target }) => [event_type, source, target]), [
    ['agent_registered', 'agent_test_1', 'marcus'],
    ['decision_logged', 'agent_test_1', 'marcus'],
    ['task_assigned', 'marcus', 'agent_test_1'],
  ]);
  for (const row of rows) assert.equal(row.timestamp.toISOString(), timestamp);
  const node = await ui.until('the decision', () => ui.nodes.find((one) => one.type === 'decision'));
  // Of three events one may overtake: the node has what the decision says, whenever it came.
  assert.equal(node.data.decision, 'Use integers for money');
  assert.equal(node.data.rationale, 'Floats drift');
  assert.deepEqual(ui.printDecision(node).slice(0, 2), ['Use integers for money...', '0% confidence']);
  assertSound(ui);
});

page('Vue UI: a whole run of log lines', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const lines = [];
  const chosen = [];
  const progress = new Map();
  ui.socket.on('conversation_event', (event) => lines.push(event));
  ui.socket.on('decision_event', (event) => chosen.push(event));
  ui.socket.on('progress_update', (update) => progress.set(update.task_id, update.progress));
  await publishLines(stoa.url, conversations);
  await ui.until('all lines', () => lines.length >= conversations.length && chosen.length >= decisions.length);
  assert.equal(lines.length, conversations.length);
  assert.equal(ui.events.length, conversations.length);

  // Each line once, as Seneca reads it.
  const key = (row) => [row.event_type, row.source, row.target, Date.parse(row.timestamp) || row.time].join('|');
  const waiting = new Map();
  for (const got of lines) waiting.set(key(got), [...(waiting.get(key(got)) ?? []), got]);
  for (const line of conversations) {
    const got = waiting.get(key(senecaReads(line)))?.shift();
    assert.ok(got, `missing: ${JSON.stringify(line)}`);
    assertReadAs(got, line);
  }

  // A task's reports in the order in which they were made, and the last of them at the end.
  for (const { task_id: task } of conversations.filter((line) => line.event === 'task_assignment')) {
    const reports = conversations.filter((line) => line.event === 'progress_update' && line.task_id === task);
    const got = lines.filter((line) => line.event_type === 'progress_update' && line.metadata.task_id === task);
    assert.deepEqual(got.map((line) => line.message), reports.map((line) => `${line.progress}% - ${line.message}`));
    await ui.until(`the end of ${task}`, () => progress.get(task) === reports.at(-1).progress);
  }
  assert.deepEqual(
    chosen.map((event) => [event.decision, event.rationale, event.confidence_score]),
    decisions.map((line) => [line.decision, line.rationale, line.confidence_score]),
  );
  assert.equal(ui.nodes.filter((node) => node.type === 'decision').length, decisions.length);
  const talkers = new Set(lines.map((line) => line.source).filter((who) => /backend|frontend|test|^claude_/.test(who)));
  assert.deepEqual(new Set(ui.nodes.filter((node) => node.type === 'worker').map((node) => node.data.label)), talkers);

  await ui.until('metrics', () => isDeepStrictEqual(board(ui), DONE));
  const { decisionsToday, avgConfidence, activeWorkers } = ui.node('pm-agent').data.metrics;
  assert.deepEqual([decisionsToday, activeWorkers], [decisions.length, agents.length]);
  assert.ok(Math.abs(avgConfidence - confidence) < 0.001, `${avgConfidence} is not ${confidence}`);
  assert.equal(ui.printMetrics()[0], '0 in progress, 100% completion rate');
  assertSound(ui);
});

page('Vue UI: a whole run of bus events', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const lines = [];
  ui.socket.on('conversation_event', (event) => lines.push(event));
  await publishLines(stoa.url, busEvents);
  await ui.until('all lines', () => lines.length >= busEvents.length);
  assert.equal(lines.length, busEvents.length);
  assert.equal(ui.events.length, 1000);
  const got = new Map(lines.map((line) => [line.id, line]));
  for (const event of busEvents) {
    const line = got.get(event.event_id);
    assert.ok(line, `missing: ${event.event_id}`);
    assert.equal(line.event_type, event.event_type);
    assert.equal(line.source, event.data.source ?? event.source);
    if (event.data.target) assert.equal(line.target, event.data.target);
    assert.equal(Date.parse(line.timestamp), Date.parse(event.timestamp));
  }
  const logged = busEvents.filter((event) => event.event_type === 'decision_logged');
  const texts = new Set(logged.map((event) => event.data.what));
  await ui.until('decisions', () => ui.received.decision_event >= texts.size);
  assert.deepEqual(new Set(ui.nodes.filter((node) => node.type === 'decision').map((node) => node.data.decision)), texts);
  // Marcus publishes each decision twice; it is one decision.
  const ids = new Set(logged.map((event) => event.data.decision_id));
  await ui.until('metrics', () => isDeepStrictEqual(board(ui), DONE));
  assert.equal(ui.node('pm-agent').data.metrics.decisionsToday, ids.size);
  assertSound(ui);
});

page('Vue UI: both streams in one burst, and no line is lost', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  await publishLines(stoa.url, busEvents);
  await publishLines(stoa.url, conversations);
  await ui.until('all lines', () => ui.received.conversation_event >= busEvents.length + conversations.length);
  assert.equal(ui.received.conversation_event, busEvents.length + conversations.length);
  assert.equal(ui.received.disconnect, undefined);
  // The same facts in two dialects are the same facts.
  const logged = new Set(busEvents.map((event) => event.data.decision_id).filter(Boolean));
  await ui.until('metrics', () => isDeepStrictEqual(board(ui), DONE)
    && ui.node('pm-agent').data.metrics.decisionsToday === logged.size + decisions.length);
  assertSound(ui);
});

page('Vue UI: comes back by itself and goes on', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const gone = ui.until('the loss', () => !ui.isConnected);
  await stoa.stop();
  await gone;
  const again = await startStoa({ port: stoa.port });
  try {
    await ui.until('the second subscription', () => ui.isConnected && ui.confirmed.length === 2);
    const line = { ...story()[1], message: 'Back again' };
    await publishLines(again.url, [line]);
    await ui.until('a line', () => ui.events.length === 1);
    assertReadAs(ui.events[0], line);
    assertSound(ui);
  } finally {
    ui.close();
    await again.stop();
  }
});
