//! A hub, put together as `server` does it, without the network.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use super::{
    client::{Client, Coming},
    events::Claims,
    script::Settings,
    wants::Look,
};
use crate::{
    access::authz::{Filter, Permissions, Policy},
    backlog::Backlog,
    channel::Namespace,
    config::{Recipients, Rules},
    doors::queue::ObserverQueue,
    event::Object,
    hub::DegradationOptions,
    hub::{Hub, HubHandle, HubOptions, JoinReply, JoinRequest, Membership, Subscription},
    intake::{Intake, IntakeLimits, PipelineLimits, Refusing},
    journal::{
        Durability, HeldBytes, Journal, MemoryJournal, Retention, SqliteJournal, SqliteOptions,
    },
    ledger::Ledger,
    observe::Metrics,
    projections::state::Limits,
    update::{Table, TransformOptions, UpdateShape},
};
/// A hub that runs.
pub(super) struct Running {
    pub(super) hub: HubHandle,
    pub(super) task: JoinHandle<()>,
    pub(super) intake: Intake,
    pub(super) policy: Arc<Policy>,
}

pub(super) fn journal(settings: &Settings, folder: &Path) -> Result<Arc<dyn Journal>, String> {
    let retention = Retention {
        max_events: settings.keeps,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
    };
    if !settings.in_file {
        return Ok(Arc::new(MemoryJournal::new(retention)));
    }
    let journal = SqliteJournal::open(&SqliteOptions {
        path: folder.join("stoa.db"),
        durability: Durability::Process,
        retention,
        held: HeldBytes::default(),
        breaker: crate::breaker::Breaker::alone("journal", Duration::from_millis(200)),
    });
    Ok(Arc::new(journal.map_err(|e| e.to_string())?))
}

pub(super) async fn start(
    settings: &Settings,
    journal: &Arc<dyn Journal>,
) -> Result<Running, String> {
    let metrics = Metrics::new();
    let table = Table::new(TransformOptions {
        throttle: settings.window,
        text_throttle: settings.window,
        usage_throttle: settings.window,
        rules: Vec::new(),
    });
    let (mut hub, handle, backlog) =
        Hub::new(options(settings), journal.clone(), table, metrics.clone());
    let ledger = hub.restore().await.map_err(|e| e.to_string())?;
    Ok(Running {
        hub: handle,
        task: tokio::spawn(hub.run()),
        intake: intake(journal, &ledger, backlog, metrics),
        policy: Arc::new(Policy {
            rules: Rules::default(),
            ledger,
        }),
    })
}

fn intake(
    journal: &Arc<dyn Journal>,
    ledger: &Arc<Ledger>,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
) -> Intake {
    let limits = IntakeLimits {
        max_lag: 100_000,
        max_waiting: 1 << 30,
        max_batch: 1_000,
        max_event: 64_000,
        max_depth: 32,
        max_elements: 10_000,
        max_id: 512,
        max_in_flight: 1 << 20,
        unanswered: PipelineLimits {
            calls: 1_024,
            bytes: 1 << 20,
        },
        validate: true,
    };
    Intake::new(
        journal.clone(),
        ledger.clone(),
        limits,
        backlog,
        metrics,
        Refusing::default(),
    )
}

fn options(settings: &Settings) -> HubOptions {
    HubOptions {
        flush_interval: Duration::from_millis(1),
        flush_max: settings.flush_max,
        degradation: DegradationOptions::default(),
        level_shares: [8, 4, 2, 1],
        producer_backlog: 100_000,
        max_room_size: 100,
        max_rooms_per_client: 100,
        max_free: (1000, 1 << 20),
        max_visitors: 1000,
        state: Limits {
            max_facts: 10_000,
            ..Limits::default()
        },
        seneca_broadcast: false,
        aggregates: Recipients::Nobody,
        max_dashboard: 1 << 20,
        sanitize: Recipients::Nobody,
        max_recent: if settings.in_memory { 1 << 20 } else { 0 },
        snapshot_part: settings.snapshot_part,
        max_segment: settings.segment,
        emit_patience: Duration::from_millis(100),
        max_delay: Duration::from_secs(600),
        default_room: "general".into(),
    }
}

pub(super) fn permissions(policy: &Arc<Policy>, claims: Claims) -> Result<Permissions, String> {
    let Claims::Of { projects, user } = claims else {
        return Ok(Permissions::everything());
    };
    let projects = projects.iter().map(ToString::to_string).collect();
    let permissions = Permissions::new(user.map(Into::into), None, Some(projects), policy.clone());
    permissions.map_err(|_| "a project is no pattern".into())
}

pub(super) fn subscription(look: &Look) -> Subscription {
    Subscription::Filter(Filter::parse(&look.wanted.json()).unwrap_or_default())
}

type Joined = (Arc<ObserverQueue>, Membership, Coming);

pub(super) async fn join(
    running: &Running,
    client: &Client,
    coming: Coming,
    lane: usize,
    batch: bool,
) -> Result<Joined, String> {
    let (lane, outlet) = Client::lane(lane);
    let look = client.account.look();
    let request = JoinRequest {
        outlet,
        namespace: Namespace::Root,
        client_id: "client".into(),
        user: None,
        subscription: subscription(look),
        permissions: permissions(&running.policy, client.claims)?,
        batch,
        // A client comes back with the one or the other.
        shape: match client.log.len() % 2 {
            0 => UpdateShape::Lean,
            _ => UpdateShape::Full,
        },
        silent: false,
    };
    let (snapshot, resume) = match &coming {
        Coming::With(cursor) => (false, Some(cursor.clone())),
        Coming::Anew { state, foreign } => (*state, foreign.clone()),
    };
    let welcome = JoinReply {
        rooms: look.rooms.iter().map(|room| (*room).into()).collect(),
        placed: Vec::new(),
        own_rooms: Vec::new(),
        greeting: Some(("connection_established", Object::new())),
        snapshot,
        state: Vec::new(),
        requested: std::time::Instant::now(),
        resume: resume.map(Into::into),
    };
    let membership = running.hub.join(request, welcome).await;
    let membership = membership.map_err(|refusal| refusal.message.to_string())?;
    Ok((lane, membership, coming))
}
