/** The many words producers use for a status, and the few that the page draws. */
import type { TaskStatus, Tone } from './types';
import { table } from './table';

const AGENT_TONES = table<Tone>({
  working: 'active', active: 'active', busy: 'active', in_progress: 'active', running: 'active', thinking: 'active',
  blocked: 'blocked', error: 'blocked', failed: 'blocked', stuck: 'blocked',
  offline: 'offline', disconnected: 'offline', terminated: 'offline', stopped: 'offline', removed: 'offline',
  done: 'done', completed: 'done', finished: 'done',
});

export function agentTone(status: string): Tone {
  return AGENT_TONES[status] ?? 'idle';
}

const TASK_STATUSES = table<TaskStatus>({
  todo: 'todo', backlog: 'todo', pending: 'todo', created: 'todo', queued: 'todo', ready: 'todo', unassigned: 'todo',
  assigned: 'in_progress', assignment: 'in_progress', started: 'in_progress', in_progress: 'in_progress',
  progress: 'in_progress', working: 'in_progress', active: 'in_progress', running: 'in_progress', resumed: 'in_progress',
  unblocked: 'in_progress',
  blocked: 'blocked', failed: 'blocked', error: 'blocked', stuck: 'blocked',
  done: 'done', completed: 'done', complete: 'done', finished: 'done', closed: 'done',
});

/** Null for a word that says nothing about where a task stands. */
export function taskStatus(word: string): TaskStatus | null {
  return TASK_STATUSES[word.toLowerCase().replace(/[\s.:-]+/g, '_')] ?? null;
}

const GONE = new Set(['deleted', 'removed', 'cancelled', 'canceled']);

/** Whether a task is no longer to be shown. */
export function gone(word: string): boolean {
  return GONE.has(word.toLowerCase());
}

export function taskTone(status: TaskStatus): Tone {
  if (status === 'in_progress') return 'active';
  return status === 'todo' ? 'idle' : status;
}

const ENDED = new Set(['completed', 'done', 'finished', 'failed', 'cancelled', 'canceled', 'error']);

export function ended(status: string): boolean {
  return ENDED.has(status);
}

/** The tone of a health report, by its severity or status words. */
export function healthTone(severity: string, status: string): Tone {
  const words = `${severity} ${status}`.toLowerCase();
  if (/critical|red|unhealthy|down|high|error|fail/.test(words)) return 'blocked';
  if (/warn|yellow|degraded|medium/.test(words)) return 'active';
  return words.trim() === '' ? 'idle' : 'done';
}

/** The tone of a run or one of its steps. */
export function runTone(status: string): Tone {
  if (/fail|error|cancel|timed|reject/.test(status)) return 'blocked';
  if (/paus|pend|wait|queue|skip|created/.test(status)) return 'idle';
  return ended(status) ? 'done' : 'active';
}
