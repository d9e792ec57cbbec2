/** Messages as they are written: each delta joins the text of its message, role and kind. */
import { keyOf, known } from './keys';
import { text } from './read';
import type { Json, Message, State, Subject } from './types';

const MOST_MESSAGES = 30;
const LONGEST_MESSAGE = 6000;

/** The key of the text of one role. A role may be called as it likes. */
const roleKey = (of: string, role: string): string => `${role.length}:${role}:${of}`;

/** The text that a delta of this message belongs to, if there is one. */
function textOf(state: State, of: string, role: string): Message | undefined {
  const all = [...state.messages.values()].filter((message) => message.of === of);
  // A delta without a role goes on with the one before it, and a text whose role nobody said is of the first one that is.
  if (role) return all.find((message) => message.role === role) ?? all.find((message) => message.role === '');
  return all.reduce<Message | undefined>((last, message) => (last && last.heard > message.heard ? last : message), undefined);
}

const kindOf = (data: Json): Message['kind'] => (data.kind === 'reasoning' ? 'reasoning' : 'text');

/** Speech and thought are two texts, also under one id. */
function messageOf(data: Json, projectId: string): string {
  const id = text(data, 'message_id', 'messageId') || text(data, 'run_id', 'runId');
  return id && `${kindOf(data)}:${keyOf(projectId, id)}`;
}

const pieceOf = (data: Json): string => text(data, 'content', 'delta', 'text');

/** The text that the last delta has become part of. */
export function written(state: State, data: Json, projectId: string): Message | undefined {
  return textOf(state, messageOf(data, projectId), text(data, 'role'));
}

/** Adds a delta to the text of its message and role. An end without a text ends the one that there is, and begins none. */
export function append(state: State, data: Json, who: Subject, at: number): void {
  const of = messageOf(data, who.projectId);
  if (!of) return;
  const role = text(data, 'role');
  const final = data.final === true;
  const known = textOf(state, of, role);
  if (!known && final && !pieceOf(data)) return;
  const before: Message = known ?? {
    id: roleKey(of, role), of, runId: text(data, 'run_id', 'runId'), agentId: who.agent, toAgentId: receiver(state, data, who.projectId), projectId: who.projectId,
    role: '', kind: kindOf(data), final, content: '', at, heard: 0,
  };
  const content = (before.content + pieceOf(data)).slice(-LONGEST_MESSAGE);
  state.messages.set(before.id, { ...before, role: role || before.role, content, final, at, heard: state.seen });
  for (const oldest of state.messages.keys()) {
    if (state.messages.size <= MOST_MESSAGES) break;
    state.messages.delete(oldest);
  }
}

function receiver(state: State, data: Json, projectId: string): string | null {
  const id = text(data, 'to_agent_id');
  return id ? known(state.agents, keyOf(projectId, id), id) : null;
}
