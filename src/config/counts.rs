//! How many there may be of what is counted.

use super::{Config, invalid::Invalid};

/// More connections than a machine has descriptors for.
const MOST: usize = 1 << 24;
impl Config {
    pub(super) fn counts(&self) -> Option<Invalid> {
        let counts = [
            (
                "server",
                "max_http_buffer_size",
                self.server.max_http_buffer_size,
                1024,
                1 << 30,
            ),
            (
                "server",
                "max_fragments",
                self.server.max_fragments,
                16,
                1 << 20,
            ),
            (
                "server",
                "max_connects",
                self.server.max_connects,
                3,
                1 << 20,
            ),
            (
                "server",
                "max_actions_in_flight",
                self.server.max_actions_in_flight,
                1,
                1 << 16,
            ),
            (
                "server",
                "max_action_bytes",
                self.server.max_action_bytes,
                1024,
                1 << 30,
            ),
            (
                "server",
                "max_body_bytes_in_flight",
                self.server.max_body_bytes_in_flight,
                256 * 1024,
                1 << 30,
            ),
            (
                "server",
                "max_unpacking",
                self.server.max_unpacking,
                1,
                1 << 16,
            ),
            (
                "server",
                "max_unpack_ratio",
                self.server.max_unpack_ratio,
                10,
                2_000,
            ),
            (
                "server",
                "max_body_bytes_per_address",
                self.server.max_body_bytes_per_address,
                256 * 1024,
                1 << 30,
            ),
            (
                "server",
                "max_client_buffer",
                self.server.max_client_buffer,
                16 * 1024,
                1 << 30,
            ),
            (
                "rooms",
                "max_room_size",
                self.rooms.max_room_size,
                1,
                1 << 24,
            ),
            (
                "rooms",
                "max_rooms_per_client",
                self.rooms.max_rooms_per_client,
                1,
                1 << 20,
            ),
            (
                "performance",
                "message_queue_size",
                self.performance.message_queue_size,
                16,
                1 << 20,
            ),
            (
                "performance",
                "max_publish_batch",
                self.performance.max_publish_batch,
                1,
                100_000,
            ),
            (
                "performance",
                "max_lag",
                self.performance.max_lag,
                1,
                1 << 24,
            ),
            (
                "performance",
                "flush_max",
                self.performance.flush_max,
                1,
                50_000,
            ),
            (
                "performance",
                "max_entities",
                self.performance.max_entities,
                16,
                1 << 24,
            ),
            (
                "performance",
                "max_state_bytes",
                self.performance.max_state_bytes,
                1 << 20,
                1 << 40,
            ),
            (
                "performance",
                "snapshot_part_bytes",
                self.performance.snapshot_part_bytes,
                4096,
                1 << 30,
            ),
            (
                "performance",
                "max_entity_facts",
                self.performance.max_entity_facts,
                16,
                4096,
            ),
            (
                "content_filtering",
                "max_message_size",
                self.content_filtering.max_message_size,
                256,
                1 << 30,
            ),
            (
                "content_filtering",
                "max_depth",
                self.content_filtering.max_depth,
                4,
                100,
            ),
            (
                "content_filtering",
                "max_elements",
                self.content_filtering.max_elements,
                16,
                1 << 24,
            ),
            (
                "content_filtering",
                "max_id_length",
                self.content_filtering.max_id_length,
                64,
                4096,
            ),
            (
                "seneca",
                "max_bytes",
                self.seneca.max_bytes,
                1 << 20,
                1 << 36,
            ),
            (
                "rate_limiting",
                "messages_per_minute",
                whole(self.rate_limiting.messages_per_minute),
                1,
                1 << 30,
            ),
            (
                "rate_limiting",
                "burst_limit",
                whole(self.rate_limiting.burst_limit),
                1,
                1 << 30,
            ),
            (
                "rate_limiting",
                "burst_connections",
                whole(self.rate_limiting.burst_connections),
                1,
                1 << 10,
            ),
            (
                "rate_limiting",
                "address_messages_per_minute",
                whole(self.rate_limiting.address_messages_per_minute),
                1,
                1 << 30,
            ),
            (
                "rate_limiting",
                "address_burst_limit",
                whole(self.rate_limiting.address_burst_limit),
                1,
                1 << 30,
            ),
            (
                "rate_limiting",
                "strikes",
                whole(self.rate_limiting.strikes),
                1,
                1 << 30,
            ),
            (
                "pace",
                "producer_backlog",
                self.pace.producer_backlog,
                1,
                1 << 24,
            ),
            ("access", "max_known", self.access.max_known, 16, 1 << 24),
            // Less would not hold the longest names of a few things.
            (
                "access",
                "max_known_bytes",
                self.access.max_known_bytes,
                1 << 16,
                1 << 40,
            ),
            ("journal", "max_events", self.journal.max_events, 1, 1 << 32),
            // Less would hold no event of the largest size that is allowed.
            (
                "journal",
                "max_bytes",
                wide(self.journal.max_bytes),
                1 << 20,
                1 << 50,
            ),
            (
                "journal",
                "memory_bytes",
                wide(self.journal.memory_bytes),
                1 << 20,
                1 << 50,
            ),
            (
                "journal",
                "tail_bytes",
                self.journal.tail_bytes,
                64 * 1024,
                1 << 36,
            ),
            (
                "journal",
                "queue_bytes",
                self.journal.queue_bytes,
                64 * 1024,
                1 << 36,
            ),
        ];
        let wrong = counts
            .into_iter()
            .find(|(_, _, value, least, most)| value < least || value > most);
        wrong.map(|(section, key, value, least, most)| Invalid {
            entry: None,
            section,
            key,
            message: format!("is {value}: it must be from {least} to {most}"),
        })
    }

    pub(super) fn connections(&self) -> Option<Invalid> {
        let s = &self.server;
        let counts = [
            ("max_connections", s.max_connections),
            ("max_connections_per_address", s.max_connections_per_address),
            ("connections_per_second", s.connections_per_second),
            (
                "connections_per_second_per_address",
                s.connections_per_second_per_address,
            ),
            ("max_pending_sessions", s.max_pending_sessions),
            ("max_pending_per_address", s.max_pending_per_address),
            ("max_packets_per_post", s.max_packets_per_post),
            ("body_bytes_per_second", s.body_bytes_per_second),
        ];
        let (key, value) = counts
            .into_iter()
            .find(|(_, value)| !(1..=MOST).contains(value))?;
        Some(Invalid::new(
            "server",
            key,
            format!("is {value}: it must be from 1 to {MOST}"),
        ))
    }
}

fn wide(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
