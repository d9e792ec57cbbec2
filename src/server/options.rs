//! The options of each part, made from the configuration.

use std::sync::Arc;

use super::application::Application;
use crate::{
    access::Authenticator,
    breaker::BreakerLimits,
    cluster::Cluster,
    config::{Config, Recipients},
    doors::{
        actions::ActionsContext,
        http::{
            Hosts, Origins, ProxiedRequests, Renderings, RequestPolicy, RouterOptions,
            StreamOptions,
        },
        inputs::{Inputs, InputsContext},
        nodes::AllNodes,
        socketio::{
            self,
            engine::{Attachments, Bounds, DoorLimits, LaneLimits},
        },
        websocket,
    },
    emission::EmissionLimits,
    emitter::{ElsewhereLimits, EmitterOptions},
    hub::{DegradationOptions, HubHandle, HubOptions},
    intake::{Intake, IntakeLimits, PipelineLimits},
    net::{
        BodyLimits, PackedLimits, Quota, QuotaLimits, Space, Timeouts,
        deflate::{Compression, CompressionLimits},
    },
    observe::Metrics,
    pace::degradation::{Bounds as LoadBounds, Degradation, Tempo},
    projections::state::Limits,
    recovery::{ClaimLimits, SessionLimits, Sessions},
};

/// Attachments of one packet: as many as Socket.IO's own server takes.
const MAX_ATTACHMENTS: u64 = 10;

/// The part of urgent updates that may be later than their budget, which is for 99 of 100.
const MAX_LATE: f64 = 0.01;

/// The limits of the intake.
pub(super) fn intake(config: &Config) -> IntakeLimits {
    IntakeLimits {
        max_lag: config.performance.max_lag.into(),
        max_waiting: config.journal.queue_bytes.into(),
        max_batch: config.performance.max_publish_batch.into(),
        max_event: config.content_filtering.max_message_size.into(),
        max_depth: config.content_filtering.max_depth.into(),
        max_elements: config.content_filtering.max_elements.into(),
        max_id: config.content_filtering.max_id_length.into(),
        max_in_flight: config.emit.max_in_flight.into(),
        unanswered: PipelineLimits {
            calls: config.performance.max_unanswered_publishes.into(),
            bytes: config.performance.max_unanswered_bytes.into(),
        },
        validate: config.content_filtering.validate_message_format,
    }
}

/// The settings of the emitter.
pub(super) fn emitter(config: &Config) -> EmitterOptions {
    let events = intake(config);
    EmitterOptions {
        limits: EmissionLimits {
            // A client whose queue is empty has room for one of this size.
            max_bytes: usize::from(config.emit.max_bytes)
                .min(config.server.max_client_buffer.into()),
            max_depth: events.max_depth,
            max_rooms: config.emit.max_rooms.into(),
            max_attachments: config.emit.max_attachments.into(),
            max_id: events.max_id,
        },
        max_ids: config.emit.max_ids.into(),
        max_batch: events.max_batch,
        elsewhere: ElsewhereLimits {
            max_held: config.cluster.held_bytes.into(),
            max_hold: config.cluster.max_hold.get(),
        },
    }
}

/// The settings of degradation under load; `told` is what other parts see of it.
fn degradation(config: &Config, told: Arc<Degradation>) -> DegradationOptions {
    let pace = &config.pace;
    let percent = u32::try_from(pace.degrade_busy_percent.get()).unwrap_or(100);
    DegradationOptions {
        enabled: pace.degrade,
        bounds: LoadBounds {
            busy: f64::from(percent) / 100.0,
            lag: pace.degrade_lag.get(),
            late: MAX_LATE,
        },
        tempo: Tempo {
            enter_after: pace.degrade_after_ms.get(),
            leave_after: pace.recover_after_ms.get(),
        },
        flush_interval: pace.degraded_flush_interval_ms.get(),
        low_windows: u32::try_from(pace.degraded_low_windows.get()).unwrap_or(1),
        told,
    }
}

/// The options of the hub.
pub(super) fn hub(config: &Config, told: Arc<Degradation>) -> HubOptions {
    HubOptions {
        degradation: degradation(config, told),
        flush_interval: config.pace.flush_interval_ms.get(),
        flush_max: config.performance.flush_max.into(),
        level_shares: config.pace.level_shares,
        producer_backlog: config.pace.producer_backlog.into(),
        max_room_size: config.rooms.max_room_size.into(),
        max_rooms_per_client: config.rooms.max_rooms_per_client.into(),
        max_free: (
            config.rooms.max_free_rooms.into(),
            config.rooms.max_free_room_bytes.into(),
        ),
        max_visitors: config.rooms.max_visitors.into(),
        state: Limits::of(config),
        seneca_broadcast: config.seneca.broadcast,
        aggregates: match config.seneca.aggregates {
            Recipients::Pages if config.seneca.broadcast => Recipients::Everybody,
            recipients => recipients,
        },
        max_dashboard: config.seneca.max_bytes.into(),
        sanitize: config.content_filtering.sanitize_content,
        snapshot_part: snapshot_part(config),
        max_recent: config.journal.tail_bytes.into(),
        // Half of the most that a client may have unsent: a client with room for one segment has room for all of it.
        max_segment: usize::from(config.server.max_client_buffer) / 2,
        emit_patience: config.emit.patience_ms.get(),
        max_delay: config.server.max_client_delay.get(),
        default_room: config.rooms.default_room.clone(),
    }
}

/// The limits of circuit breakers.
pub(super) fn breakers(config: &Config) -> BreakerLimits {
    BreakerLimits {
        failures: config.breakers.failures.into(),
        open_for: config.breakers.open_for.get(),
        probes: config.breakers.probes.into(),
    }
}

/// The size of a snapshot's parts: a client may have two of them unsent.
pub(super) fn snapshot_part(config: &Config) -> usize {
    let most = usize::from(config.server.max_client_buffer) / 2;
    usize::from(config.performance.snapshot_part_bytes).min(most)
}

/// The options of the namespace layer.
pub(super) fn sockets(
    config: &Config,
    quota: Arc<Quota>,
    compression: Option<Arc<Compression>>,
    (application, nodes): (Application, Arc<AllNodes>),
    sessions: Arc<Sessions>,
) -> socketio::Options {
    socketio::Options {
        recovery: socketio::RecoveryOptions {
            offsets: config.recovery.offsets,
            sessions,
        },
        quota,
        compression,
        default_room: config.rooms.default_room.clone(),
        namespaces: config.namespaces.all(),
        batch: config.performance.batch_messages,
        ping: (
            config.server.ping_interval.get(),
            config.server.ping_timeout.get(),
        ),
        connect_timeout: config.server.connect_timeout.get(),
        max_payload: config.server.max_http_buffer_size.into(),
        lane: lane(config),
        max_rooms: config.rooms.max_rooms_per_client.into(),
        snapshot_part: snapshot_part(config),
        admin_ui: config.admin_ui.clone(),
        backend: application.backend,
        operations: application.operations,
        drain: application.drain,
        nodes,
        sessions: application.sessions,
    }
}

/// The bounds of sessions that clients come back to.
pub(super) fn recovery(config: &Config) -> SessionLimits {
    SessionLimits {
        max_holder: config.recovery.max_holder_bytes.into(),
        max_age: config.recovery.max_age.get(),
        max_bytes: config.recovery.max_bytes.into(),
        max_session: config.recovery.max_session_bytes.into(),
    }
}

/// The bounds on asking for sessions that other nodes hold.
pub(super) fn claims(config: &Config) -> ClaimLimits {
    ClaimLimits {
        at_once: config.recovery.max_claims.into(),
        within: config.recovery.claim_within.get(),
    }
}

/// The questions of agents, with their limits.
pub(super) fn inputs(
    config: &Config,
    hub: HubHandle,
    intake: Arc<Intake>,
    metrics: &Metrics,
) -> Arc<Inputs> {
    let context = InputsContext {
        hub,
        intake,
        max_answer: config.inputs.max_answer_bytes.into(),
        max_waits: (
            config.inputs.max_waits.into(),
            config.inputs.max_waits_per_client.into(),
        ),
        max_wait: config.inputs.max_wait.get(),
    };
    Inputs::new(context, metrics)
}

/// The parts and the limits of actions on agents.
pub(super) fn actions(
    config: &Config,
    hub: HubHandle,
    authenticator: Arc<Authenticator>,
    (metrics, inputs): (Arc<Metrics>, Arc<Inputs>),
    cluster: Cluster,
) -> ActionsContext {
    ActionsContext {
        cluster,
        inputs,
        hub,
        authenticator,
        metrics,
        timeout: config.server.action_timeout.get(),
        retries: (
            config.server.action_retries.get(),
            config.server.action_retry_delay.get(),
        ),
        most: (
            config.server.max_actions_in_flight.into(),
            config.server.max_action_bytes.into(),
        ),
    }
}

/// The compression of messages, for all doors; none when it is switched off.
pub(super) fn compression(config: &Config, metrics: &Metrics) -> Option<Arc<Compression>> {
    let limits = CompressionLimits {
        min_bytes: config.performance.compression_min_bytes.into(),
        level: config.performance.compression_level.into(),
        max_message: config.server.max_http_buffer_size.into(),
        max_ratio: config.server.max_unpack_ratio.into(),
    };
    let is_on = config.performance.compression;
    is_on.then(|| Compression::new(limits, metrics.compression.clone()))
}

/// The limits of a client's lane.
pub(crate) fn lane(config: &Config) -> LaneLimits {
    LaneLimits {
        max_bytes: config.server.max_client_buffer.into(),
        max_packets: config.performance.message_queue_size.into(),
        stall: config.server.stall_timeout.get(),
        incoming: Bounds {
            max_message: config.server.max_http_buffer_size.into(),
            max_fragments: config.server.max_fragments.into(),
            max_connects: config.server.max_connects.into(),
        },
        attachments: Attachments {
            count: MAX_ATTACHMENTS,
            bytes: config.server.max_http_buffer_size.into(),
            within: config.server.connect_timeout.get(),
        },
        ping_timeout: config.server.ping_timeout.get(),
    }
}

/// The limits of the door at `/socket.io/`.
pub(super) fn door(config: &Config, metrics: &Metrics) -> DoorLimits {
    DoorLimits {
        pending: QuotaLimits {
            total: config.server.max_pending_sessions.into(),
            per_address: config.server.max_pending_per_address.into(),
            per_second: None,
            exempt: config.server.exempt_addresses.clone(),
        },
        body: body(config, metrics),
        max_packets: config.server.max_packets_per_post.into(),
    }
}

/// The limits of request bodies. Each door has its own space: polling is open to everybody, and must take none from
/// producers.
pub(super) fn body(config: &Config, metrics: &Metrics) -> BodyLimits {
    BodyLimits {
        max: config.server.max_http_buffer_size.into(),
        max_key: "[server] max_http_buffer_size",
        timeout: config.server.body_timeout.get(),
        bytes_per_second: config.server.body_bytes_per_second.into(),
        space: Space::new(
            config.server.max_body_bytes_in_flight.into(),
            config.server.max_body_bytes_per_address.into(),
            metrics.bodies.clone(),
        ),
        patience: config.server.body_patience.get(),
        packed: PackedLimits::new(
            config.server.max_unpack_ratio.into(),
            config.server.max_unpacking.into(),
        ),
    }
}

/// The options of a stream of server-sent events.
pub(super) fn stream(config: &Config) -> StreamOptions {
    StreamOptions {
        default_room: config.rooms.default_room.clone(),
        namespaces: config.namespaces.all(),
        max_rooms: config.rooms.max_rooms_per_client.into(),
        max_bytes: config.server.max_client_buffer.into(),
        heartbeat: config.performance.heartbeat_interval.get(),
    }
}

/// The limits of a client that speaks JSON over a WebSocket.
pub(super) fn doors(
    config: &Config,
    quota: Arc<Quota>,
    compression: Option<Arc<Compression>>,
) -> websocket::Options {
    websocket::Options {
        compression,
        max_bytes: config.server.max_client_buffer.into(),
        bounds: websocket::Bounds {
            message: config.server.max_http_buffer_size.into(),
            fragments: config.server.max_fragments.into(),
            control_frames: config.server.max_control_frames.into(),
            stall: config.server.stall_timeout.get(),
        },
        max_rooms: config.rooms.max_rooms_per_client.into(),
        ping: (
            config.server.ping_interval.get(),
            config.server.ping_timeout.get(),
        ),
        heartbeat: config.performance.heartbeat_interval.get(),
        push_interval: config.performance.figures_interval.get(),
        batches: (
            config.doors.visualization_batch_size.into(),
            config.doors.visualization_batch_ms.get(),
        ),
        quota,
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
        header: config.server.header_timeout.get(),
        idle: config.server.idle_timeout.get(),
        stall: config.server.stall_timeout.get(),
    }
}

/// The limits on connections.
pub(super) fn connections(config: &Config) -> QuotaLimits {
    QuotaLimits {
        total: config.server.max_connections.into(),
        per_address: config.server.max_connections_per_address.into(),
        per_second: Some(config.server.connections_per_second_per_address.into()),
        exempt: config.server.exempt_addresses.clone(),
    }
}

/// The rendered answers with the state; their texts may hold a quarter of the bytes that the state may.
pub(super) fn renderings(config: &Config, metrics: &Metrics) -> Arc<Renderings> {
    Renderings::new(usize::from(config.performance.max_state_bytes) / 4, metrics)
}
