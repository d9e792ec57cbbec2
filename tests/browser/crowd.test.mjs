// Many on the stage: nobody covers another, no label covers anything, and all are to be found. Two projects' namesakes are two.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { until } from '../js/guarded.mjs';
import { fits, grave, picture } from './looks.mjs';
import { LIMIT, PATIENCE_MS, agent, connection, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;

before(async () => {
  browser = await launch();
}, LIMIT);

after(() => browser?.close(), LIMIT);

async function crowd(stoa, count) {
  const kinds = ['Backend', 'Frontend', 'Docs', 'Research'];
  const events = Array.from({ length: count }, (_, n) => ({
    type: 'agent.registered', project_id: 'p', data: { agent_id: `a${n}`, name: `${kinds[n % 4]} Agent ${n}`, status: n % 3 ? 'working' : 'idle' },
  }));
  await publish(
    stoa, ...events, ...events.map(({ data: { agent_id } }, n) => ({ type: 'task.assigned', project_id: 'p', data: { agent_id, task_id: `t${n}`, task_name: `Build the part number ${n}` } })),
    ...events.filter((_, n) => n % 3 === 1).map(({ data: { agent_id } }, n) => ({ type: 'tool.started', project_id: 'p', data: { agent_id, tool_call_id: `k${n}`, tool_name: ['web_search', 'query_the_warehouse', 'ls'][n % 3] } })),
    ...events.slice(0, 2).map(({ data: { agent_id } }, n) => ({ type: 'input.requested', project_id: 'p', data: { agent_id, request_id: `q${n}`, message: 'May I go on?', options: ['Yes', 'No'] } })),
    { type: 'agent.handoff', project_id: 'p', data: { from_agent_id: 'a3', to_agent_id: 'a7', reason: 'it is ready' } },
  );
}

/** The things that cover each other, by the boxes that the browser drew; moving things are looked at again. */
const covered = (page) => page.evaluate(() => {
  const boxes = (what) => [...document.querySelectorAll(what)].map((element) => ({ what: element.textContent.trim() || element.closest('[data-agent-id]')?.dataset.agentId, box: element.getBoundingClientRect() }));
  const stage = document.querySelector('[data-testid=stage]').getBoundingClientRect();
  // Boxes of text have some room above and below the letters.
  const overlap = ({ box: a }, { box: b }, slack) => a.left + slack < b.right && b.left + slack < a.right && a.top + slack < b.bottom && b.top + slack < a.bottom;
  const labels = boxes('[data-testid=agent-label] text, [data-testid=hub-label] text, [data-testid=tool-chip] rect');
  const discs = boxes('.agent-disc');
  const inDisc = (label, { box }) => {
    const [x, y, r] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2, box.width / 2];
    const dx = Math.max(label.box.left - x, 0, x - label.box.right);
    const dy = Math.max(label.box.top - y, 0, y - label.box.bottom);
    return Math.hypot(dx, dy) < r - 1;
  };
  const found = [];
  labels.forEach((a, i) => labels.slice(i + 1).forEach((b) => overlap(a, b, 2) && found.push(`${a.what} / ${b.what}`)));
  labels.forEach((a) => discs.forEach((b) => inDisc(a, b) && found.push(`${a.what} on ${b.what}`)));
  labels.forEach(({ what, box }) => (box.left < stage.left - 1 || box.right > stage.right + 1) && found.push(`${what} outside`));
  discs.forEach((a, i) => discs.slice(i + 1).forEach((b) => overlap(a, b, 4) && found.push(`${a.what} and ${b.what}`)));
  return { found, labels: document.querySelectorAll('[data-testid=agent-label]').length, tools: document.querySelectorAll('[data-testid=tool-chip], [data-testid=badge-tool]').length, discs: discs.length };
});

/** So many of a crowd are named at least, by the width of the screen: those without room are named when they are looked at. */
const NAMED = { 13: { phone: 9, tablet: 13, desktop: 13 }, 40: { phone: 2, tablet: 20, desktop: 30 }, 150: { phone: 2, tablet: 2, desktop: 2 } };

for (const count of [13, 40, 150]) {
  test(`${count} agents, with tools in use and questions: phone, tablet, desktop`, LIMIT, async (t) => {
    const stoa = await startStoa();
    try {
      await crowd(stoa, count);
      for (const [view, named] of Object.entries(NAMED[count])) {
        const { page, troubles, close } = await open(browser, stoa.url, { view, colorScheme: view === 'tablet' ? 'light' : 'dark' });
        await connection(page, 'connected');
        await page.evaluate(() => document.fonts.ready);
        await page.waitForFunction((all) => document.querySelectorAll('.agent-disc').length === all, count);
        let seen;
        await until('nothing covers anything', async () => {
          seen = await covered(page);
          return seen.found.length === 0;
        }).catch((error) => assert.fail(`${view}: ${error.message}: ${seen.found.slice(0, 8).join(', ')}`));
        t.diagnostic(`${view}: ${seen.labels} of ${count} are named, ${seen.tools} tools`);
        assert.ok(seen.labels >= named, `${view}: only ${seen.labels} labels`);
        await fits(page);
        await picture(page, `crowd-${count}`, { fullPage: true });
        if (count === 150 && view !== 'tablet') await found(page);
        assert.deepEqual(await grave(page), []);
        assert.deepEqual(troubles, []);
        if (count === 40 && view === 'desktop') await pace(page, stoa, t);
        await close();
      }
    } finally {
      await stoa.stop();
    }
  });
}

/** One without a label is named when it is looked at, and all are in the list. */
async function found(page) {
  await page.getByRole('button', { name: 'All 150 agents' }).click();
  const panel = page.getByTestId('details');
  await panel.getByRole('searchbox').fill('Docs Agent 146');
  await panel.getByTestId('list-row').getByRole('button').click();
  await page.locator('[data-agent-id=a146].selected').waitFor({ state: 'attached' });
  const label = await page.locator('[data-agent-id=a146] [data-testid=agent-label]').count();
  assert.equal(label + (await page.getByTestId('pointed-label').count()) > 0, true, 'the selected one has no name');
}

/**
 * 200 updates a second for some seconds: the page may compute for no more than half of the time, measured in its own time on the
 * processor, since the other half is for painting. The frames of each second are only said: without a graphics card they tell more of the machine.
 */
async function pace(page, stoa, t) {
  const SECONDS = 5;
  const BATCH = 20;
  const producer = io(stoa.url, { auth: { name: 'pace', role: 'producer' }, transports: ['websocket'] });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const COMPUTED = ['ScriptDuration', 'LayoutDuration', 'RecalcStyleDuration'];
  const busy = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return metrics.filter(({ name }) => COMPUTED.includes(name)).reduce((sum, { value }) => sum + value, 0);
  };
  await page.evaluate(() => {
    window.frames200 = 0;
    const count = () => (window.frames200 += 1) && requestAnimationFrame(count);
    requestAnimationFrame(count);
  });
  const [before, began] = [await busy(), Date.now()];
  for (let n = 0, due = began; n < SECONDS * 200; n += BATCH) {
    const events = Array.from({ length: BATCH }, (_, i) => {
      const id = (n + i) % 40;
      const about = { agent_id: `a${id}`, task_id: `t${id}` };
      // Of each kind some: most of what moves, and nothing that is coalesced away.
      return [
        { type: 'agent.status.changed', project_id: 'p', data: { ...about, new_status: (n + i) % 80 < 40 ? 'working' : 'idle' } },
        { type: 'tool.started', project_id: 'p', data: { ...about, tool_call_id: `c${n + i}`, tool_name: 'search' } },
        { type: 'agent.handoff', project_id: 'p', data: { from_agent_id: `a${id}`, to_agent_id: `a${(id + 7) % 40}` } },
        { type: 'tool.completed', project_id: 'p', data: { ...about, tool_call_id: `c${n + i - 2}`, tool_name: 'search' } },
      ][i % 4];
    });
    const answer = await producer.timeout(PATIENCE_MS).emitWithAck('publish', events);
    assert.equal(answer.status, 'ok', JSON.stringify(answer).slice(0, 200));
    due += (BATCH / 200) * 1000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - Date.now())));
  }
  const took = (Date.now() - began) / 1000;
  const frames = await page.evaluate(() => window.frames200);
  const share = ((await busy()) - before) / took;
  const [perSecond, updates] = [frames / took, (SECONDS * 200) / took];
  producer.close();
  await cdp.detach();
  t.diagnostic(`${Math.round(updates)} updates/s: ${Math.round(perSecond)} frames/s, ${Math.round(100 * share)} % of the time computed`);
  assert.ok(share <= 0.5, `the page computes for ${Math.round(100 * share)} % of the time`);
}

test('a thousand agents: so many as there is room for, and the word of the others leads to all', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    for (let n = 0; n < 1000; n += 500) {
      await publish(stoa, ...Array.from({ length: 500 }, (_, i) => ({ type: 'agent.registered', data: { agent_id: `a${n + i}` } })));
    }
    const { page, close } = await open(browser, stoa.url);
    await connection(page, 'connected');
    const more = page.getByTestId('more-agents');
    await more.filter({ hasText: /^and \d+ agents more$/ }).waitFor();
    const [, hidden] = /(\d+)/.exec(await more.textContent());
    assert.equal(await page.locator('.agent-disc').count(), 1000 - Number(hidden));
    await more.click();
    await page.getByTestId('details').getByRole('searchbox').fill('a999');
    await page.getByTestId('details').getByTestId('list-row').waitFor();
    await close();
  } finally {
    await stoa.stop();
  }
});

test('two projects’ agents and tasks of one id are two, and the reader chooses', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    const { page, troubles, close } = await open(browser, stoa.url);
    await connection(page, 'connected');
    const of = (project_id, name) => [
      { type: 'project.created', project_id, data: { project_name: name } },
      { type: 'agent.registered', project_id, data: { agent_id: 'writer', name: `Writer of ${name}`, status: 'working' } },
      { type: 'task.assigned', project_id, data: { agent_id: 'writer', task_id: 't1', task_name: `Write for ${name}` } },
    ];
    await publish(stoa, ...of('p1', 'Blog'), ...of('p2', 'Shop'), { type: 'task.completed', project_id: 'p1', data: { agent_id: 'writer', task_id: 't1' } });
    const two = async () => {
      await page.waitForFunction(() => document.querySelectorAll('[data-testid=agent-node][data-agent-id=writer]').length === 2);
      await page.locator('[data-agent-id=writer][data-project-id=p1]').filter({ hasText: 'Writer of Blog' }).waitFor({ state: 'attached' });
      await page.locator('[data-agent-id=writer][data-project-id=p2]').filter({ hasText: 'Writer of Shop' }).waitFor({ state: 'attached' });
      await page.waitForFunction(() => [...document.querySelectorAll('[data-task-id=t1]')].map(({ dataset }) => dataset.status).sort().join() === 'done,in_progress');
    };
    await two();
    await page.reload();
    await two();
    await picture(page, 'two-projects');

    await page.getByTestId('project-chooser').selectOption({ label: 'Shop' });
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=agent-node]').length === 1);
    assert.equal(await agent(page, 'writer').getAttribute('data-project-id'), 'p2');
    assert.match(page.url(), /#project=p2/);
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=agent-node]').length === 1);
    assert.equal(await page.getByTestId('project-chooser').inputValue(), 'p2');
    await page.getByTestId('project-chooser').selectOption('');
    await two();
    assert.deepEqual(troubles, []);
    await close();
  } finally {
    await stoa.stop();
  }
});
