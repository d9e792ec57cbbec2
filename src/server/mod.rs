//! Puts the parts together, and takes them apart again in order.
//!
//! Going down: readiness off, a word to everybody, the hub's last flush, all lanes closed, the listener's requests
//! ended. Nothing is waited for longer than `[server] shutdown_timeout`, whatever a client does.

mod listen;
mod stop;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use listen::listen;
use stop::StopSignal;
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::{Config, JournalDurability, JournalKind},
    demo,
    http::{self, Api, Readiness, RouterOptions, StreamOptions},
    hub::{Hub, HubOptions},
    intake::{Intake, IntakeLimits, Producer, Raw},
    journal::{
        Durability, Journal, JournalError, MemoryJournal, OpenError, Retention, SqliteJournal,
        SqliteOptions,
    },
    net::{LaneLimits, Server},
    observe::Metrics,
    socketio::{self, Door},
    state::checkpoint,
    update::{Rule, RuleError, Table, TransformOptions},
};

/// Why the server could not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// The address as configured.
        address: String,
        /// In words, with what to do.
        reason: String,
    },
    /// A transformation rule can't be used.
    #[error("{0}")]
    Rule(#[from] RuleError),
    /// The journal's file can't be used.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The journal can't be read.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

/// How long the journal may take to close its file.
const CLOSING: Duration = Duration::from_secs(2);

/// A running server.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    door: Door,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    hub: JoinHandle<()>,
    checkpoints: JoinHandle<()>,
    /// Closed last.
    journal: Arc<dyn Journal>,
    demo: Option<JoinHandle<()>>,
    shutdown_timeout: Duration,
}

/// Starts everything and returns when connections are accepted.
///
/// # Errors
/// When the address can't be listened on, or a rule of the configuration can't be used.
pub async fn start(config: &Config) -> Result<Running, ServeError> {
    let table = table(config)?;
    let (listener, address) = listen(config).await?;
    let metrics = Metrics::new();
    let journal = journal(config)?;
    let (mut hub, handle, read_to) =
        Hub::new(hub_options(config), journal.clone(), table, metrics.clone());
    hub.restore().await?;
    let hub = tokio::spawn(hub.run());
    let checkpoints = tokio::spawn(checkpoint::keep(
        journal.clone(),
        config.performance.max_entities,
    ));
    let limits = IntakeLimits {
        max_lag: config.performance.max_lag as u64,
        max_batch: config.performance.max_publish_batch,
        max_event: config.content_filtering.max_message_size,
        max_depth: config.content_filtering.max_depth,
    };
    let intake = Arc::new(Intake::new(
        journal.clone(),
        limits,
        read_to,
        metrics.clone(),
    ));
    let door = socketio::start(
        handle.clone(),
        intake.clone(),
        metrics.clone(),
        socket_options(config),
    );
    let readiness = Arc::new(Readiness::default());
    let api = Api {
        hub: handle,
        intake: intake.clone(),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
        stream: StreamOptions {
            default_room: config.rooms.default_room.clone(),
            max_rooms: config.rooms.max_rooms_per_client,
            max_bytes: config.server.max_client_buffer,
            stall: config.server.stall_timeout(),
            heartbeat: config.performance.heartbeat_interval(),
        },
        max_body: config.server.max_http_buffer_size,
    };
    let routes = RouterOptions {
        origins: config.server.cors_allowed_origins.clone(),
        compression: config.performance.compression,
        web_root: config.server.web_root.clone(),
    };
    let router = http::router(api, door.clone(), &routes);
    let (stopping, stop) = watch::channel(false);
    let server = Server {
        header_timeout: config.server.header_timeout(),
        stopping: stop,
    };
    Ok(Running {
        address,
        metrics,
        readiness,
        door,
        stopping,
        serving: tokio::spawn(server.serve(listener, router)),
        hub,
        checkpoints,
        journal,
        demo: config
            .demo
            .enabled
            .then(|| tokio::spawn(play(config.demo.seed, config.demo.speed, intake))),
        shutdown_timeout: config.server.shutdown_timeout(),
    })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Goes down; returns within the configured time whatever clients do.
    pub async fn shutdown(self) {
        self.readiness.stop();
        if let Some(demo) = &self.demo {
            demo.abort();
        }
        self.checkpoints.abort();
        let (serving, hub) = (self.serving.abort_handle(), self.hub.abort_handle());
        let orderly = async {
            self.door.shutdown().await;
            self.stopping.send_replace(true);
            self.serving.await.ok();
            self.hub.await.ok();
        };
        if tokio::time::timeout(self.shutdown_timeout, orderly)
            .await
            .is_err()
        {
            tracing::warn!("not everything ended in time; going down without it");
            serving.abort();
            hub.abort();
        }
        let journal = self.journal;
        let close = tokio::task::spawn_blocking(move || journal.close());
        // Only a disk that hangs takes so long; what was acknowledged is kept without it.
        tokio::time::timeout(CLOSING, close).await.ok();
    }
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// As [`start`].
pub async fn run(config: Config) -> Result<(), ServeError> {
    // Before anybody can know that it listens: a signal that nobody awaits yet would end the process on the spot.
    let mut stop = StopSignal::listen();
    let running = tokio::select! {
        running = start(&config) => running?,
        () = stop.received() => {
            tracing::info!("stopped before it listened");
            return Ok(());
        }
    };
    let node_id = config.cluster.node_id.as_str();
    tracing::info!(address = %running.address(), node_id, "Stoa listens; the demo page is at http://{}/", shown(running.address()));
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    stop.received().await;
    tracing::info!("going down");
    running.shutdown().await;
    tracing::info!("down");
    Ok(())
}

/// An address that a browser on this machine can open.
fn shown(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

fn journal(config: &Config) -> Result<Arc<dyn Journal>, ServeError> {
    let retention = Retention {
        max_events: config.journal.max_events,
        max_age: config.journal.max_age(),
    };
    Ok(match config.journal.kind {
        JournalKind::Memory => Arc::new(MemoryJournal::new(retention)),
        JournalKind::Sqlite => Arc::new(SqliteJournal::open(&SqliteOptions {
            path: config.journal.path.clone(),
            durability: match config.journal.durability {
                JournalDurability::Process => Durability::Process,
                JournalDurability::Disk => Durability::Disk,
            },
            retention,
            max_bytes: config.journal.max_bytes,
        })?),
    })
}

/// Whether [`start`] could use this configuration, as far as that can be known without listening.
///
/// # Errors
/// A rule can't be used.
pub fn check(config: &Config) -> Result<(), ServeError> {
    table(config).map(drop)
}

fn table(config: &Config) -> Result<Table, ServeError> {
    let rules = config
        .transform
        .rules
        .iter()
        .map(Rule::compile)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Table::new(TransformOptions {
        throttle: config.transform.throttle(),
        text_throttle: config.transform.text_throttle(),
        rules,
    }))
}

fn hub_options(config: &Config) -> HubOptions {
    HubOptions {
        flush_interval: config.pace.flush_interval(),
        flush_max: config.performance.flush_max,
        max_room_size: config.rooms.max_room_size,
        max_rooms_per_client: config.rooms.max_rooms_per_client,
        max_entities: config.performance.max_entities,
        seneca_broadcast: config.seneca.broadcast,
        // Half of what a client may owe: whoever has room for one stretch has room for all of it.
        max_stretch: config.server.max_client_buffer / 2,
        max_delay: config.server.max_client_delay(),
        default_room: config.rooms.default_room.clone(),
    }
}

fn socket_options(config: &Config) -> socketio::Options {
    socketio::Options {
        default_room: config.rooms.default_room.clone(),
        batch: config.performance.batch_messages,
        ping: (config.server.ping_interval(), config.server.ping_timeout()),
        connect_timeout: config.server.connect_timeout(),
        max_payload: config.server.max_http_buffer_size,
        lane: LaneLimits {
            max_bytes: config.server.max_client_buffer,
            max_packets: config.performance.message_queue_size,
            stall: config.server.stall_timeout(),
        },
        max_rooms: config.rooms.max_rooms_per_client,
        action_timeout: config.server.action_timeout(),
    }
}

/// Publishes the demo team's events as a producer would.
async fn play(seed: u64, speed: f64, intake: Arc<Intake>) {
    let producer = Producer {
        name: "demo",
        door: "demo",
    };
    let mut team = demo::team(seed, speed);
    loop {
        let (wait, event) = team.next_event();
        tokio::time::sleep(wait).await;
        if let Err(refusal) = intake.publish(vec![Raw::Json(event, None)], producer).await {
            tracing::warn!(%refusal, "the demo could not publish");
        }
    }
}
