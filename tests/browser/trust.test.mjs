// The statements of the page that a reader relies on: the age of its state, whose health it shows, which project is
// which.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fits, grave, picture } from './looks.mjs';
import { LIMIT, agent, connection, entries, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let quiet;

before(async () => {
  [browser, quiet] = await Promise.all([launch(), startStoa()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await quiet?.stop();
}, LIMIT);

const registered = (id, name) => ({ type: 'agent_registered', data: { agent_id: id, name } });
const refreshed = (risk_level) => ({ type: 'project_state_refreshed', data: { project_state: { board_id: 'b1', project_name: 'Depot', risk_level } } });

for (const view of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`while the server is away the page says from when it is: ${view}, ${colorScheme}`, LIMIT, async () => {
      let stoa = await startStoa();
      try {
        const { page, close } = await open(browser, stoa.url, { view, colorScheme });
        await connection(page, 'connected');
        await publish(stoa, registered('dio', 'Dio'), { type: 'project_created', project_id: 'p', data: { project_name: 'Porch', total_tasks: 3 } });
        await agent(page, 'dio').waitFor({ state: 'attached' });
        const strength = () => page.locator('.stage-frame').evaluate((element) => Number(getComputedStyle(element).opacity));
        assert.equal(await page.getByTestId('stale').count(), 0);
        assert.equal(await strength(), 1);

        await stoa.stop();
        await page.getByTestId('stale').first().filter({ hasText: /^As of \d\d:\d\d:\d\d$/ }).waitFor();
        await page.waitForFunction(() => Number(getComputedStyle(document.querySelector('.stage-frame')).opacity) < 0.6);
        await connection(page, 'offline');
        await fits(page);
        await picture(page, `${colorScheme}-away`, { fullPage: true });
        assert.deepEqual(await grave(page), []);

        stoa = await startStoa({ port: stoa.port });
        await connection(page, 'connected');
        await page.getByTestId('stale').first().waitFor({ state: 'detached' });
        await page.waitForFunction(() => Number(getComputedStyle(document.querySelector('.stage-frame')).opacity) === 1);
        await close();
      } finally {
        await stoa.stop();
      }
    });
  }
}

test('a risk is told as a risk, as it comes and after a reload', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  await publish(quiet, refreshed('high'));
  const health = page.getByTestId('health');
  await health.getByText('Risk: high', { exact: true }).waitFor();
  await publish(quiet, refreshed('low'));
  await health.getByText('Risk: low', { exact: true }).waitFor();
  assert.ok(!(await health.textContent()).includes('Nothing reported'));
  await page.reload();
  await health.getByText('Risk: low', { exact: true }).waitFor();
  await close();
});

test('a decision that came on two channels is told once', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  const decided = { type: 'decision_logged', data: { decision_id: 'd7', what: 'Paint it white', why: 'It is hot' } };
  await publish(quiet, decided, decided, registered('last', 'Last'));
  await entries(page).filter({ hasText: 'Last joined' }).waitFor();
  assert.equal(await entries(page).filter({ hasText: 'Paint it white' }).count(), 1);
  const list = page.getByRole('region', { name: 'Decisions', exact: true }).getByRole('listitem');
  assert.equal(await list.filter({ hasText: 'Paint it white' }).count(), 1);
  await close();
});

test('of two projects of one name the list says which is over', LIMIT, async () => {
  const { page, close } = await open(browser, quiet.url);
  await connection(page, 'connected');
  const project = (type, id, data) => ({ type: `project_${type}`, project_id: id, data: { project_name: 'Checkout', ...data } });
  await publish(quiet, project('created', 'one', { total_tasks: 2 }), project('completed', 'one', {}), project('created', 'two', { total_tasks: 4 }));
  const other = page.getByTestId('other-project').filter({ hasText: 'Checkout' });
  await other.filter({ hasText: /done \d\d:\d\d:\d\d/ }).waitFor();
  assert.equal(await other.count(), 1);
  assert.match(await page.getByTestId('project-progress').textContent(), /^Checkout.*0 of 4 tasks done/);
  await close();
});
