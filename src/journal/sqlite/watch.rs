//! The watch on the file: it checks that the file at the journal's path is still the one that is open.
//!
//! A file that was deleted, or that another one was renamed over, is written without an error until the process ends,
//! and then all events are lost. So the path is compared with the open file again and again.

use std::{
    fs::{File, Metadata},
    path::{Path, PathBuf},
};

/// The length to which SQLite itself cuts its log.
const LOG_LIMIT: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    log: PathBuf,
    /// The file that was opened.
    file_id: Id,
    /// The log's file, once there is one.
    log_id: Option<Id>,
    /// The last length of the log.
    log_len: u64,
}

/// The ways in which the file is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// No file is at the path.
    Deleted,
    /// Another file is at the path.
    Replaced,
    /// The write-ahead log is not there any more, or is another one.
    LogGone,
    /// The write-ahead log is shorter than it was.
    LogCut,
}

impl Lost {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Deleted => {
                "the journal's file was deleted or renamed: put it back, or restart to begin anew, with nobody banned and nothing revoked"
            }
            Self::Replaced => {
                "another file was put in the place of the journal's: put the right one back, or restart to use the new one"
            }
            Self::LogGone => "the journal's write-ahead log (-wal) was deleted: restart the server",
            Self::LogCut => {
                "the journal's write-ahead log (-wal) was cut: restart the server, the newest events may be lost"
            }
        }
    }

    /// Whether only a restart helps.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::LogGone | Self::LogCut)
    }
}

type Id = (u64, u64);

#[cfg(unix)]
fn id(file: &Metadata) -> Id {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn id(_: &Metadata) -> Id {
    (0, 0)
}

impl Watch {
    /// The watch for `open`, which is the file that was at `path` when it was opened.
    pub(super) fn new(path: &Path, open: &File) -> std::io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let mut watch = Self {
            path: path.to_owned(),
            log: log.into(),
            file_id: id(&open.metadata()?),
            log_id: None,
            log_len: 0,
        };
        watch.look();
        Ok(watch)
    }

    /// Compares the files; returns the loss, if there is one.
    pub(super) fn look(&mut self) -> Option<Lost> {
        match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Some(Lost::Deleted);
            }
            // A file that can't be looked at may still be right.
            Err(_) => return None,
            Ok(file) if id(&file) != self.file_id => return Some(Lost::Replaced),
            Ok(_) => {}
        }
        let log = std::fs::metadata(&self.log).ok();
        match (&log, self.log_id) {
            (None, None) => return None,
            (None, Some(_)) => return Some(Lost::LogGone),
            (Some(log), Some(known)) if id(log) != known => return Some(Lost::LogGone),
            _ => {}
        }
        let log = log?;
        if log.len() < self.log_len.min(LOG_LIMIT) {
            return Some(Lost::LogCut);
        }
        self.log_id = Some(id(&log));
        self.log_len = log.len();
        None
    }
}
