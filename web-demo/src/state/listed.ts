/** Things of the state that not every server lists: questions to people, and what was made. */
import type { Message, State, Thing } from './types';

const NONE: ReadonlyMap<string, Thing> = new Map();

interface Listed {
  inputs?: ReadonlyMap<string, Thing>;
  artifacts?: ReadonlyMap<string, Thing>;
}

export const inputsOf = (state: State): ReadonlyMap<string, Thing> => (state as Listed).inputs ?? NONE;
export const madeIn = (state: State): ReadonlyMap<string, Thing> => (state as Listed).artifacts ?? NONE;

/** A text, with what its last part said of it. */
export type Told = Message & { kind?: string; final?: boolean; toAgentId?: string | null };
