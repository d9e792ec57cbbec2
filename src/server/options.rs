//! The options of each part, made from the configuration.

use std::sync::Arc;

use crate::{
    config::Config,
    doors::{
        http::{
            Hosts, Origins, ProxiedRequests, Renderings, RequestPolicy, RouterOptions,
            StreamOptions,
        },
        socketio::{
            self,
            engine::{Attachments, Bounds, DoorLimits, LaneLimits},
        },
    },
    hub::HubOptions,
    intake::IntakeLimits,
    ledger,
    net::{BodyLimits, PackedLimits, Quota, QuotaLimits, Space, Timeouts},
    observe::Metrics,
    projections::state::Limits,
};

/// Attachments of one packet: as many as Socket.IO's own server takes.
const MAX_ATTACHMENTS: u64 = 10;

/// The limits of the intake.
pub(super) fn intake(config: &Config) -> IntakeLimits {
    IntakeLimits {
        max_lag: config.performance.max_lag as u64,
        max_waiting: config.journal.queue_bytes,
        max_batch: config.performance.max_publish_batch,
        max_event: config.content_filtering.max_message_size,
        max_depth: config.content_filtering.max_depth,
        max_elements: config.content_filtering.max_elements,
        max_id: config.content_filtering.max_id_length,
        validate: config.content_filtering.validate_message_format,
    }
}

/// The options of the hub.
pub(super) fn hub(config: &Config) -> HubOptions {
    HubOptions {
        flush_interval: config.pace.flush_interval(),
        flush_max: config.performance.flush_max,
        level_shares: config.pace.level_shares,
        producer_backlog: config.pace.producer_backlog,
        max_room_size: config.rooms.max_room_size,
        max_rooms_per_client: config.rooms.max_rooms_per_client,
        state: state(config),
        seneca_broadcast: config.seneca.broadcast,
        aggregates: config.seneca.aggregates,
        max_dashboard: config.seneca.max_bytes,
        sanitize: config.content_filtering.sanitize_content,
        snapshot_part: snapshot_part(config),
        max_recent: config.journal.tail_bytes,
        // Half of the most that a client may have unsent: a client with room for one segment has room for all of it.
        max_segment: config.server.max_client_buffer / 2,
        max_delay: config.server.max_client_delay(),
        default_room: config.rooms.default_room.clone(),
    }
}

/// The limits of the state.
pub(super) fn state(config: &Config) -> Limits {
    Limits {
        max_entities: config.performance.max_entities,
        known: ledger::Bounds {
            things: config.access.max_known,
            bytes: config.access.max_known_bytes,
        },
        max_bytes: config.performance.max_state_bytes,
        max_facts: config.performance.max_entity_facts,
    }
}

/// The size of a snapshot's parts: a client may have two of them unsent.
pub(super) fn snapshot_part(config: &Config) -> usize {
    let most = config.server.max_client_buffer / 2;
    config.performance.snapshot_part_bytes.min(most)
}

/// The options of the namespace layer.
pub(super) fn sockets(config: &Config, quota: Arc<Quota>) -> socketio::Options {
    socketio::Options {
        quota,
        default_room: config.rooms.default_room.clone(),
        batch: config.performance.batch_messages,
        ping: (config.server.ping_interval(), config.server.ping_timeout()),
        connect_timeout: config.server.connect_timeout(),
        max_payload: config.server.max_http_buffer_size,
        lane: lane(config),
        max_rooms: config.rooms.max_rooms_per_client,
        snapshot_part: snapshot_part(config),
        action_timeout: config.server.action_timeout(),
        max_actions: (
            config.server.max_actions_in_flight,
            config.server.max_action_bytes,
        ),
    }
}

/// The limits of a client's lane.
pub(crate) fn lane(config: &Config) -> LaneLimits {
    LaneLimits {
        max_bytes: config.server.max_client_buffer,
        max_packets: config.performance.message_queue_size,
        stall: config.server.stall_timeout(),
        incoming: Bounds {
            max_message: config.server.max_http_buffer_size,
            max_fragments: config.server.max_fragments,
            max_connects: config.server.max_connects,
        },
        attachments: Attachments {
            count: MAX_ATTACHMENTS,
            bytes: config.server.max_http_buffer_size,
            within: config.server.connect_timeout(),
        },
        ping_timeout: config.server.ping_timeout(),
    }
}

/// The limits of the door at `/socket.io/`.
pub(super) fn door(config: &Config, metrics: &Metrics) -> DoorLimits {
    DoorLimits {
        pending: QuotaLimits {
            total: config.server.max_pending_sessions,
            per_address: config.server.max_pending_per_address,
            per_second: None,
            exempt: config.server.exempt_addresses.clone(),
        },
        body: body(config, metrics),
        max_packets: config.server.max_packets_per_post,
    }
}

/// The limits of request bodies. Each door has its own space: polling is open to everybody, and must take none from
/// producers.
pub(super) fn body(config: &Config, metrics: &Metrics) -> BodyLimits {
    BodyLimits {
        max: config.server.max_http_buffer_size,
        timeout: config.server.body_timeout(),
        bytes_per_second: config.server.body_bytes_per_second,
        space: Space::new(
            config.server.max_body_bytes_in_flight,
            config.server.max_body_bytes_per_address,
            metrics.bodies.clone(),
        ),
        patience: config.server.body_patience(),
        packed: PackedLimits::new(config.server.max_unpack_ratio, config.server.max_unpacking),
    }
}

/// The options of a stream of server-sent events.
pub(super) fn stream(config: &Config) -> StreamOptions {
    StreamOptions {
        default_room: config.rooms.default_room.clone(),
        max_rooms: config.rooms.max_rooms_per_client,
        max_bytes: config.server.max_client_buffer,
        heartbeat: config.performance.heartbeat_interval(),
    }
}

/// The options of the router.
pub(super) fn routes(config: &Config) -> RouterOptions {
    let server = &config.server;
    RouterOptions {
        policy: RequestPolicy {
            hosts: Hosts::new(&server.hosts, &server.host),
            origins: Origins::new(&server.cors_allowed_origins, server.require_origin),
            proxied: ProxiedRequests::refused(
                !config.authentication.required && !server.allow_insecure,
            ),
        },
        hsts: if config.tls.is_on() {
            config.tls.hsts_max_age
        } else {
            0
        },
        compression: config.performance.compression,
        web_root: server.web_root.clone(),
    }
}

/// The timeouts of an HTTP connection.
pub(super) fn timeouts(config: &Config) -> Timeouts {
    Timeouts {
        header: config.server.header_timeout(),
        idle: config.server.idle_timeout(),
        stall: config.server.stall_timeout(),
    }
}

/// The limits on connections.
pub(super) fn connections(config: &Config) -> QuotaLimits {
    QuotaLimits {
        total: config.server.max_connections,
        per_address: config.server.max_connections_per_address,
        per_second: Some(config.server.connections_per_second_per_address),
        exempt: config.server.exempt_addresses.clone(),
    }
}

/// The rendered answers with the state; their texts may hold a quarter of the bytes that the state may.
pub(super) fn renderings(config: &Config, metrics: &Metrics) -> Arc<Renderings> {
    Renderings::new(config.performance.max_state_bytes / 4, metrics)
}
