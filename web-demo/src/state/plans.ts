/**
 * Artifacts, and plans: items that are tasks before anybody works on them. The same rules as the server's own
 * (`src/projections/state/plans.rs`): a task that only a plan knows is there as long as the latest plan has it.
 */
import { editArtifact, editTask, forgetTask } from './entities';
import { idAt, runOf, type Said } from './event';
import { layOver, putFact } from './facts';
import { keyOf } from './keys';
import { record, text } from './read';
import type { Json, State, Task } from './types';

const MOST_ITEMS = 100;
const LONGEST_ID = 128;

const bytes = new TextEncoder();

/** Notes what is said of an artifact. */
export function foldArtifact(state: State, said: Said, payload: Json): void {
  const { data, name } = said;
  const id = text(payload, 'artifact_id');
  const status = /^artifact\.(created|updated|deleted)$/.exec(name)?.[1];
  if (!id || !status) return;
  editArtifact(state, said.projectId, id, (facts) => {
    layOver(facts, data, ['artifact_id', 'artifactId', 'status', 'project_id']);
    putFact(facts, 'artifact_id', id);
    putFact(facts, 'status', status);
    putFact(facts, 'agent_id', said.agentId || undefined);
    putFact(facts, 'task_id', said.taskId || undefined);
    putFact(facts, 'run_id', runOf(data) || undefined);
    putFact(facts, 'updated_at', said.at);
  });
}

interface Item {
  id: string;
  title: string | undefined;
  status: string;
}

function statusOf(word: string): string {
  switch (word.toLowerCase()) {
    case 'in_progress': case 'in-progress': case 'running': case 'active': case 'working': case 'started': return 'in_progress';
    case 'done': case 'completed': case 'complete': case 'finished': return 'done';
    case 'blocked': return 'blocked';
    case 'failed': case 'error': return 'failed';
    case 'cancelled': case 'canceled': case 'skipped': return 'cancelled';
    default: return 'todo';
  }
}

function itemOf(value: unknown): Item | null {
  const said = record(value);
  const title = ['title', 'name', 'content', 'text'].map((key) => said[key]).find((one) => typeof one === 'string') ?? value;
  const named = typeof title === 'string' && title !== '' ? title : undefined;
  const id = idAt(said, 'id') || idAt(said, 'task_id') || named;
  // eslint-disable-next-line no-control-regex
  if (id === undefined || bytes.encode(id).length > LONGEST_ID || /[\u0000-\u001f\u007f-\u009f]/.test(id)) return null;
  return { id, title: named, status: statusOf(typeof said.status === 'string' ? said.status : '') };
}

/** The items of a plan that can be tasks, by id. */
export function itemsOf(data: Json): Map<string, Item> {
  const items = new Map<string, Item>();
  for (const value of Array.isArray(data.items) ? data.items.slice(0, MOST_ITEMS) : []) {
    const item = itemOf(value);
    if (item && !items.has(item.id)) items.set(item.id, item);
  }
  return items;
}

/** Whether there is a task of which its own events told. */
function isOwn(task: Task | undefined): boolean {
  return task !== undefined && typeof task.facts.planned_by !== 'string';
}

/** Makes the tasks that a plan has those of its latest form. */
export function foldPlan(state: State, said: Said, payload: Json): void {
  if (said.name !== 'plan.updated' || !('items' in said.data)) return;
  const plan = text(payload, 'plan_id');
  const items = itemsOf(said.data);
  for (const { id, title, status } of items.values()) {
    const known = state.tasks.get(keyOf(said.projectId, id));
    if (isOwn(known)) continue;
    // Its own events may not have named the project yet; those of a limited producer do.
    if (!said.confined && isOwn(state.tasks.get(keyOf('', id)))) {
      if (known) forgetTask(state, known);
      continue;
    }
    editTask(state, said.projectId, id, (facts) => {
      putFact(facts, 'task_id', id);
      putFact(facts, 'name', title);
      putFact(facts, 'status', status);
      putFact(facts, 'planned_by', plan);
      if (status === 'done') putFact(facts, 'progress', 100);
      else delete facts.progress;
      putFact(facts, 'updated_at', said.at);
    });
  }
  for (const task of [...state.tasks.values()]) {
    if (task.facts.planned_by === plan && task.projectId === said.projectId && !items.has(task.id)) forgetTask(state, task);
  }
}
