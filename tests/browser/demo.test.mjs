// The demo page against a real server with the demo's team at work, or with events that the test publishes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { LIMIT, PATIENCE_MS, agent, alive, animated, connection, entries, had, launch, noteClasses, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
/** The demo's team; only read by the tests. */
let team;
/** A server on which only happens what a test publishes; each test has agents of its own. */
let quiet;

before(async () => {
  [browser, team, quiet] = await Promise.all([launch(), startStoa({ demo: true }), startStoa()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await Promise.all([team?.stop(), quiet?.stop()]);
}, LIMIT);

const registered = (id, name) => ({ type: 'agent_registered', data: { agent_id: id, name } });
const turned = (id, from, to) => ({ type: 'agent_status_changed', data: { agent_id: id, old_status: from, new_status: to } });

test('with --demo the page comes alive, without an error', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, team.url);
  await connection(page, 'connected');
  assert.equal(await page.title(), 'Stoa');
  await alive(page, 3, 5);
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=task-node]').length >= 3);

  // Something new comes on top; how many there are says nothing, since the oldest go.
  const newest = await entries(page).first().textContent();
  await page.waitForFunction((text) => document.querySelector('[data-testid=feed-entry]').textContent !== text, newest);

  const latency = await page.waitForFunction(() => {
    const shown = document.querySelector('[data-testid=latency]');
    return shown?.dataset.latencyMs && /\d/.test(shown.textContent) ? { ms: Number(shown.dataset.latencyMs), text: shown.textContent } : null;
  });
  const { ms, text } = await latency.jsonValue();
  assert.match(text, /^[\d.]+ ms$/);
  assert.ok(ms > 0, `a round trip of ${ms} ms`);

  // Somebody moves by what the server says, and the project gets on.
  await page.waitForFunction(() =>
    [...document.querySelectorAll('[data-testid=agent-node]')].some((node) => Number(node.dataset.animCount) >= 2));
  await page.waitForFunction(() => document.querySelector('[data-testid=project-progress]')?.dataset.progress !== undefined);
  assert.deepEqual(troubles, []);
  await close();
});

test('the graph moves when an agent changes its status', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  await publish(quiet, registered('moves', 'Ada'));
  const ada = agent(page, 'moves');
  await ada.waitFor({ state: 'attached' });
  assert.match(await ada.textContent(), /Ada/);
  let count = Number(await ada.getAttribute('data-anim-count'));
  for (const [from, to] of [['idle', 'active'], ['active', 'blocked'], ['blocked', 'active'], ['active', 'idle']]) {
    await publish(quiet, turned('moves', from, to));
    count = await animated(page, 'moves', to, count);
  }
  // The class is there while the animation plays, and gone when it ended.
  await noteClasses(page);
  await publish(quiet, turned('moves', 'idle', 'active'));
  await had(page, 'moves', 'anim-pulse');
  await page.locator('[data-agent-id=moves].anim-none').waitFor({ state: 'attached' });

  // The list says the same in words.
  await page.getByRole('region', { name: 'Agents', exact: true }).getByRole('button', { name: /Ada.*active/ }).waitFor();
  assert.deepEqual(troubles, []);
  await close();
});

test('a task flows to its agent, is seen to progress, and is done', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  await publish(quiet, registered('worker', 'Berta'));
  await agent(page, 'worker').waitFor({ state: 'attached' });
  const task = page.locator('[data-testid=task-node][data-task-id=paint]');
  await noteClasses(page);
  const about = { agent_id: 'worker', task_id: 'paint', task_name: 'Paint the porch' };

  // A producer on Socket.IO this time.
  const producer = io(quiet.url, { auth: { name: 'browser test', role: 'producer' }, transports: ['websocket'] });
  try {
    const answer = await producer.timeout(PATIENCE_MS).emitWithAck('publish', { type: 'task_assigned', data: about });
    assert.equal(answer.status, 'ok');
    await had(page, 'worker', 'anim-flow');
  } finally {
    producer.close();
  }
  await page.locator('[data-task-id=paint][data-status=in_progress]').waitFor({ state: 'attached' });
  await publish(quiet, { type: 'task_progress', data: { ...about, progress: 50, status: 'in_progress' } });
  await page.locator('[data-agent-id=worker] .agent-progress').waitFor({ state: 'attached' });
  await publish(quiet, { type: 'task_completed', data: about });
  await page.locator('[data-task-id=paint][data-status=done]').waitFor({ state: 'attached' });
  assert.equal(await task.count(), 1);
  await entries(page).filter({ hasText: 'Berta finished “Paint the porch”' }).waitFor();
  await close();
});

test('a tool in use stands beside its agent, and work that is passed on is an edge between two', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  const of = (type, data) => ({ type, project_id: 'guild', data: { run_id: 'guild-1', ...data } });
  await publish(
    quiet, of('workflow.run.started', { name: 'Guild at work' }),
    of('agent.registered', { agent_id: 'finder', name: 'Finder' }), of('agent.registered', { agent_id: 'scribe', name: 'Scribe' }),
    of('task.assigned', { agent_id: 'finder', task_id: 'find', task_name: 'Find it' }),
    of('tool.started', { agent_id: 'finder', task_id: 'find', tool_call_id: 'k1', tool_name: 'search_docs' }),
  );
  const finder = page.locator('[data-agent-id=finder][data-project-id=guild]');
  await finder.getByTestId('tool-chip').filter({ hasText: 'search_docs' }).waitFor();
  await page.getByRole('region', { name: 'Agents', exact: true }).getByTestId('list-tool').filter({ hasText: 'search_docs' }).waitFor();
  await publish(quiet, of('tool.completed', { agent_id: 'finder', task_id: 'find', tool_call_id: 'k1', tool_name: 'search_docs', duration_ms: 200 }));
  await finder.getByTestId('tool-chip').waitFor({ state: 'detached' });
  await entries(page).filter({ hasText: 'Finder is done with search_docs after 200 ms' }).waitFor();
  // A call that is over before anybody can read its name is shown for a moment.
  await publish(quiet, ...['started', 'completed'].map((end) => of(`tool.${end}`, { agent_id: 'finder', tool_call_id: 'k2', tool_name: 'ls' })));
  await finder.getByTestId('tool-chip').filter({ hasText: 'ls' }).waitFor();
  await finder.getByTestId('tool-chip').waitFor({ state: 'detached' });

  await publish(quiet, of('agent.handoff', { from_agent_id: 'finder', to_agent_id: 'scribe', reason: 'it is found' }), of('task.assigned', { agent_id: 'scribe', task_id: 'write', task_name: 'Write it' }));
  const edge = page.locator('[data-testid=handoff][data-from=finder][data-to=scribe]');
  await edge.waitFor({ state: 'attached' });
  await page.reload();
  await edge.waitFor({ state: 'attached' });
  // Nobody hands out the work of this team: its run stands in the middle, and no project manager.
  await page.getByTestId('hub-label').filter({ hasText: 'Guild at work' }).waitFor();
  const hub = page.locator('[data-testid=hub-node][data-project-id=guild]');
  assert.doesNotMatch(await hub.locator('title').first().textContent(), /Project manager/);
  await publish(quiet, of('agent.registered', { agent_id: 'pm-agent', name: 'Manager' }));
  await hub.locator('title').filter({ hasText: 'Project manager' }).waitFor({ state: 'attached' });
  assert.deepEqual(troubles, []);
  await close();
});

test('what an agent asks can be answered on the page: by a choice, and in words', LIMIT, async () => {
  const { page, troubles, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  const of = (type, data) => ({ type, project_id: 'press', data: { agent_id: 'ed', ...data } });
  await publish(
    quiet, of('agent.registered', { name: 'Ed' }),
    of('input.requested', { request_id: 'q1', kind: 'confirmation', message: 'Print it <b>now</b>?', options: ['Print it', { label: 'Wait a day', value: 'wait' }] }),
    of('input.requested', { request_id: 'q2', message: 'What shall the headline be?' }),
  );
  const ed = page.locator('[data-agent-id=ed][data-project-id=press]');
  await ed.getByTestId('badge-hand').waitFor();
  await page.locator('[data-agent-id=ed][data-project-id=press][data-status=waiting]').waitFor({ state: 'attached' });
  const panel = page.getByTestId('questions');
  const first = panel.locator('[data-request-id=q1]');
  await first.getByText('Print it <b>now</b>?').waitFor();
  await first.getByRole('button', { name: 'Wait a day', exact: true }).click();
  await panel.getByTestId('answer-told').filter({ hasText: '“Wait a day” has reached Ed.' }).waitFor();
  await first.waitFor({ state: 'detached' });

  // The raised hand leads to what is still asked, which has its own address.
  await ed.getByTestId('badge-hand').click();
  await page.waitForFunction(() => location.hash.includes('open=question&id=q2'));
  await page.reload();
  const details = page.locator('[data-testid=details][data-kind=question]');
  await details.locator('.message').filter({ hasText: 'What shall the headline be?' }).waitFor();
  await details.getByLabel('Your answer').fill('A quiet week');
  await details.getByRole('button', { name: 'Answer', exact: true }).click();
  await details.getByText('“A quiet week” has reached Ed.').waitFor();
  await ed.getByTestId('badge-hand').waitFor({ state: 'detached' });
  const { events } = await (await fetch(`${quiet.url}/api/v1/events?type=input.received&project_id=press`)).json();
  assert.deepEqual(events.map(({ data }) => [data.request_id, data.answer]), [['q1', 'wait'], ['q2', 'A quiet week']]);
  assert.deepEqual(troubles, []);
  await close();
});

test('one who comes later sees what was before', LIMIT, async () => {
  await publish(quiet, registered('early', 'Chloe'), turned('early', 'idle', 'active'));
  const { page, close } = await open(browser, quiet.url);
  await page.locator('[data-testid=agent-node][data-agent-id=early][data-status=active]').waitFor({ state: 'attached' });
  await close();
});

test('nothing published yet: the page tells how to', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    const { page, close } = await open(browser, stoa.url);
    const empty = page.getByTestId('empty');
    await empty.waitFor();
    assert.match(await empty.textContent(), new RegExp(`curl ${stoa.url}/api/v1/events`));
    await publish(stoa, registered('first', 'Zeno'));
    await empty.waitFor({ state: 'detached' });
    await agent(page, 'first').waitFor({ state: 'attached' });
    await close();
  } finally {
    await stoa.stop();
  }
});

test('after a restart of the server the page comes back by itself', LIMIT, async () => {
  let stoa = await startStoa();
  try {
    const { page, close } = await open(browser, stoa.url);
    await connection(page, 'connected');
    await publish(stoa, registered('before', 'Dio'));
    await agent(page, 'before').waitFor({ state: 'attached' });

    await stoa.stop();
    await connection(page, 'connected', { not: true });
    await page.getByTestId('latency').filter({ hasNotText: /\d/ }).waitFor();

    stoa = await startStoa({ port: stoa.port });
    await connection(page, 'connected');
    await publish(stoa, registered('after', 'Euclid'), turned('after', 'idle', 'active'));
    await animated(page, 'after', 'active', 0);
    await entries(page).filter({ hasText: 'Euclid is active' }).waitFor();
    await close();
  } finally {
    await stoa.stop();
  }
});

test('the feed can be narrowed and held', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  await publish(
    quiet, registered('fay', 'Fay'), registered('gus', 'Gus'), turned('fay', 'idle', 'active'),
    { type: 'decision_logged', data: { agent_id: 'gus', what: 'Use marble', why: 'It lasts' } },
    { type: 'task_assigned', data: { agent_id: 'gus', task_id: 'hew', task_name: 'Hew a column' } },
  );
  await entries(page).filter({ hasText: 'Hew a column' }).waitFor();
  await entries(page).filter({ hasText: 'Use marble' }).waitFor();
  const all = await entries(page).count();
  /** Waits until every line shown fits, and that there is one. */
  const only = (attribute, value) =>
    page.waitForFunction(
      ([name, wanted]) => {
        const shown = [...document.querySelectorAll('[data-testid=feed-entry]')];
        return shown.length > 0 && shown.every((entry) => (name ? entry.dataset[name] === wanted : entry.textContent.includes(wanted)));
      },
      [attribute, value],
    );
  const showAll = async () => {
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.waitForFunction((count) => document.querySelectorAll('[data-testid=feed-entry]').length >= count, all);
  };

  await page.getByTestId('feed-filter').fill('marble');
  await only('', 'Use marble');
  await showAll();
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByRole('button', { name: 'Decisions', exact: true }).click();
  await only('family', 'decisions');
  await showAll();
  await page.getByLabel('Lowest priority').selectOption('high');
  await only('priority', 'high');
  await showAll();
  await page.getByLabel('Agent', { exact: true }).selectOption('fay');
  await only('', 'Fay');
  await showAll();
  await page.getByTestId('feed-filter').fill('no such thing anywhere');
  await page.getByText('No update fits these filters.').waitFor();
  await showAll();

  await page.getByTestId('feed-pause').click();
  await publish(quiet, registered('hal', 'Hal'));
  // It is known to the page, and counted, but not told yet.
  await agent(page, 'hal').waitFor({ state: 'attached' });
  await page.getByRole('button', { name: /^Resume \(\d+\)$/ }).waitFor();
  assert.equal(await entries(page).filter({ hasText: 'Hal joined' }).count(), 0);
  await page.getByTestId('feed-pause').click();
  await entries(page).filter({ hasText: 'Hal joined' }).waitFor();
  await close();
});

test('light or dark is the system’s choice until the reader’s, which is remembered', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url, { colorScheme: 'light' });
  /** Waits until the page is light or dark, and offers the other. */
  const is = async (theme) => {
    const other = theme === 'light' ? 'dark' : 'light';
    await page.waitForFunction((light) => {
      const [r, g, b] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number);
      return light ? (r + g + b) / 3 > 200 : (r + g + b) / 3 < 60;
    }, theme === 'light');
    await page.getByRole('button', { name: `Use ${other} colours`, exact: true }).waitFor();
  };
  // As the system is.
  await is('light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await is('dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await is('light');
  // By choice, and remembered.
  await page.getByTestId('theme-toggle').click();
  await is('dark');
  await page.reload();
  await is('dark');
  await close();
});

test('reduced motion: the state changes, nothing flies', LIMIT, async () => {
  const watch = (page) => page.evaluate(() => {
    window.drawn = 0;
    new MutationObserver((records) => records.forEach((record) => (window.drawn += record.addedNodes.length)))
      .observe(document.querySelector('.fx'), { childList: true });
  });
  const still = await open(browser, quiet.url, { reducedMotion: 'reduce' });
  const moving = await open(browser, quiet.url, { reducedMotion: 'no-preference' });
  for (const { page } of [still, moving]) {
    await connection(page, 'connected');
    await watch(page);
  }
  // Events before a page has its snapshot are in that, and move nothing.
  await publish(quiet, registered('ida', 'Ida'));
  for (const { page } of [still, moving]) await agent(page, 'ida').waitFor({ state: 'attached' });
  await publish(quiet, turned('ida', 'idle', 'active'));
  for (const { page } of [still, moving]) await animated(page, 'ida', 'active', 0);
  // The same update draws on the other page: so this can fail.
  await moving.page.waitForFunction(() => window.drawn > 0);
  assert.equal(await still.page.evaluate(() => window.drawn), 0);
  assert.equal(await still.page.evaluate(() => document.getAnimations().length), 0);
  await still.close();
  await moving.close();
});
