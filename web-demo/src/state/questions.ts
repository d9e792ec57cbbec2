/** Questions that agents wait for an answer to: what each says, read off what the server keeps of it. */
import { computed } from 'vue';
import { keyOf, known } from './keys';
import { inputsOf } from './listed';
import { chosen, chosenRuns } from './overview';
import { record, text, time } from './read';
import { isOf } from './runs';
import { state } from './store';
import type { Json, State, Thing } from './types';

export interface Choice {
  label: string;
  /** As it is sent. */
  value: unknown;
}

export interface Question {
  key: string;
  /** The request's id. */
  id: string;
  projectId: string;
  message: string;
  /** `confirmation`, `tool_call`, `input_required`, … */
  kind: string;
  choices: Choice[];
  /** The key of the agent that asks; null where nobody said. */
  agent: string | null;
  agentId: string;
  taskId: string;
  runId: string;
  /** Null for a question that does not run out. */
  expiresAt: number | null;
  at: number;
  facts: Json;
}

/** The choices that the producer names; yes and no where it asks for leave and names none. */
function choicesOf(facts: Json): Choice[] {
  const options = Array.isArray(facts.options) ? facts.options : Array.isArray(record(facts.schema).enum) ? (record(facts.schema).enum as unknown[]) : [];
  const choices = options.slice(0, 12).map((option) => {
    const said = record(option);
    const label = typeof option === 'object' ? text(said, 'label', 'title', 'name', 'value', 'id') : String(option);
    return { label, value: typeof option === 'object' ? said.value ?? said.id ?? label : option };
  }).filter(({ label }) => label !== '');
  if (choices.length > 0) return choices;
  const isLeave = ['confirmation', 'tool_call'].includes(text(facts, 'kind')) || record(facts.schema).type === 'boolean';
  return isLeave ? [{ label: 'Yes', value: true }, { label: 'No', value: false }] : [];
}

/** Whether an answer may be written, too: where there is nothing to choose, or the question says so. */
export const mayWrite = (question: Question): boolean => question.choices.length === 0 || question.facts.free_text === true || question.kind === 'input_required';

export function questionOf(known_: State, thing: Thing): Question {
  const { facts, projectId } = thing;
  const agentId = text(facts, 'agent_id');
  return {
    key: thing.key, id: thing.id, projectId, kind: text(facts, 'kind'), choices: choicesOf(facts), agentId,
    message: text(facts, 'message', 'question', 'prompt', 'title') || 'An answer is needed to go on.',
    agent: agentId ? known(known_.agents, keyOf(projectId, agentId), agentId) : null,
    taskId: text(facts, 'task_id'), runId: text(facts, 'run_id', 'execution_id'),
    expiresAt: time(facts.expires_at, 0) || null, at: thing.at, facts,
  };
}

/** Those that are open, the oldest first. */
export const questions = computed<Question[]>(() => [...inputsOf(state.value).values()]
  .filter((thing) => chosen(thing.projectId) && (!chosenRuns.value || isOf(chosenRuns.value, thing.projectId, thing.facts)))
  .map((thing) => questionOf(state.value, thing))
  .sort((a, b) => a.at - b.at));

/** The keys of the agents that wait for an answer. */
export const asking = computed(() => new Set(questions.value.flatMap(({ agent }) => agent ?? [])));
