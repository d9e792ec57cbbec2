// Seneca's `/conversations` page before a Stoa.
import assert from 'node:assert/strict';
import { AGENT, agents, confidence, page } from './seneca-cases.mjs';
import { ConversationsPage } from './seneca-conversations.mjs';
import { busEvents, conversations, publishLines, senecaReads, story } from './seneca-lines.mjs';
import { assertSound, get } from './seneca-page.mjs';

page('/conversations: a story', async (stoa, keep) => {
  const ui = keep(new ConversationsPage(stoa.url));
  await ui.until('the subscription', () => ui.replies.length === 2 && ui.received.agents_update === 1);
  assert.deepEqual(ui.replies.map(([name]) => name), ['connected', 'subscribed']);
  assert.equal(typeof ui.replies[0][1].client_id, 'string');
  assert.equal(ui.replies[1][1].status, 'success');
  assert.deepEqual(ui.replies[1][1].filters, ui.filters);
  assert.deepEqual(ui.activeAgents, []);

  const lines = story();
  for (const [at, line] of lines.entries()) {
    await publishLines(stoa.url, [line]);
    await ui.until(`line ${at}`, () => ui.conversations.length > at);
  }
  const types = ui.conversations.map((line) => line.type).reverse();
  assert.deepEqual(types, [
    undefined, 'worker_message', undefined, 'pm_thinking', 'pm_decision', undefined, undefined, undefined, 'blocker', undefined,
  ]);
  assert.equal(ui.shown.length, lines.length);
  const { bubbles, figures } = ui.render();
  bubbles.reverse();
  assert.equal(bubbles[1][0], 'agent: agent_backend_1 → marcus');
  assert.equal(bubbles[1][2], 'Ready for work');
  assert.deepEqual(bubbles[4].slice(2, 4), ['Give the inventory data model to agent_backend_1', '87% confident']);
  assert.equal(bubbles[4].at(-1), '[Write the API] Write the API (62% match)');
  assert.ok(bubbles[8].includes('task task_0001'), bubbles[8].join('\n'));
  assert.equal(bubbles[9][0], 'system: unknown → unknown');
  assert.equal(figures, '10/h, 1 agents, 87%');
  await ui.until('the thought', () => ui.thought);
  assert.equal(ui.thought, 'Which task fits best?');
  await ui.until('the agent', () => ui.activeAgents.length === 1);
  assert.deepEqual(ui.activeAgents[0], { id: AGENT, name: 'Backend Agent 1' });
  assertSound(ui);

  // A page that opens now knows the agents and the lines at once.
  const late = keep(new ConversationsPage(stoa.url));
  await late.until('the agents', () => late.activeAgents.length === 1);
  await late.load();
  assert.deepEqual(late.conversations.map((line) => line.id), ui.conversations.map((line) => line.id));
  assert.equal(late.render().figures, '0/h, 1 agents, 87%');
  assertSound(late);
});

page('/conversations: filters, unsubscribe, subscribe again', async (stoa, keep) => {
  const all = keep(new ConversationsPage(stoa.url));
  const mine = keep(new ConversationsPage(stoa.url, { agentId: AGENT }));
  const types = { worker_message: true, pm_decision: true, pm_thinking: false, blocker: false };
  const some = keep(new ConversationsPage(stoa.url, { types }));
  for (const ui of [all, mine, some]) await ui.until('the subscription', () => ui.replies.length === 2);
  const lines = story();
  const end = { ...lines[1], message: 'That was all' };
  await publishLines(stoa.url, lines);
  await publishLines(stoa.url, [end]);
  const ended = (ui) => ui.until('the end', () => ui.conversations.find((line) => line.message === end.message));
  for (const ui of [all, mine, some]) await ended(ui);
  const count = (wanted) => lines.filter((line) => wanted(senecaReads(line))).length + 1;
  assert.equal(all.conversations.length, lines.length + 1);
  assert.equal(mine.conversations.length, count((line) => line.source === AGENT || line.target === AGENT));
  assert.ok(mine.conversations.every((line) => line.source === AGENT || line.target === AGENT));
  assert.equal(some.conversations.length, count((line) => !['pm_thinking', 'blocker_report'].includes(line.event_type)));
  // The list of agents is for everybody.
  for (const ui of [all, mine, some]) await ui.until('the agent', () => ui.activeAgents.length === 1);

  mine.socket.emit('unsubscribe');
  await mine.until('the end of the subscription', () => mine.replies.length === 3);
  assert.deepEqual([mine.replies[2][0], mine.replies[2][1].status], ['unsubscribed', 'success']);
  const missed = { ...lines[1], message: 'Not for those who left' };
  await publishLines(stoa.url, [missed]);
  await all.until('the line', () => all.conversations[0].message === missed.message);
  // A subscription replaces the one before.
  mine.socket.emit('subscribe', { filters: { agentId: 'agent_docs_1', types: {}, timeRange: 60 } });
  await mine.until('the new subscription', () => mine.replies.length === 4);
  await publishLines(stoa.url, [lines[1], { ...lines[1], worker_id: 'agent_docs_1', message: 'From the docs' }]);
  await mine.until('the line', () => mine.conversations[0].source === 'agent_docs_1');
  assert.equal(mine.conversations[1].message, end.message);
  for (const ui of [all, mine, some]) assertSound(ui);
});

page('/conversations: thoughts are for everybody, whatever they filter', async (stoa, keep) => {
  const mine = keep(new ConversationsPage(stoa.url, { agentId: AGENT }));
  await mine.until('the subscription', () => mine.replies.length === 2);
  const [, ready, , thought] = story();
  await publishLines(stoa.url, [thought, ready]);
  await mine.until('the line', () => mine.conversations.length === 1);
  await mine.until('the thought', () => mine.thought === thought.thought);
  assertSound(mine);
});

page('/conversations: a whole run', async (stoa, keep) => {
  const ui = keep(new ConversationsPage(stoa.url));
  await ui.until('the subscription', () => ui.replies.length === 2);
  await publishLines(stoa.url, conversations);
  await ui.until('all lines', () => ui.conversations.length >= conversations.length);
  assert.equal(ui.conversations.length, conversations.length);
  assert.equal(new Set(ui.conversations.map((line) => line.id)).size, conversations.length);
  assert.equal(ui.shown.length, conversations.length);
  assert.equal(ui.received.marcus_thinking, conversations.filter((line) => line.event === 'pm_thinking').length);
  await ui.until('the agents', () => ui.activeAgents.length === agents.length);
  assert.deepEqual(ui.activeAgents.map((agent) => agent.id).sort(), agents);
  const names = new Map(conversations.filter((line) => line.type === 'worker_registration').map((line) => [line.worker_id, line.name]));
  assert.deepEqual(new Map(ui.activeAgents.map((agent) => [agent.id, agent.name])), new Map([...names].sort()));
  assert.equal(ui.stats.activeAgents, agents.length);
  assert.ok(Math.abs(ui.stats.avgConfidence - confidence) < 1e-9);
  ui.render();
  assertSound(ui);

  const late = keep(new ConversationsPage(stoa.url));
  await late.until('the agents', () => late.activeAgents.length === agents.length);
  await late.load();
  assert.equal(late.conversations.length, 50);
  const newest = ui.conversations.map((line) => Date.parse(line.timestamp)).sort((a, b) => b - a).slice(0, 50);
  assert.deepEqual(late.conversations.map((line) => Date.parse(line.timestamp)), newest);
  assert.equal(late.hasMore, true);
  assert.equal(late.stats.activeAgents, agents.length);
  assert.ok(Math.abs(late.stats.avgConfidence - confidence) < 0.001);
  late.render();
  assertSound(late);

  const { body } = await get(stoa.url, `/api/conversations/recent?limit=1000&offset=0&time_range=60&agent_id=${AGENT}`);
  const own = conversations.map(senecaReads).filter((line) => line.source === AGENT || line.target === AGENT);
  assert.equal(body.total, own.length);
  assert.equal(body.conversations.length, own.length);
  const second = await get(stoa.url, '/api/conversations/recent?limit=50&offset=50&time_range=60');
  const ids = new Set(late.conversations.map((line) => line.id));
  assert.ok(second.body.conversations.every((line) => !ids.has(line.id)));
  assert.equal(second.body.conversations.length, 50);
});

page('/conversations: a whole run of bus events', async (stoa, keep) => {
  const ui = keep(new ConversationsPage(stoa.url));
  await ui.until('the subscription', () => ui.replies.length === 2);
  await publishLines(stoa.url, busEvents);
  await ui.until('all lines', () => ui.received.conversation >= busEvents.length);
  assert.equal(ui.received.conversation, busEvents.length);
  await ui.until('the agents', () => ui.activeAgents.length === agents.length);
  assert.deepEqual(ui.activeAgents.map((agent) => agent.id).sort(), agents);
  ui.render();
  assertSound(ui);
});
