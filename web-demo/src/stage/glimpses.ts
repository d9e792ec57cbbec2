/** The tool that each agent is seen to use. A call that is over at once is shown for as long as it takes to read its name. */
import { shallowReactive } from 'vue';
import type { Agent } from '../state/types';

const SHOWN_MS = 1600;

const seen = shallowReactive(new Map<string, { tool: string; timer: number }>());

export function glimpse(agent: string, tool: string): void {
  const before = seen.get(agent);
  clearTimeout(before?.timer);
  const timer = window.setTimeout(() => seen.delete(agent), SHOWN_MS);
  if (before?.tool === tool) before.timer = timer;
  else seen.set(agent, { tool, timer });
}

export const toolOf = (agent: Agent): string => agent.tool || seen.get(agent.key)?.tool || '';
