/** The answers that the reader gives: what became of each is told where the question stands, and for a moment where it stood. */
import { reactive } from 'vue';
import { answerQuestion } from '../socket';
import { agentName } from './describe';
import { inputsOf } from './listed';
import type { Question } from './questions';
import { state } from './store';

export interface Answering {
  phase: 'sending' | 'sent' | 'failed';
  /** What was answered, in words. */
  said: string;
  /** The name of the one who asked. */
  whom: string;
  /** Why it did not arrive; empty while it may. */
  trouble: string;
  at: number;
}

/** By the question's key; kept while the page is open, so that whoever answered reads what became of it. */
export const answers = reactive(new Map<string, Answering>());

export async function answer(question: Question, value: unknown, said: string): Promise<void> {
  const whom = question.agent ? agentName(state.value, question.agent) : 'whoever asked';
  const put = (phase: Answering['phase'], trouble = ''): unknown => answers.set(question.key, { phase, said, whom, trouble, at: Date.now() });
  put('sending');
  try {
    await answerQuestion(question.id, question.projectId, value);
    put('sent');
  } catch (error) {
    put('failed', error instanceof Error ? error.message : String(error));
  }
}

/** Whether the question is open still. */
export const isOpenQuestion = (key: string): boolean => inputsOf(state.value).has(key);
