// Pictures of the pages at work, for the README and docs/: `make picture`; `node pictures.mjs operator` for those of one page.
// The demo's team works until its project is half done.
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { openOperator, status } from './operator.mjs';
import { alive, connection, launch, open } from './page.mjs';
import { startStoa } from './stoa.mjs';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const MOST_BYTES = 300 * 1024;
// Far more than the story takes at this speed.
const STORY_MS = 300_000;
// So much of the operator's charts is to be drawn.
const DRAWN_MS = 55_000;

const PICTURES = [['page-dark', 'desktop', 'dark', 1], ['page-light', 'desktop', 'light', 1], ['page-phone', 'phone', 'dark', 1.5]];

mkdirSync(folder, { recursive: true });
const [browser, stoa] = await Promise.all([launch(), startStoa({ demo: true, env: { STOA_DEMO__SPEED: '4' } })]);
const observers = Array.from({ length: 12 }, (_, n) => io(stoa.url, { transports: [n % 4 ? 'websocket' : 'polling'], upgrade: false, forceNew: true, auth: { name: `dashboard ${n}` } }));

async function take(page, name) {
  const path = `${folder}${name}.png`;
  await page.screenshot({ path });
  const { size } = statSync(path);
  console.log(`${name}.png: ${Math.round(size / 1024)} KB`);
  if (size > MOST_BYTES) throw new Error(`${name}.png is larger than ${MOST_BYTES / 1024} KB`);
}

try {
  const operators = await Promise.all(['light', 'dark'].map(async (colorScheme) => ({ colorScheme, begun: Date.now(), ...(await openOperator(browser, stoa, { colorScheme })) })));
  const stage = process.argv.includes('operator') ? [] : PICTURES;
  for (const [name, view, colorScheme, scale] of stage) {
    const { page, close } = await open(browser, stoa.url, { view, colorScheme, deviceScaleFactor: scale });
    await connection(page, 'connected');
    await alive(page, 5, 20);
    await page.evaluate(() => document.fonts.ready);
    await page.waitForFunction(() => {
      const done = Number(document.querySelector('[data-testid=project-progress]')?.dataset.progress ?? 0);
      const busy = document.querySelectorAll('[data-testid=agent-node].tone-active').length;
      return done >= 35 && done <= 75 && busy >= 3;
    }, null, { timeout: STORY_MS });
    await take(page, name);
    await close();
  }
  for (const { page, colorScheme, begun, close } of operators) {
    await status(page, 'live');
    await page.waitForTimeout(Math.max(0, begun + DRAWN_MS - Date.now()));
    await take(page, `operator-${colorScheme}`);
    await close();
  }
} finally {
  for (const observer of observers) observer.disconnect();
  await browser.close();
  await stoa.stop();
}
