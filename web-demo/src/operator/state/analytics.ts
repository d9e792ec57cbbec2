/** Analytics, live connections, rooms and parts of the server, read leniently as in `shapes.ts`. */
import { number, record, text } from '../../state/read';
import type { Json } from '../../state/types';
import { amount, counts, moment, records } from './shapes';
import type { Count } from './shapes';

export interface Analytics {
  now: number;
  opened: number;
  active: number;
  peak: number;
  peakAt: number | null;
  /** Seconds. */
  averageDuration: number | null;
  durations: { upTo: number | null; sessions: number }[];
  reconnections: number | null;
  perSessionAndMinute: number | null;
  hours: number[];
  /** Whether the reader may see all projects: else the types of events are not told. */
  isWhole: boolean;
  types: { type: string; updates: number; deliveries: number }[];
  rooms: { room: string; members: number; deliveries: number }[];
  features: Count[];
  messages: string;
  patterns: Count[];
  keptSince: number | null;
}

export interface Connection {
  id: string;
  user: string;
  name: string;
  role: string;
  transport: string;
  address: string;
  namespace: string;
  connectedAt: number | null;
}

export interface Part {
  name: string;
  status: string;
  reason: string;
}

export function readAnalytics(told: Json): Analytics {
  const patterns = record(told.patterns);
  const hours = Array.from({ length: 24 }, () => 0);
  for (const { hour, connections } of records(told.peak_hours)) {
    if (typeof hour === 'number' && hour in hours) hours[hour] = typeof connections === 'number' ? connections : 0;
  }
  return {
    now: amount(told, 'total_connections'), opened: amount(told, 'connections_opened'), active: amount(told, 'active_sessions'),
    peak: amount(told, 'peak_concurrent_users'), peakAt: moment(told.peak_concurrent_at),
    averageDuration: number(told, 'connection_duration_avg'),
    durations: records(told.session_duration_distribution).map((row) => ({ upTo: number(row, 'up_to_seconds'), sessions: amount(row, 'sessions') })),
    reconnections: number(told, 'reconnection_rate'), perSessionAndMinute: number(told, 'interaction_frequency'), hours,
    isWhole: told.all_projects !== false,
    types: records(told.event_types).map((row) => ({ type: text(row, 'type'), updates: amount(row, 'updates'), deliveries: amount(row, 'deliveries') })),
    rooms: records(told.rooms).map((row) => ({ room: text(row, 'room'), members: amount(row, 'members'), deliveries: amount(row, 'deliveries') })),
    features: counts(told.feature_usage).filter(({ count }) => count > 0).sort((a, b) => b.count - a.count),
    messages: text(patterns, 'messages'), patterns: counts(patterns.connections, ['stable', 'flapping', 'degraded', 'failed']), keptSince: moment(told.kept_since),
  };
}

export function readConnections(told: Json): { rows: Connection[]; total: number } {
  const rows = records(told.connections).map((row) => ({
    id: text(row, 'client_id'), user: text(row, 'user'), name: text(row, 'name'), role: text(row, 'role'), transport: text(row, 'transport'),
    address: text(row, 'address'), namespace: text(row, 'namespace'), connectedAt: moment(row.connected_at),
  }));
  // The newest first: those that an operator looks for have most often just come.
  rows.sort((a, b) => (b.connectedAt ?? 0) - (a.connectedAt ?? 0) || a.id.localeCompare(b.id));
  return { rows, total: number(told, 'total') ?? rows.length };
}

export function readRooms(told: Json): { names: string[]; total: number } {
  const names = Array.isArray(told.active_rooms) ? told.active_rooms.filter((name) => typeof name === 'string') : [];
  return { names, total: number(told, 'total_rooms') ?? names.length };
}

export function readParts(told: Json): { status: string; parts: Part[] } {
  const parts = record(told.parts);
  // The breakers are told beside the parts, each with its own figures.
  const shown = Object.keys(parts).map((name) => ({ name, status: text(record(parts[name]), 'status'), reason: text(record(parts[name]), 'reason') }));
  return { status: text(told, 'status'), parts: shown.filter(({ name, status }) => status !== '' && name !== 'breakers') };
}
