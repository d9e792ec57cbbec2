// The browser, and one page of it that keeps account of all that went wrong in it.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
/** The time that a page may take to show something: far above its need, and below a test's own limit. */
export const PATIENCE_MS = 45_000;
/** For a whole test, of many such waits: it is the wait that should say what was missing. */
export const LIMIT = { timeout: 240_000 };

export const VIEWS = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  tablet: { viewport: { width: 820, height: 1180 }, deviceScaleFactor: 2, hasTouch: true },
  desktop: { viewport: { width: 1440, height: 900 } },
};

export const launch = ({ args = [] } = {}) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...args] });

/** A fresh page (nothing stored) at `url`; `troubles` are its console errors, failed requests and refused answers. */
export async function open(browser, url, { view = 'desktop', ...options } = {}) {
  const context = await browser.newContext({ ...VIEWS[view], ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error.message}`));
  // A reload or a close breaks off what the page is still fetching: that is the test's own doing.
  page.on('requestfailed', (request) => {
    const error = request.failure()?.errorText;
    if (error !== 'net::ERR_ABORTED') troubles.push(`failed: ${request.url()} ${error}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  return { page, troubles, close: () => context.close() };
}

export const agent = (page, id) => page.locator(`[data-testid=agent-node][data-agent-id="${id}"]`);

export const entries = (page) => page.getByTestId('feed-entry');

/** Waits until the connection is (or with `not`, is no longer) in that state. */
export const connection = (page, state, { not = false } = {}) =>
  page.waitForFunction(
    ([wanted, inverted]) => (document.querySelector('[data-testid=connection]')?.dataset.state === wanted) !== inverted,
    [state, not],
  );

/** Waits until the agent has this status and was animated more than `count` times; gives the new count. */
export async function animated(page, id, status, count) {
  const handle = await page.waitForFunction(
    ([agentId, wanted, before]) => {
      const node = document.querySelector(`[data-testid=agent-node][data-agent-id="${agentId}"]`);
      const now = Number(node?.dataset.animCount ?? 0);
      return node?.dataset.status === wanted && now > before ? { now } : null;
    },
    [id, status, count],
  );
  return (await handle.jsonValue()).now;
}

/** Notes every class that a node of the stage gets from now on: an animation may be over before anybody looks. */
export const noteClasses = (page) =>
  page.evaluate(() => {
    window.noted = new Set();
    const note = (element) => {
      const id = element.closest?.('[data-agent-id]')?.dataset.agentId;
      for (const name of element.classList ?? []) window.noted.add(`${id} ${name}`);
    };
    new MutationObserver((records) => records.forEach(({ target, addedNodes }) => [target, ...addedNodes].forEach(note)))
      .observe(document.querySelector('[data-testid=stage]'), { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
  });

/** Waits until the agent's node has had this class. */
export const had = (page, id, name) => page.waitForFunction((wanted) => window.noted.has(wanted), `${id} ${name}`);

/** Waits for at least so many agents at work and entries in the feed. */
export const alive = (page, agents, lines) =>
  page.waitForFunction(
    ([most, least]) =>
      document.querySelectorAll('[data-testid=agent-node]').length >= most
      && document.querySelectorAll('[data-testid=feed-entry]').length >= least,
    [agents, lines],
  );
