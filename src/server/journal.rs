//! Opens the journal that the settings describe.

use std::{path::PathBuf, sync::Arc};

use super::{error::ServeError, former_list};
use crate::{
    breaker::{BreakerLimits, Breakers},
    config::{Config, Journal as Settings, JournalAcks, JournalDurability, JournalKind},
    decision::{DecisionKeeper, Decisions},
    journal::{
        Acks, Durability, HeldBytes, Journal, MemoryJournal, RedisJournal, RedisOptions, Retention,
        SqliteJournal, SqliteOptions, Trial,
    },
    recovery,
};

/// The place of the journal, as the log says it.
pub(super) fn kept(journal: &Settings) -> String {
    match journal.kind {
        JournalKind::Memory => {
            "events are kept in memory: they are gone when the server stops".into()
        }
        JournalKind::Sqlite => {
            let path = &journal.path;
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("events are kept in {}", path.display())
        }
        // The address may hold a password.
        JournalKind::Redis => format!(
            "events are kept by Redis or Valkey, for all nodes of the deployment {:?}",
            journal.deployment
        ),
    }
}

/// Checks whether the journal could be opened, as far as that can be known while a server may use it; the outcome of the
/// trial of an engine.
pub(super) fn check(config: &Config) -> Result<Option<Trial>, ServeError> {
    let mut tried = None;
    match config.journal.kind {
        JournalKind::Memory => {}
        JournalKind::Sqlite => SqliteJournal::check(&config.journal.path)?,
        JournalKind::Redis => tried = Some(RedisJournal::check(&engine(config))?),
    }
    check_former_list(config)?;
    Ok(tried)
}

/// Checks whether the list of bans of an earlier version could be taken over, if there is one.
pub(super) fn check_former_list(config: &Config) -> Result<(), ServeError> {
    if let Some(path) = former_list_path(config)? {
        former_list::read(&path)?;
    }
    Ok(())
}

/// The place of an earlier version's list of bans: beside the journal's file, unless the settings name it.
pub(super) fn former_list_path(config: &Config) -> Result<Option<PathBuf>, ServeError> {
    let named = &config.access.file;
    let is_named = !named.as_os_str().is_empty();
    match config.journal.kind {
        JournalKind::Memory if is_named => Err(ServeError::NothingKeepsBans),
        JournalKind::Memory => Ok(None),
        JournalKind::Redis => Ok(is_named.then(|| named.clone())),
        JournalKind::Sqlite if is_named => Ok(Some(named.clone())),
        JournalKind::Sqlite => Ok(Some(config.journal.path.with_extension("access.json"))),
    }
}

/// An open journal.
pub(super) struct Opened {
    /// The journal itself.
    pub(super) journal: Arc<dyn Journal>,
    /// The decisions of an admin that it has.
    pub(super) decisions: Decisions,
    /// Takes those that come; none where the journal is in memory.
    pub(super) keeper: Option<Arc<dyn DecisionKeeper>>,
    /// The engine, where several nodes may share the journal.
    pub(super) engine: Option<RedisOptions>,
}

/// The bounds of the journal.
fn retention(config: &Config) -> Retention {
    let journal = &config.journal;
    Retention {
        max_events: journal.max_events.into(),
        max_age: journal.max_age.get(),
        max_bytes: match journal.kind {
            JournalKind::Memory => journal.max_bytes.get().min(journal.memory_bytes.get()),
            JournalKind::Sqlite | JournalKind::Redis => journal.max_bytes.into(),
        },
    }
}

/// The bytes that it may hold in memory.
fn held(journal: &Settings) -> HeldBytes {
    HeldBytes {
        tail: journal.tail_bytes.into(),
        queue: journal.queue_bytes.into(),
    }
}

/// The engine that several nodes share.
fn engine(config: &Config) -> RedisOptions {
    let journal = &config.journal;
    RedisOptions {
        url: journal.url.to_string(),
        sentinels: journal
            .sentinels
            .iter()
            .map(|url| url.to_string())
            .collect(),
        deployment: journal.deployment.clone(),
        node: match config.cluster.node_id.as_str() {
            "" => uuid::Uuid::new_v4().to_string(),
            name => name.into(),
        },
        acks: match journal.acks {
            JournalAcks::Primary => Acks::Primary,
            JournalAcks::Replica => Acks::Replica,
            JournalAcks::Disk => Acks::Disk,
        },
        timeout: journal.timeout.get(),
        sessions_age: 2 * config.recovery.max_age.get() + recovery::UNWRITTEN,
        retention: retention(config),
        held: held(journal),
    }
}

/// Opens the journal, or makes it.
pub(super) fn open(config: &Config, breakers: &Breakers) -> Result<Opened, ServeError> {
    let retention = retention(config);
    match config.journal.kind {
        JournalKind::Memory => Ok(Opened {
            journal: Arc::new(MemoryJournal::new(retention)),
            decisions: Decisions::default(),
            keeper: None,
            engine: None,
        }),
        JournalKind::Redis => {
            let options = engine(config);
            let journal = Arc::new(RedisJournal::open(options.clone())?);
            Ok(Opened {
                decisions: journal.decisions()?,
                keeper: Some(journal.clone()),
                engine: Some(options),
                journal,
            })
        }
        JournalKind::Sqlite => {
            let journal = Arc::new(SqliteJournal::open(&SqliteOptions {
                path: config.journal.path.clone(),
                durability: match config.journal.durability {
                    JournalDurability::Process => Durability::Process,
                    JournalDurability::Disk => Durability::Disk,
                },
                retention,
                held: held(&config.journal),
                breaker: breakers.part_with(
                    "journal",
                    BreakerLimits {
                        open_for: config.breakers.journal_open_for.get(),
                        ..breakers.limits()
                    },
                ),
            })?);
            Ok(Opened {
                decisions: journal.decisions()?,
                keeper: Some(journal.clone()),
                engine: None,
                journal,
            })
        }
    }
}
