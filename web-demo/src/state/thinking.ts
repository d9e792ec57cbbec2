/** Whether an agent waits for a model's answer. */
import type { Agent } from './types';

export function isThinking(agent: Agent): boolean {
  const { thinking } = agent.facts;
  if (Array.isArray(thinking)) return thinking.length > 0;
  return typeof thinking === 'object' ? thinking !== null : thinking === true || (typeof thinking === 'string' && thinking !== '');
}
