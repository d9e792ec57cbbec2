// Seneca's pipeline dashboard and its older pages before a Stoa.
import assert from 'node:assert/strict';
import { call, next } from './server.mjs';
import { AGENT, PROJECT, confidence, page } from './seneca-cases.mjs';
import { busEvents, conversations, publishLines, senecaReads, story } from './seneca-lines.mjs';
import { assertSound, eventually } from './seneca-page.mjs';
import { OldPages, PipelineDashboard } from './seneca-pipeline.mjs';

page('pipeline dashboard', async (stoa, keep) => {
  const ui = keep(new PipelineDashboard(stoa.url));
  await ui.until('the connection', () => ui.received.connect);
  await ui.load();
  assert.deepEqual(ui.render(), {
    figures: ['Active Flows 0', 'Flows/Hour 0', 'Success Rate 100%', 'Avg Completion 0m'], cards: [],
  });
  await publishLines(stoa.url, conversations.slice(0, 400));
  // Told once a second: the first that comes may be of fewer lines.
  const half = await ui.until('the end of the flow after these lines', () => ui.dashboard.active_flows
    .find((flow) => Date.parse(flow.eta) > Date.parse(conversations[399].timestamp)));
  assert.ok(half.progress_percentage > 0 && half.progress_percentage < 100, `${half.progress_percentage}`);
  await publishLines(stoa.url, conversations.slice(400));
  const find = () => ui.dashboard.active_flows.find((flow) => flow.flow_id === PROJECT);
  const flow = await ui.until('the project', () => find()?.progress_percentage === 100 && find());
  assert.equal(flow.health_status.status, 'healthy');
  assert.deepEqual([flow.events_completed, flow.events_total_estimated], [40, 40]);
  // A page that opens now shows the same; what is told once a second may come a moment later.
  const late = keep(new PipelineDashboard(stoa.url));
  const { figures, cards } = await eventually(async () => {
    await late.load();
    const screen = ui.render();
    assert.deepEqual(late.render(), screen);
    return screen;
  });
  assert.deepEqual(late.dashboard.health_summary, ui.dashboard.health_summary);
  assertSound(late);
  assert.equal(figures[0], `Active Flows ${ui.dashboard.active_flows.length}`);
  assert.deepEqual(cards.find(([id]) => id === PROJECT).slice(0, 4), [
    PROJECT, 'health-healthy', 'width 100%', `Stage: ${flow.current_stage}`,
  ]);
  assertSound(ui);

  // The page never asks for one flow, but it may: the flow is then replaced in its place.
  const where = late.dashboard.active_flows.findIndex((one) => one.flow_id === PROJECT);
  await late.until('the connection', () => late.received.connect);
  assert.equal((await call(late.socket, 'subscribe_flow', { flow_id: PROJECT })).status, 'ok');
  const update = next(late.socket, 'flow_update', (one) => one.flow_id === PROJECT);
  await publishLines(stoa.url, [{
    type: 'task_blocked', source: AGENT, timestamp: conversations.at(-1).timestamp,
    data: { agent_id: AGENT, task_id: 'late', blocker: 'No key', severity: 'high', project_id: PROJECT },
  }]);
  assert.equal((await update).health_status.status, 'warning');
  await late.until('the flow', () => late.dashboard.active_flows[where].health_status.status === 'warning');
  assert.equal((await call(late.socket, 'unsubscribe_flow', { flow_id: PROJECT })).status, 'ok');
  await ui.until('the dashboard', () => find().health_status.status === 'warning');
  assert.equal(ui.dashboard.health_summary.warning >= 1, true);
  assert.equal(ui.received.flow_update, undefined);
  assertSound(ui);
  assertSound(late);
});

page('pipeline dashboard: both streams of one run are one flow', async (stoa, keep) => {
  const ui = keep(new PipelineDashboard(stoa.url));
  await ui.until('the connection', () => ui.received.connect);
  await publishLines(stoa.url, busEvents);
  await publishLines(stoa.url, conversations);
  await ui.until('the end', () => ui.dashboard.system_metrics.flows_per_hour === 1);
  await eventually(async () => {
    await ui.load();
    const { figures, cards } = ui.render();
    assert.deepEqual(figures, ['Active Flows 1', 'Flows/Hour 1', 'Success Rate 100%', 'Avg Completion 10m']);
    assert.deepEqual(cards[0].slice(0, 3), [PROJECT, 'health-healthy', 'width 100%']);
    assert.equal(cards[0].some((line) => line.startsWith('ETA')), false);
  });
  assertSound(ui);
});

page('pipeline dashboard: a flow of the pipeline itself', async (stoa, keep) => {
  const ui = keep(new PipelineDashboard(stoa.url));
  await ui.until('the connection', () => ui.received.connect);
  const at = (seconds) => new Date(Date.now() - 60_000 + seconds * 1000).toISOString();
  const step = (seconds, type, stage) => ({ type, timestamp: at(seconds), source: 'pipeline', data: { flow_id: 'flow_7', stage, status: 'completed' } });
  await publishLines(stoa.url, [step(0, 'create_project_request', 'mcp_request'), step(5, 'tasks_generated', 'task_generation')]);
  const flow = await ui.until('the stage', () => ui.dashboard.active_flows.find((one) => one.current_stage === 'task_generation'));
  assert.equal(flow.flow_id, 'flow_7');
  assert.ok(flow.progress_percentage > 0 && flow.progress_percentage < 100);
  await publishLines(stoa.url, [step(30, 'pipeline_completed', 'task_completion')]);
  await ui.until('the end', () => ui.dashboard.active_flows[0]?.progress_percentage === 100);
  assert.deepEqual(ui.render().figures.slice(1, 3), ['Flows/Hour 1', 'Success Rate 100%']);
  assertSound(ui);
});

page('older pages: summary and flows', async (stoa, keep) => {
  await publishLines(stoa.url, conversations);
  const ui = keep(new OldPages(stoa.url));
  await ui.until('the answers', () => ui.summary && ui.flows && ui.confirmed.length === 2);
  assert.deepEqual(ui.confirmed.map((reply) => [reply.type, reply.status]), [['conversations', 'active'], ['pipeline_flow', 'active']]);
  // The result of Seneca's own parser for these lines.
  await ui.until('the sums', () => ui.summary.total_events === conversations.length);
  const { active_workers, decision_count, blocker_count, completion_count, tasks_in_progress, event_types } = ui.summary;
  assert.deepEqual(
    { active_workers, decision_count, blocker_count, completion_count, tasks_in_progress },
    { active_workers: 6, decision_count: 54, blocker_count: 6, completion_count: 40, tasks_in_progress: 0 },
  );
  const counted = {};
  for (const line of conversations) counted[senecaReads(line).event_type] = (counted[senecaReads(line).event_type] ?? 0) + 1;
  assert.deepEqual(event_types, counted);
  assert.ok(Math.abs(ui.summary.avg_confidence - confidence) < 0.001);
  const flow = await ui.until('the flow', () => ui.flows.find((one) => one.id === PROJECT));
  assert.equal(flow.project_name, 'Depot Inventory Tracker');
  assert.equal(typeof flow.current_stage, 'string');
  assert.ok(flow.event_count > 0);

  const before = ui.flows;
  await publishLines(stoa.url, story());
  await ui.until('the lines', () => ui.events === 12);
  await ui.until('the new flows', () => ui.flows !== before && ui.flows.length > before.length);
  assertSound(ui);
});
