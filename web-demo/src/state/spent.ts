/** What something has cost so far, in tokens and money: read off the `usage` of an agent, a run or a project. */
import { number, record } from './read';
import type { Json } from './types';

export interface Spent {
  input: number;
  output: number;
  /** In US dollars; null where nobody said. */
  cost: number | null;
  calls: number;
}

export interface SpentBy extends Spent {
  model: string;
}

const spentIn = (usage: Json): Spent => ({
  // Nothing is what is summed up where nobody said a price.
  input: number(usage, 'input_tokens') ?? 0, output: number(usage, 'output_tokens') ?? 0, cost: number(usage, 'cost_usd') || null, calls: number(usage, 'calls') ?? 0,
});

/** Null while no model was called for it. Where only sums were told and no call itself, these stand in their place. */
export function spentOf(facts: Json): Spent | null {
  const usage = record(facts.usage);
  const spent = spentIn(number(usage, 'calls') === 0 ? record(usage.totals) : usage);
  return spent.input + spent.output + spent.calls > 0 || spent.cost !== null ? spent : null;
}

/** By model, the most tokens first. */
export function spentByModel(facts: Json): SpentBy[] {
  return Object.entries(record(record(facts.usage).by_model))
    .map(([model, usage]) => ({ model, ...spentIn(record(usage)) }))
    .sort((a, b) => b.input + b.output - a.input - a.output);
}

/** `950`, `12.4k`, `3.1M`. */
export function tokens(count: number): string {
  if (count < 1000) return String(Math.round(count));
  const [part, unit] = count < 999_500 ? [count / 1000, 'k'] : [count / 1e6, 'M'];
  return `${part < 99.95 ? part.toFixed(1) : Math.round(part)}${unit}`;
}

/** Small sums keep the digits that tell them apart. */
export function money(cost: number): string {
  if (cost === 0) return '$0';
  if (cost < 0.0001) return '< $0.0001';
  return `$${cost < 0.01 ? cost.toFixed(4) : cost < 100 ? cost.toFixed(2) : Math.round(cost).toLocaleString('en')}`;
}

/** `12.4k tokens · $0.03`. */
export function inBrief(spent: Spent): string {
  return [`${tokens(spent.input + spent.output)} tokens`, spent.cost === null ? '' : money(spent.cost)].filter(Boolean).join(' · ');
}
