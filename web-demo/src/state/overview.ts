/** Figures that several panels read off the state. */
import { computed } from 'vue';
import { ended } from './status';
import { state } from './store';
import type { Project } from './types';

/** Most recently heard of first; of those heard of at the same moment the one that goes on. */
export const projects = computed<Project[]>(() =>
  [...state.value.projects.values()].sort((a, b) => b.at - a.at || Number(ended(a.status)) - Number(ended(b.status))));

/** The project the page speaks of: the one with news. */
export const mainProject = computed<Project | null>(() => projects.value[0] ?? null);

export const taskCounts = computed(() => {
  const counts = { todo: 0, in_progress: 0, blocked: 0, done: 0, total: 0 };
  for (const task of state.value.tasks.values()) {
    counts[task.status] += 1;
    counts.total += 1;
  }
  return counts;
});

export const isEmpty = computed(() => {
  const { agents, tasks, projects: known, runs, seen } = state.value;
  return seen === 0 && agents.size + tasks.size + known.size + runs.size === 0;
});
