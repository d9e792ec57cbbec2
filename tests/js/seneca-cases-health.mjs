// The Vue UI's health tab before a Stoa.
import assert from 'node:assert/strict';
import { next } from './server.mjs';
import { openVue, page } from './seneca-cases.mjs';
import { publishLines, story } from './seneca-lines.mjs';
import { assertSound, eventually, get } from './seneca-page.mjs';
import { HealthTab } from './seneca-vue.mjs';

page('health tab: nothing, then the whole object, by REST and by the socket', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const tab = new HealthTab(stoa.url, ui);
  assert.equal((await get(stoa.url, '/api/health/current')).status, 404);
  await tab.open();
  assert.deepEqual(tab.render(), ['No health analysis available']);
  assert.equal(tab.showHistory, false);

  tab.follow();
  await ui.until('the subscription', () => ui.confirmed.some((reply) => reply.type === 'health' && reply.status === 'active'));
  assert.equal(tab.data, null);
  const lines = story();
  await publishLines(stoa.url, lines);
  await ui.until('a health update', () => tab.data);
  assert.equal(tab.data.overall_health, 'yellow');
  assertSound(ui);

  await tab.open();
  const shown = tab.render();
  assert.deepEqual(shown.slice(0, 1), ['health-yellow YELLOW']);
  assert.ok(shown.includes('blocked_task risk-high No unique key Mitigation: Add a composite key'), shown.join('\n'));
  assert.ok(shown.some((line) => line.startsWith('priority-high Add a composite key')), shown.join('\n'));
  assert.equal(tab.showHistory, true);
  assert.ok(shown.at(-1).endsWith('health-yellow'), shown.join('\n'));
  assert.equal(Date.parse(tab.data.timestamp), Date.parse(lines.at(-1).timestamp));
  assertSound(ui);

  // A page that subscribes later gets at once what is known.
  const late = await openVue(stoa, keep);
  const lateTab = new HealthTab(stoa.url, late);
  lateTab.follow();
  await late.until('the known health', () => lateTab.data);
  assert.equal(lateTab.data.overall_health, 'yellow');
  assertSound(late);
});

page('health tab: a reported change of the health', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const tab = new HealthTab(stoa.url, ui);
  const update = next(ui.socket, 'health_update');
  await publishLines(stoa.url, [{
    type: 'system.health.changed', source: 'monitor', timestamp: new Date().toISOString(),
    data: { severity: 'critical', status: 'degraded', message: 'The board does not answer' },
  }]);
  assert.equal((await update).data.message, 'The board does not answer');
  await tab.open();
  assert.equal(tab.render()[0], 'health-red RED');
  assertSound(ui);
});

page('health tab: the update of a reported change can be shown as well', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const tab = new HealthTab(stoa.url, ui);
  tab.follow();
  await ui.until('the subscription', () => ui.confirmed.length === 2);
  await publishLines(stoa.url, [{
    type: 'system.health.changed', source: 'monitor', timestamp: new Date().toISOString(),
    data: { severity: 'critical', status: 'degraded', message: 'The board does not answer' },
  }]);
  await ui.until('a health update', () => tab.data);
  assert.equal(tab.render()?.[0], 'health-red RED', ui.thrown.join('\n'));
  assertSound(ui);
});

page('careless producers: an analysis of their own does not blank the health tab', async (stoa, keep) => {
  const ui = await openVue(stoa, keep);
  const tab = new HealthTab(stoa.url, ui);
  await publishLines(stoa.url, [{
    type: 'system.health.changed', source: 'monitor',
    data: { severity: 'warning', timeline_prediction: { confidence: 0.5 }, risk_factors: [null, 'disk'], recommendations: [{}] },
  }]);
  await eventually(async () => {
    await tab.open();
    assert.ok(tab.data, 'what was published is known');
  });
  ui.thrown.length = 0;
  ui.faults.length = 0;
  assert.equal(tab.render()?.[0], 'health-yellow YELLOW', ui.thrown.join('\n'));
  assertSound(ui);
});
