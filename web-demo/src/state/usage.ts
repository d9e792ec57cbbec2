/**
 * Tokens and costs of agents, runs and projects. A `usage_update` tells of calls that come to what is known already: the server's own sums
 * are those of its state (`src/projections/state/usage.rs`).
 */
import { number, record } from './read';
import type { Json } from './types';

const MOST_MODELS = 16;
const OTHER = 'other';
/** Costs are added up in billionths of a dollar: those are whole numbers. */
const NANO = 1e9;

const COUNTS = ['input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens', 'calls'] as const;
const OPTIONAL: readonly string[] = ['cached_tokens', 'reasoning_tokens'];

/** Two sums as one. */
function plus(one: Json, other: Json): Json {
  const sums: Json = {};
  for (const key of COUNTS) {
    const sum = (number(one, key) ?? 0) + (number(other, key) ?? 0);
    if (sum > 0 || !OPTIONAL.includes(key)) sums[key] = sum;
  }
  const nano = (sums: Json): number => Math.round((number(sums, 'cost_usd') ?? 0) * NANO);
  sums.cost_usd = (nano(one) + nano(other)) / NANO;
  return sums;
}

function plusModels(one: Json, other: Json): Json {
  const models = { ...one };
  for (const [name, sums] of Object.entries(other)) {
    const model = name in models || Object.keys(models).length < MOST_MODELS ? name : OTHER;
    models[model] = plus(record(models[model]), record(sums));
  }
  return models;
}

/** The sums that are known of a thing, and those that an update adds. */
export function plusUsage(known: unknown, more: Json): Json {
  const before = record(known);
  const usage: Json = { ...plus(before, more), by_model: plusModels(record(before.by_model), record(more.by_model)) };
  if (before.totals !== undefined || more.totals !== undefined) usage.totals = plus(record(before.totals), record(more.totals));
  return usage;
}

/** Whether an event sums up calls that may have been told one by one. */
export const isTotal = (data: Json): boolean => data.total === true || data.total === 'true';
