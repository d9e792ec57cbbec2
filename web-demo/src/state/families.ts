/** The updates that belong together for a reader of the feed, and which are not news at all. */
import type { Family } from './types';
import { table } from './table';

const FAMILIES = table<Family>({
  agent_status_change: 'agents', agent_update: 'agents', worker_registration: 'agents', agents_update: 'agents', agent_handoff: 'agents', tool_update: 'agents', input_update: 'agents', check_update: 'agents', llm_update: 'models',
  artifact_update: 'tasks', plan_update: 'tasks',
  task_assignment: 'tasks', progress_update: 'tasks', task_update: 'tasks', assignment_event: 'tasks',
  blocker_event: 'tasks',
  project_update: 'project',
  decision_event: 'decisions', marcus_thinking: 'decisions',
  health_update: 'system', system_notification: 'system', error: 'system',
  execution_update: 'runs', node_update: 'runs', ingest_update: 'runs', agent_run_update: 'runs',
  message_appended: 'messages', conversation_event: 'messages', conversation: 'messages',
});

/** Events by which the machinery around agents tells of itself. */
const MACHINERY = /^(mcp|ping|refresh)[_.:-]/i;

export const FAMILY_NAMES: Record<Family, string> = {
  agents: 'Agents', tasks: 'Tasks', project: 'Project', decisions: 'Decisions', system: 'System', runs: 'Runs',
  messages: 'Messages', models: 'Model calls', machinery: 'Machinery', other: 'Other',
};

/** Families that the feed shows only to those who ask for them: they are many and say little. */
export const QUIET: readonly Family[] = ['models', 'machinery'];

export const ALL_FAMILIES = Object.keys(FAMILY_NAMES) as Family[];

export function familyOf(type: string, sourceType = ''): Family {
  return FAMILIES[type] ?? (MACHINERY.test(sourceType) ? 'machinery' : 'other');
}

// Answers to requests, and summaries of what the feed already shows line by line.
const NOT_NEWS = new Set([
  'connection_established', 'snapshot', 'resumed', 'batch', 'pong', 'room_joined', 'room_left', 'subscription',
  'subscription_confirmed', 'connected', 'subscribed', 'unsubscribed', 'conversation_summary', 'active_flows_update',
  'dashboard_update', 'flow_update', 'system_metrics', 'agent_action_result',
]);

export function isNews(type: string): boolean {
  return !NOT_NEWS.has(type);
}
