/** Questions of agents to people that are open. The same rules as the server's own (`src/projections/state/inputs.rs`). */
import { editInput, restandAgent } from './entities';
import { idAt, runOf, type Said } from './event';
import { layOver, putFact } from './facts';
import { keyOf } from './keys';
import { text } from './read';
import type { Input, Json, State } from './types';

const LONGEST_ID = 256;
const NO_FACTS = ['change_type', 'project_id', 'request_id', 'requestId', 'status', 'answer', 'outcome', 'answered_by', 'source', 'target', 'agent_project_id'];

/** The request that an update is about; the event's own id stands for a question that has none. */
export function requestOf(name: string, payload: Json, data: Json): string {
  const id = idAt(data, 'request_id', 'requestId') || (name === 'input.requested' ? text(payload, 'id') : '');
  return new TextEncoder().encode(id).length > LONGEST_ID ? '' : id;
}

/** Opens or closes a question; the first word that closes one counts. */
export function foldInput(state: State, said: Said, payload: Json): void {
  const id = requestOf(said.name, payload, said.data);
  if (!id) return;
  if (said.name === 'input.requested') open(state, said, id);
  else if (said.name === 'input.received' || said.name === 'input.expired') close(state, said, id);
}

function open(state: State, said: Said, id: string): void {
  const { data, agentId } = said;
  const before = state.inputs.get(keyOf(said.projectId, id));
  if (before) state.inputs.delete(before.key);
  editInput(state, said.projectId, id, (facts) => {
    layOver(facts, data, NO_FACTS);
    putFact(facts, 'request_id', id);
    if (!('kind' in facts)) putFact(facts, 'kind', 'input_required');
    if (agentId) Object.assign(facts, { agent_id: agentId, agent_project_id: said.agentProjectId || null });
    putFact(facts, 'task_id', said.taskId || undefined);
    putFact(facts, 'run_id', runOf(data) || undefined);
    putFact(facts, 'status', 'open');
    putFact(facts, 'requested_at', said.at);
    putFact(facts, 'updated_at', said.at);
  });
  // Asked anew, perhaps by another agent.
  if (before?.agent) restandAgent(state, before.agent);
}

function close(state: State, said: Said, id: string): void {
  const question = meant(state, said, id);
  if (!question) return;
  state.inputs.delete(question.key);
  if (question.agent) restandAgent(state, question.agent);
}

/** The open question that an event closes: that of its project, or the only one of this id where either names none. */
function meant(state: State, said: Said, id: string): Input | undefined {
  const own = state.inputs.get(keyOf(said.projectId, id));
  if (own || said.confined) return own;
  const others = [...state.inputs.values()].filter((question) => question.id === id);
  const [other] = others;
  return others.length === 1 && other && (said.projectId === '' || other.projectId === '') ? other : undefined;
}
