/**
 * Everything that the page knows. Entities are never changed in place: an update replaces the object, so a component
 * that holds one re-renders only when its own entity changed.
 */

export type Priority = 'critical' | 'high' | 'normal' | 'low';

export type Animation = 'pulse' | 'fade' | 'flow' | 'progress' | 'flash' | 'celebrate' | 'alert' | 'none';

/** The tone of a thing, whatever word its producer used for its status: decides colours, nothing else. */
export type Tone = 'active' | 'idle' | 'blocked' | 'done' | 'offline';

/** The fields of all things. An id is unique within its project; the key is unique on the page. */
export interface Thing {
  key: string;
  id: string;
  /** Empty for none. */
  projectId: string;
  name: string;
  /** The time at which it was last heard of, for lists and to choose what to drop. */
  at: number;
  /** All that was said of it, as the server keeps it; everything else here is read off these. */
  facts: Json;
}

export interface Agent extends Thing {
  role: string;
  /** The word that was said for it, in lower case; empty while nobody said one. */
  status: string;
  taskId: string | null;
  /** The project of that task; empty for none. */
  taskProjectId: string;
  /** The tool that it uses; empty for none. */
  tool: string;
  /** Whether the agent was given a task since it last said its status. */
  busy: boolean;
  /** All that it was given and that was not taken from it, also what is over; the latest last. */
  given: Given[];
}

/** A task as the event named it that gave it to an agent. */
export interface Given {
  /** Empty for none. */
  projectId: string;
  taskId: string;
  /** Whether the task came after the agent last said its status. */
  fresh: boolean;
}

export type TaskStatus = 'todo' | 'in_progress' | 'blocked' | 'done';

export interface Task extends Thing {
  status: TaskStatus;
  /** Deleted or cancelled: no longer to be shown. */
  gone: boolean;
  agentId: string | null;
  /** 0–100, or null while nobody said. */
  progress: number | null;
}

export interface Project extends Thing {
  /** 0–100, or null while nobody said. */
  progress: number | null;
  done: number | null;
  total: number | null;
  status: string;
}

export interface Run extends Thing {
  /** `agent_run`, `execution` or `job`. */
  kind: string;
  status: string;
  agentId: string | null;
  /** Null while nobody said. */
  startedAt: number | null;
  progress: number | null;
  /** The node or step that it is at; empty once it is over. */
  current: string;
  /** The id of the run that began it, and of its session; empty for none. */
  parentRunId: string;
  sessionId: string;
}

/** A question to a person that nobody has answered. */
export interface Input extends Thing {
  /** `confirmation`, `tool_call` or `input_required`. */
  kind: string;
  message: string;
  /** The answers to choose from, as they were said; none for an answer in words. */
  options: unknown[];
  /** The key of the agent that asks; null while none is known. */
  agent: string | null;
  taskId: string | null;
  runId: string | null;
  /** Null for none: from then on nobody can answer. */
  expiresAt: number | null;
}

export interface Health {
  severity: string;
  status: string;
  message: string;
  /** The risk that producers see for their project; it says nothing about the system's health. */
  risk: string;
  at: number;
  /** All that was said of it. */
  facts: Json;
}

export interface Decision {
  id: string;
  decision: string;
  rationale: string;
  confidence: number | null;
  agentId: string | null;
  projectId: string;
  at: number;
}

/** The text of one role and kind in a message, its deltas joined in the order they came. */
export interface Message {
  /** The key. */
  id: string;
  /** The key of its message, the same for all roles of one kind. */
  of: string;
  runId: string;
  /** The agent that writes the message, where the producer says so. */
  agentId: string | null;
  /** The agent that it is for, where the producer says so. */
  toAgentId: string | null;
  /** Something said, or something thought. */
  kind: 'text' | 'reasoning';
  /** Whether nothing more comes. */
  final: boolean;
  projectId: string;
  /** Empty while none is said. */
  role: string;
  content: string;
  at: number;
  /** The updates that the page had seen when the last delta came: a delta without a role continues the text heard last. */
  heard: number;
}

export type Family = 'agents' | 'tasks' | 'project' | 'decisions' | 'system' | 'runs' | 'messages' | 'models' | 'machinery' | 'other';

/** The keys of what an update is about, as the page knows them; null where it names none. */
export interface Subject {
  agent: string | null;
  task: string | null;
  run: string | null;
  /** Empty for none. */
  projectId: string;
}

export interface FeedEntry extends Subject {
  /** Unique within this page's life; an event's id is not (one event gives several updates). */
  key: number;
  id: string;
  /** The place of the event, by which the history finds it; empty where none is said. */
  cursor: string;
  type: string;
  sourceType: string;
  family: Family;
  priority: Priority;
  at: number;
  text: string;
  /** The update as it came; null for one that is too large to be kept in hundreds. */
  payload: Json | null;
  /** The message it tells a part of: later parts join its line in the place of making new ones. */
  messageId: string;
  /** The number of events that this one stands for. */
  coalesced: number;
  /** Whether it happened before the page was opened: told, but not announced. */
  past: boolean;
  /** Everything the text filter looks at, in lower case, made once. */
  haystack: string;
}

/** Something to be seen moving on the stage. */
export interface Effect {
  /** The update's type: a message flows the other way than a task. */
  type: string;
  animation: Animation;
  kind: string;
  id: string;
  /** The keys of what moves. */
  agent: string | null;
  task: string | null;
  projectId: string;
  /** A finer word for it than the animation; empty for none. */
  motion: string;
  /** The tool that is reached for; empty for none. */
  tool: string;
  /** Ids between which something flows; empty if the hint names none. */
  from: string;
  to: string;
  durationMs: number;
  intensity: number;
}

export interface Counts {
  agents: number;
  projects: number;
  runs: number;
  inputs: number;
  /** By status. */
  tasks: Record<TaskStatus, number>;
}

export interface State {
  cursor: string | null;
  /** By key. */
  agents: Map<string, Agent>;
  tasks: Map<string, Task>;
  projects: Map<string, Project>;
  runs: Map<string, Run>;
  /** Questions to people, open ones only. */
  inputs: Map<string, Input>;
  /** All that was made, also what was deleted again (by its `status`). */
  artifacts: Map<string, Thing>;
  /** The keys of the things of one kind that have the same id. */
  namesakes: Map<string, string[]>;
  /** The usage of runs that are not known yet, by their keys. */
  usageAhead: Map<string, Json>;
  /** The number of things of each kind and status that the server has beyond those that it sent. */
  beyond: Counts;
  /** Of all; null while nothing was said of it. */
  health: Health | null;
  /** Of single projects, as those say it who speak for nothing else. */
  projectHealth: Map<string, Health>;
  /** Newest first. */
  decisions: Decision[];
  /** Oldest first, by message and role; the map keeps the order of the first delta. */
  messages: Map<string, Message>;
  /** Updates seen by this page, each coalesced one counted as the events it stands for. */
  seen: number;
}

export interface Outcome {
  /** Absent when the update is only a sibling of one that is already in the feed. */
  entry: FeedEntry | null;
  effect: Effect | null;
}

export type Json = Record<string, unknown>;

/** An update as it came: its name and its payload. */
export type Update = [type: string, payload: unknown];
