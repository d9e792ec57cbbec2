//! Starts the bus that the configuration describes.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc};

use tokio::task::JoinHandle;

use super::{error::ServeError, essential::Essential};
use crate::{
    access::authz::{Permissions, Policy},
    breaker::Breakers,
    config::{BusKind, Config, JournalKind, PythonData},
    doors::{
        bus::{
            Bus, BusCounters, BusOptions, BusTargets, LinkTimes, MessageLimits, python::ListData,
        },
        operations::Operations,
    },
    emission::EmissionLimits,
    emitter::Emitter,
    intake::Intake,
    ledger::Ledger,
    observe::Metrics,
};

/// The permissions of the bus: all, or those of a producer whose token names projects.
fn permissions(config: &Config, ledger: &Arc<Ledger>) -> Result<Permissions, ServeError> {
    let bus = &config.bus;
    if bus.projects.is_empty() {
        return Ok(Permissions::everything());
    }
    let policy = Policy {
        rules: config.access.clone(),
        ledger: ledger.clone(),
    };
    let is_every_room = bus.rooms.iter().any(|room| room == "*");
    let rooms = (!is_every_room).then(|| bus.rooms.clone());
    let projects = Some(bus.projects.clone());
    Permissions::new(None, rooms, projects, Arc::new(policy))
        .map_err(|bad| ServeError::Bus(bad.to_string()))
}

/// The tasks of the bus, and its counters.
pub(super) type Started = (Vec<JoinHandle<()>>, BusCounters);

/// Starts the bus, if there is one.
pub(super) fn start(
    config: &Config,
    essential: &Essential,
    (emitter, intake, operations): (&Emitter, &Arc<Intake>, &Arc<Operations>),
    (ledger, breakers, metrics): (&Arc<Ledger>, &Breakers, &Metrics),
) -> Result<Option<Started>, ServeError> {
    if !config.bus.is_on() {
        return Ok(None);
    }
    let counters = BusCounters::default();
    metrics.add(|registry| counters.register(registry));
    let targets = BusTargets {
        emitter: emitter.clone(),
        intake: intake.clone(),
        permissions: permissions(config, ledger)?,
        operations: operations.clone(),
    };
    let options = options(config, emitter);
    let bus = Bus::new(&config.bus.url, &options, targets, breakers, &counters)
        .map_err(|error| ServeError::Bus(error.to_string()))?;
    let tasks = bus.tasks().into_iter();
    let tasks = tasks.map(|(name, task)| essential.spawn(name, task));
    Ok(Some((tasks.collect(), counters)))
}

fn options(config: &Config, emitter: &Emitter) -> BusOptions {
    let bus = &config.bus;
    let of = |kind: BusKind, names: &[String]| match bus.kinds.contains(&kind) {
        true => names.to_vec(),
        false => Vec::new(),
    };
    BusOptions {
        python_channels: of(BusKind::Python, &bus.python_channels),
        lists: match bus.python_data {
            PythonData::Args => ListData::Args,
            PythonData::Raw => ListData::Raw,
        },
        node_keys: of(BusKind::Node, &bus.node_keys),
        streams: of(BusKind::Streams, &bus.streams),
        position_file: position_file(config),
        name: bus.name.clone(),
        rooms: bus.rooms.clone(),
        namespaces: bus.namespaces.clone(),
        emits: bus.emits.clone(),
        events: bus.events.clone(),
        keep: bus.keep.clone(),
        allow: bus.allow.iter().map(|operation| operation.name()).collect(),
        emissions: EmissionLimits {
            max_depth: bus.max_depth.into(),
            ..emitter.options().limits
        },
        limits: MessageLimits {
            max_bytes: bus.max_message.into(),
            max_depth: bus.max_depth.into(),
            max_rooms: emitter.options().limits.max_rooms,
            max_attachments: emitter.options().limits.max_attachments,
        },
        max_waiting: bus.max_waiting.into(),
        per_second: NonZeroU32::new(bus.messages_per_second.into()),
        times: LinkTimes {
            timeout: bus.timeout.get(),
            ping_interval: bus.ping_interval.get(),
            max_retry_delay: bus.max_retry_delay.get(),
        },
    }
}

/// The file of the places in the streams: as named, or beside the journal's; none where the journal has no file either.
fn position_file(config: &Config) -> Option<PathBuf> {
    let named = &config.bus.position_file;
    if !named.as_os_str().is_empty() {
        return Some(named.clone());
    }
    (config.journal.kind == JournalKind::Sqlite).then(|| {
        let mut file = config.journal.path.as_os_str().to_owned();
        file.push(".bus");
        file.into()
    })
}
