// The look of the operator's page, and whether everybody can use it: light and dark, phone and desktop, in each of its states.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { token } from '../js/guarded.mjs';
import { next } from '../js/server.mjs';
import { fingers, fits, grave, picture } from './looks.mjs';
import { form, openOperator, signIn, status } from './operator.mjs';
import { LIMIT, VIEWS, launch } from './page.mjs';
import { startGuarded, startStoa } from './stoa.mjs';

/** As narrow as phones are. */
const NARROW = { ...VIEWS.phone, viewport: { width: 375, height: 812 } };

let browser;
let guarded;
let jwt;
let sockets;

before(async () => {
  [browser, guarded] = await Promise.all([launch(), startGuarded({ demo: true })]);
  jwt = token('--role', 'admin', '--user', 'root');
  sockets = await Promise.all(['ann', 'bob', 'somebody.with.a.very.long.name@a-department.of-a-company.example.org'].map(async (user) => {
    const socket = io(guarded.url, { transports: ['websocket'], forceNew: true, auth: { token: token('--user', user, '--projects', '*'), name: 'dashboard' } });
    await next(socket, 'connection_established');
    return socket;
  }));
}, LIMIT);

after(async () => {
  for (const socket of sockets ?? []) socket.disconnect();
  await browser?.close();
  await guarded?.stop();
}, LIMIT);

const variants = ['phone', 'desktop'].flatMap((view) => ['light', 'dark'].map((colorScheme) => ({ view, colorScheme })));
const shown = (view) => (view === 'phone' ? NARROW : VIEWS.desktop);

for (const { view, colorScheme } of variants) {
  test(`the figures: ${view}, ${colorScheme}`, LIMIT, async () => {
    const { page, close } = await openOperator(browser, guarded, { ...shown(view), colorScheme });
    await form(page).waitFor();
    await page.evaluate(() => document.fonts.ready);
    await fits(page);
    await picture(page, `operator-${colorScheme}-form`);
    assert.deepEqual(await grave(page), []);

    await signIn(page, jwt);
    await status(page, 'live');
    await page.getByTestId('live-row').nth(2).waitFor();
    await page.getByTestId('table-types').waitFor();
    await page.waitForFunction(() => /L/.test(document.querySelector('[data-testid=rate-events] .line')?.getAttribute('d') ?? ''));
    await fits(page);
    if (view === 'phone') await fingers(page);
    await picture(page, `operator-${colorScheme}`);
    await picture(page, `operator-${colorScheme}-whole`, { fullPage: true });
    assert.deepEqual(await grave(page), []);

    await page.getByRole('button', { name: 'Disconnect ann', exact: true }).click();
    await fits(page);
    assert.deepEqual(await grave(page), []);
    await close();
  });

  test(`while the server is away: ${view}, ${colorScheme}`, LIMIT, async () => {
    const own = await startStoa();
    try {
      const { page, close } = await openOperator(browser, own, { ...shown(view), colorScheme });
      await status(page, 'live');
      await page.getByTestId('part-journal').waitFor();
      await own.stop();
      await page.getByTestId('stale').waitFor();
      await page.evaluate(() => document.fonts.ready);
      await fits(page);
      await picture(page, `operator-${colorScheme}-away`, { fullPage: true });
      assert.deepEqual(await grave(page), []);
      await close();
    } finally {
      await own.stop();
    }
  });
}

/** The answer of the API with figures and words as large as they may come. */
const LARGE = 987_654_321_012;
const WORD = 'a.very.long.word.'.repeat(12);
function grown(value) {
  if (typeof value === 'number') return value > 1 ? LARGE : value;
  if (Array.isArray(value)) return value.map(grown);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, grown(of)]));
  return value;
}

for (const width of [320, 375, 1024, 1440]) {
  test(`figures and words as large as they come, ${width} px`, LIMIT, async () => {
    const { page, close } = await openOperator(browser, guarded, { viewport: { width, height: 800 }, colorScheme: 'light' });
    await page.route(/\/(api\/v1|readyz)/, async (route) => {
      const answer = await route.fetch();
      if (!answer.ok()) return route.fulfill({ response: answer });
      const told = grown(await answer.json());
      const path = new URL(route.request().url()).pathname;
      if (path.endsWith('performance')) {
        Object.assign(told, {
          events_per_second: LARGE, deliveries_per_second: LARGE, p95_latency_ms: LARGE, degradation: { step: 3, name: 'low_refused', entered: { low_refused: LARGE } },
          circuit_breakers: [{ name: WORD, state: 'open', failures: LARGE, opened: LARGE, retry_in_ms: LARGE, last_error: WORD }],
        });
      }
      if (path.endsWith('health')) Object.assign(told, { health_score: 3, health_status: 'critical', issue_details: [{ code: 'x', severity: 'critical', message: WORD, action: WORD }] });
      if (path.endsWith('analytics')) Object.assign(told, { event_types: [{ type: WORD, updates: LARGE, deliveries: LARGE }], rooms: [{ room: WORD, members: LARGE, deliveries: LARGE }], feature_usage: { [WORD]: LARGE } });
      if (path === '/readyz') Object.assign(told.parts.journal, { status: 'degraded', reason: WORD });
      return route.fulfill({ response: answer, json: told });
    });
    await signIn(page, jwt);
    await page.getByTestId('issue').waitFor();
    await page.getByTestId('live-row').nth(2).waitFor();
    await page.getByTestId('table-types').waitFor();
    await fits(page);
    // Nothing is cut off by the edge of its panel, but for words that say so by an ellipsis.
    const outside = await page.evaluate(() => [...document.querySelectorAll('.card')].flatMap((card) => {
      const edge = card.getBoundingClientRect().right;
      return [...card.querySelectorAll('p, td, th, dd, li, button, h2, h3')].filter((part) => part.getBoundingClientRect().right > edge + 1).map((part) => part.textContent.trim().slice(0, 40));
    }));
    await picture(page, 'operator-large', { fullPage: true });
    assert.deepEqual(outside, []);
    await close();
  });
}

test('all that can be done can be done with the keyboard', LIMIT, async () => {
  const { page, close } = await openOperator(browser, guarded);
  await signIn(page, jwt);
  await page.getByTestId('live-row').nth(2).waitFor();
  const wanted = ['The stage', 'Pause', 'Forget token', 'Use dark colours', 'Search user, name or address', 'Disconnect ann'];
  const reached = new Set();
  const missing = () => wanted.filter((name) => !reached.has(name));
  for (let i = 0; i < 60 && missing().length > 0; i += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const ring = getComputedStyle(element);
      return { name: element.getAttribute('aria-label') ?? element.textContent.trim(), ring: ring.outlineStyle !== 'none' && parseFloat(ring.outlineWidth) >= 2, body: element === document.body };
    });
    if (at.body) continue;
    assert.ok(at.ring, `no focus to be seen on ${at.name}`);
    reached.add(at.name);
  }
  assert.deepEqual(missing(), [], `only reached: ${[...reached]}`);
  await close();
});

test('nothing moves for those who want no motion', LIMIT, async () => {
  const { page, close } = await openOperator(browser, guarded, { reducedMotion: 'reduce' });
  await signIn(page, jwt);
  await page.getByTestId('live-row').first().waitFor();
  const moving = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((element) => {
    const { transitionDuration, animationName } = getComputedStyle(element);
    return animationName !== 'none' || transitionDuration.split(',').some((of) => parseFloat(of) > 0);
  }).length);
  assert.equal(moving, 0);
  await close();
});
