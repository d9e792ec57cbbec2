/**
 * The page's one store. Updates mend plain objects as they come; Vue hears of it at most once per frame, so a burst of
 * a thousand updates costs one render.
 */
import { nextTick, shallowRef, triggerRef } from 'vue';
import { isNews } from './families';
import { applySnapshot, emptyState } from './snapshot';
import { applyUpdate } from './reduce';
import { joinFeed, MOST_ENTRIES } from './feed';
import { olderThan, withAgent } from './past';
import type { Effect, FeedEntry, Outcome, State, Update } from './types';

// A backlog of motion nobody saw (a hidden tab, a replay) is dropped, not played.
const MOST_EFFECTS = 200;

export const state = shallowRef<State>(emptyState());
/** Newest first. */
export const feed = shallowRef<FeedEntry[]>([]);
/** Events per second over the last few seconds. */
export const rate = shallowRef(0);

type EffectListener = (effects: Effect[]) => void;
let listener: EffectListener | null = null;
let effects: Effect[] = [];
let incoming: FeedEntry[] = [];
let scheduled = false;

/** The stage listens; it is called after the frame in which the effects' entities were rendered. */
export function onEffects(listen: EffectListener | null): void {
  listener = listen;
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  // Frames stop in a hidden tab; the state must not.
  if (document.hidden) setTimeout(commit, 250);
  else requestAnimationFrame(commit);
}

// Faster than this nobody reads, and each new row moves all the others.
const FEED_EVERY_MS = 120;
let feedAt = 0;
let feedTimer = 0;

function feedDue(): boolean {
  const now = performance.now();
  if (now - feedAt >= FEED_EVERY_MS) {
    feedAt = now;
    return true;
  }
  clearTimeout(feedTimer);
  feedTimer = window.setTimeout(schedule, FEED_EVERY_MS - (now - feedAt));
  return false;
}

async function commit(): Promise<void> {
  scheduled = false;
  if (incoming.length > 0 && feedDue()) {
    feed.value = joinFeed(feed.value, incoming);
    incoming = [];
  }
  triggerRef(state);
  const due = effects;
  effects = [];
  await nextTick();
  if (due.length > 0) listener?.(due);
}

const RATE_WINDOW_S = 4;
let counted = 0;
const samples: number[] = [];
setInterval(() => {
  samples.push(state.value.seen - counted);
  counted = state.value.seen;
  if (samples.length > RATE_WINDOW_S) samples.shift();
  rate.value = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}, 1000);

export function takeSnapshot(payload: unknown): void {
  applySnapshot(state.value, payload, Date.now());
  schedule();
}

/**
 * The page opens: the state, and what led to it. `cursor` is the place up to which the past was told; of the decisions
 * many are older than that past, so the feed does not tell them.
 */
export function takeOpening(snapshot: unknown, decisions: Update[], past: Update[], cursor: string): void {
  const now = Date.now();
  applySnapshot(state.value, snapshot, now);
  if (cursor) state.value.cursor = cursor;
  for (const older of olderThan(past, decisions)) {
    const [type, payload] = withAgent(state.value, older);
    applyUpdate(state.value, type, payload, now, true);
  }
  for (const [type, payload] of past) {
    if (isNews(type)) enter(applyUpdate(state.value, type, payload, now, true));
  }
  // It says nothing of how fast things happen now.
  counted = state.value.seen;
  schedule();
}

export function takeUpdate(type: string, payload: unknown): void {
  if (!isNews(type)) return;
  enter(applyUpdate(state.value, type, payload, Date.now()));
  schedule();
}

function enter({ entry, effect }: Outcome): void {
  if (entry) {
    incoming.push(entry);
    if (incoming.length > MOST_ENTRIES) incoming.shift();
  }
  if (effect && effects.length < MOST_EFFECTS) effects.push(effect);
}

export function takeCursor(cursor: string): void {
  state.value.cursor = cursor;
}
