// The checks of every look of the page, and the folder of its pictures.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';

const pictures = fileURLToPath(new URL('screenshots/', import.meta.url));

/** A picture for people to look at, where `PICTURES` asks for them; named by the width of the screen. */
export const picture = async (page, name, options = {}) =>
  process.env.PICTURES && page.screenshot({ path: `${pictures}${page.viewportSize().width}-${name}.png`, ...options });

/** The faults of the page for people who can't see, point or tell colours apart. */
export async function grave(page) {
  // The page has no frames of other origins, for which axe would open a second page; of what passes, the names are enough.
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] }).analyze();
  assert.ok(passes.length > 10, 'axe found hardly anything to look at');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' | ')}`);
}

/** Nothing is wider than the screen. On a phone `innerWidth` grows with what is too wide, so the view's own width counts. */
export async function fits(page) {
  const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth));
  const room = page.viewportSize().width;
  assert.ok(wide <= room, `the page is ${wide} px wide on a screen of ${room} px`);
}

/** Checks that everything to press or type in on a phone is as high as a finger. */
export async function fingers(page) {
  const small = await page.evaluate(() => [...document.querySelectorAll('button, select, input')]
    .map((element) => ({ what: element.textContent.trim().slice(0, 20) || element.dataset.testid, height: element.getBoundingClientRect().height }))
    .filter(({ height }) => height > 0 && height < 40));
  assert.deepEqual(small, []);
}

/** Checks that the content of a panel keeps as far from its right edge as from its left. */
export async function even(page, name) {
  const gaps = await page.getByRole('region', { name, exact: true }).evaluate((panel) => {
    const card = panel.getBoundingClientRect();
    return [...panel.querySelectorAll('li')].map((row) => {
      const box = row.getBoundingClientRect();
      return { left: Math.round(box.left - card.left), right: Math.round(card.right - box.right) };
    });
  });
  assert.ok(gaps.length > 0, `${name} shows nothing`);
  assert.deepEqual(gaps.filter(({ left, right }) => Math.abs(left - right) > 1), []);
}
