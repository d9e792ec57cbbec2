/** Runs as a tree: a run may have been begun by another one. */
import { keyOf } from './keys';
import { text } from './read';
import type { Json, Run, State } from './types';

/** The key of the run that began this one; empty for none. */
export function parentOf(run: Run): string {
  const parent = text(run.facts, 'parent_run_id', 'parentRunId');
  return parent && keyOf(run.projectId, parent);
}

/** The keys of a run and of all that it began, itself or through others. */
export function family(state: State, key: string): Set<string> {
  const found = new Set([key]);
  const children = new Map<string, string[]>();
  for (const run of state.runs.values()) {
    const parent = parentOf(run);
    if (parent) children.set(parent, [...(children.get(parent) ?? []), run.key]);
  }
  const next = [key];
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    for (const child of children.get(one) ?? []) {
      if (found.has(child)) continue;
      found.add(child);
      next.push(child);
    }
  }
  return found;
}

/** Whether the facts of something name one of these runs. */
export function isOf(runs: ReadonlySet<string>, projectId: string, facts: Json): boolean {
  const id = text(facts, 'run_id', 'execution_id');
  return id !== '' && runs.has(keyOf(projectId, id));
}
