// Seneca's own front-ends, as they are, before a Stoa: what each would show, that nothing in them throws, and that no
// place on the screen is blank, `undefined` or `NaN`. The cases of each page are in files of their own.
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { call, next } from './server.mjs';
import { openVue, page } from './seneca-cases.mjs';
import { ConversationsPage } from './seneca-conversations.mjs';
import { assertReadAs, publishLines, story } from './seneca-lines.mjs';
import { assertSound } from './seneca-page.mjs';
import { PipelineDashboard } from './seneca-pipeline.mjs';
import { HealthTab } from './seneca-vue.mjs';
import './seneca-cases-vue.mjs';
import './seneca-cases-health.mjs';
import './seneca-cases-conversations.mjs';
import './seneca-cases-pipeline.mjs';

page('what a page says first, as soon as it is connected, is heard', async (stoa, keep) => {
  for (let round = 0; round < 300; round += 1) {
    const socket = keep(io(stoa.url, { forceNew: true, transports: ['websocket'] }));
    const confirmed = next(socket, 'subscription_confirmed').catch((error) => {
      throw new Error(`of page ${round}: ${error.message}`);
    });
    socket.on('connect', () => socket.emit('subscribe_conversations', {}));
    await confirmed;
    socket.close();
  }
});

page('subscriptions on /: each is confirmed', async (stoa, keep) => {
  const socket = keep(io(stoa.url, { forceNew: true, transports: ['websocket'] }));
  await next(socket, 'connection_established');
  for (const [event, argument, type] of [
    ['subscribe_conversations', {}, 'conversations'],
    ['subscribe_health_updates', {}, 'health'],
    ['subscribe_pipeline_flow', {}, 'pipeline_flow'],
    ['subscribe_metrics', {}, 'metrics'],
    ['subscribe_flow', { flow_id: 'f1' }, 'flow'],
  ]) {
    const confirmed = next(socket, 'subscription_confirmed');
    assert.equal((await call(socket, event, argument)).status, 'ok', event);
    const reply = await confirmed;
    assert.deepEqual([reply.type, reply.status], [type, 'active'], event);
  }
  assert.equal((await call(socket, 'unsubscribe_flow', { flow_id: 'f1' })).status, 'ok');
  // Nothing to say is no reason to refuse.
  const bare = next(socket, 'subscription_confirmed');
  socket.emit('subscribe_conversations');
  assert.equal((await bare).type, 'conversations');
});

page('everybody gets the conversation with [seneca] broadcast', async (stoa, keep) => {
  const socket = keep(io(stoa.url, { forceNew: true, transports: ['websocket'] }));
  await next(socket, 'connection_established');
  const line = story()[1];
  const update = next(socket, 'conversation_event');
  await publishLines(stoa.url, [line]);
  assertReadAs(await update, line);
}, { env: { STOA_SENECA__BROADCAST: 'true' } });

page('nobody else gets the conversation without it', async (stoa, keep) => {
  const silent = keep(io(stoa.url, { forceNew: true, transports: ['websocket'] }));
  await next(silent, 'connection_established');
  const ui = await openVue(stoa, keep);
  const seen = [];
  silent.onAny((name) => seen.push(name));
  const assigned = next(silent, 'task_assignment');
  await publishLines(stoa.url, story());
  await ui.until('all lines', () => ui.events.length === 10);
  await assigned;
  await call(silent, 'ping', {});
  assert.deepEqual(seen.filter((name) => name === 'conversation_event' || name.endsWith('ment_event')), []);
});

page('careless producers: no page throws, and none prints what is no number', async (stoa, keep) => {
  const vue = await openVue(stoa, keep);
  const tab = new HealthTab(stoa.url, vue);
  const ui = keep(new ConversationsPage(stoa.url));
  await ui.until('the subscription', () => ui.replies.length === 2);
  const dashboard = keep(new PipelineDashboard(stoa.url));
  await dashboard.until('the connection', () => dashboard.received.connect);
  const log = { logger: 'marcus', level: 'info' };
  const careless = [
    { event: 'pm_decision', conversation_type: 'decision', decision: { choice: 'B' }, rationale: ['cheap'], alternatives_considered: [null, 'Plan C', { name: 'Plan D' }], confidence_score: '0.9', decision_factors: null, ...log },
    { type: 'decision.logged', source: 'agent_test_1', data: { what: 42, why: null, confidence: 'high', confidence_score: 'high' } },
    { event: 'worker_communication', conversation_type: 'worker_to_pm', worker_id: 'agent_test_1', message: 'Hello', metadata: 'none', ...log },
    { type: 'worker_registration', worker_id: 'agent_test_1', name: null, skills: null, target: 7 },
    { type: 'task.assigned', source: 'marcus', data: { agent_id: 'agent_test_1', task_id: 't1' } },
    { type: 'task.progress', source: 'agent_test_1', data: { agent_id: 'agent_test_1', task_id: 't1', progress: 10 } },
    { type: 'project_state_refreshed', task_count: 1, project_state: { board_id: 'b', total_tasks: 0, completed_tasks: 3, progress_percent: 250, risk_level: 'odd' } },
  ];
  await publishLines(stoa.url, careless);
  await vue.until('all lines', () => vue.events.length === careless.length);
  await vue.until('both decisions', () => vue.received.decision_event === 2);
  await ui.until('all lines', () => ui.conversations.length === careless.length);
  await dashboard.until('the flow', () => dashboard.dashboard.active_flows.length > 0);
  ui.render();
  await tab.open();
  tab.render();
  assertSound(dashboard, vue, ui);
});
