// The look of the page, and whether everybody can use it: light and dark, phone and desktop, at work and empty.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../js/guarded.mjs';
import { even, fingers, fits, grave, picture } from './looks.mjs';
import { LIMIT, alive, connection, launch, open } from './page.mjs';
import { publish, startStoa } from './stoa.mjs';

let browser;
let team;
let quiet;

before(async () => {
  [browser, team, quiet] = await Promise.all([launch(), startStoa({ demo: true }), startStoa()]);
}, LIMIT);

after(async () => {
  await browser?.close();
  await Promise.all([team?.stop(), quiet?.stop()]);
}, LIMIT);

for (const view of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`at work: ${view}, ${colorScheme}`, LIMIT, async () => {
      const { page, troubles, close } = await open(browser, team.url, { view, colorScheme });
      await connection(page, 'connected');
      await alive(page, 3, 8);
      await page.waitForFunction(() => document.querySelector('[data-testid=latency]')?.dataset.latencyMs);
      await page.evaluate(() => document.fonts.ready);
      await fits(page);
      await picture(page, colorScheme);
      await picture(page, `${colorScheme}-whole`, { fullPage: true });

      const look = () => page.evaluate(() => {
        const box = (id) => document.querySelector(`[data-testid=${id}]`).getBoundingClientRect();
        const stage = box('stage');
        const nodes = [...document.querySelectorAll('[data-testid=agent-node] .agent-disc')].map((node) => node.getBoundingClientRect());
        return {
          stage: { width: stage.width, height: stage.height },
          outside: nodes.filter((r) => r.left < stage.left || r.right > stage.right || r.top < stage.top || r.bottom > stage.bottom).length,
          covered: nodes.filter((a, i) => nodes.some((b, j) => j > i && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length,
        };
      });
      const { stage } = await look();
      assert.ok(stage.width > 300 && stage.height > 250, JSON.stringify(stage));
      // An agent on the way to another place may pass others by.
      await until('no agent is outside the stage or on top of another', async () => {
        const { outside, covered } = await look();
        return outside === 0 && covered === 0;
      });

      if (view === 'phone') {
        await page.getByRole('button', { name: 'Filter', exact: true }).click();
        await fingers(page);
        await picture(page, `${colorScheme}-filter`, { fullPage: true });
      }
      assert.deepEqual(await grave(page), []);
      assert.deepEqual(troubles, []);
      await close();
    });

    test(`empty: ${view}, ${colorScheme}`, LIMIT, async () => {
      const { page, close } = await open(browser, quiet.url, { view, colorScheme });
      await page.getByTestId('empty').waitFor();
      await page.evaluate(() => document.fonts.ready);
      await fits(page);
      await picture(page, `${colorScheme}-empty`);
      assert.deepEqual(await grave(page), []);
      await close();
    });
  }
}

test('many runs with long names stay within their panel; a message names who wrote it and nothing else', LIMIT, async () => {
  const stoa = await startStoa();
  try {
    await publish(
      stoa,
      ...Array.from({ length: 8 }, (_, n) => ({
        type: 'execution.completed', data: { execution_id: `x${n}`, name: `A build of the depot's inventory tracker, number ${n}`, status: 'completed' },
      })),
      {
        type: 'agent.message.appended',
        data: { agent_id: 'zeno', run_id: '7883b70b53ff4cbb9d2ce2a1a4b1c0de', message_id: 'm', role: 'assistant', content: 'Well said' },
      },
    );
    const { page, close } = await open(browser, stoa.url);
    const runs = page.getByRole('region', { name: 'Runs', exact: true });
    await page.waitForFunction(() => document.querySelectorAll('[aria-labelledby=runs-title] li').length === 8);
    await runs.scrollIntoViewIfNeeded();
    await even(page, 'Runs');
    await picture(page, 'runs', { fullPage: true });
    assert.equal(await page.getByTestId('message').locator('.who').textContent(), 'zeno');
    await close();
  } finally {
    await stoa.stop();
  }
});

test('all that can be done can be done with the keyboard', LIMIT, async () => {
  const { page, close } = await open(browser, team.url);
  await connection(page, 'connected');
  await alive(page, 3, 5);
  const reached = new Set();
  const missing = () => ['theme-toggle', 'feed-pause', 'feed-filter'].filter((wanted) => !reached.has(wanted));
  for (let i = 0; i < 80; i += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const ring = getComputedStyle(element);
      return { what: element.dataset.testid ?? element.className, ring: ring.outlineStyle !== 'none' && parseFloat(ring.outlineWidth) >= 2, body: element === document.body };
    });
    // Behind the last; or what had the focus has just gone, and the next is reached from where it was.
    if (at.body && missing().length === 0) break;
    if (at.body) continue;
    assert.ok(at.ring, `no focus to be seen on ${at.what}`);
    reached.add(at.what);
  }
  assert.deepEqual(missing(), [], `only reached: ${[...reached]}`);
  await close();
});
