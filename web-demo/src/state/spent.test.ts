import { expect, it } from 'vitest';
import { inBrief, money, spentByModel, spentOf, tokens } from './spent';

it('tokens and money in few signs', () => {
  expect([0, 950, 1000, 12_449, 99_949, 99_951, 999_499, 999_500, 12_000_000].map(tokens)).toEqual(['0', '950', '1.0k', '12.4k', '99.9k', '100k', '999k', '1.0M', '12.0M']);
  expect([0, 0.00002, 0.0042, 0.25, 12.3, 1234.5].map(money)).toEqual(['$0', '< $0.0001', '$0.0042', '$0.25', '$12.30', '$1,235']);
});

it('what something has cost is read off its usage, whatever else stands there', () => {
  expect([{}, { usage: null }, { usage: [1] }, { usage: { input_tokens: 'many', calls: 0 } }].map(spentOf)).toEqual([null, null, null, null]);
  const usage = { input_tokens: 1200, output_tokens: 300, cost_usd: 0.02, calls: 2, by_model: { small: { input_tokens: 200, output_tokens: 100 }, big: { input_tokens: 1000, output_tokens: 200, cost_usd: 0.02 } } };
  expect(spentOf({ usage })).toEqual({ input: 1200, output: 300, cost: 0.02, calls: 2 });
  expect(inBrief(spentOf({ usage })!)).toBe('1.5k tokens · $0.02');
  expect(spentByModel({ usage }).map(({ model }) => model)).toEqual(['big', 'small']);
  // Only a sum of calls was told.
  expect(spentOf({ usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0, calls: 0, totals: { input_tokens: 70, output_tokens: 5, cost_usd: 0 } } })).toEqual({ input: 70, output: 5, cost: null, calls: 0 });
});
