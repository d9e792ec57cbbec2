//! Opens the journal that the settings describe.

use std::sync::Arc;

use super::error::ServeError;
use crate::{
    config::{Config, Journal as Settings, JournalDurability, JournalKind},
    journal::{
        Durability, HeldBytes, Journal, MemoryJournal, Retention, SqliteJournal, SqliteOptions,
    },
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
    }
}

/// Checks whether the journal could be opened, as far as that can be known while a server may use it.
pub(super) fn check(settings: &Settings) -> Result<(), ServeError> {
    if settings.kind == JournalKind::Sqlite {
        SqliteJournal::check(&settings.path)?;
    }
    Ok(())
}

/// Opens the journal, or makes it.
pub(super) fn open(config: &Config) -> Result<Arc<dyn Journal>, ServeError> {
    let retention = Retention {
        max_events: config.journal.max_events.into(),
        max_age: config.journal.max_age.get(),
        max_bytes: match config.journal.kind {
            JournalKind::Memory => config
                .journal
                .max_bytes
                .get()
                .min(config.journal.memory_bytes.get()),
            JournalKind::Sqlite => config.journal.max_bytes.into(),
        },
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
            held: HeldBytes {
                tail: config.journal.tail_bytes.into(),
                queue: config.journal.queue_bytes.into(),
            },
        })?),
    })
}
