//! A place in a followed file, and the file of state that keeps the places over restarts.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::fnv::fnv;
use crate::{cli::failure::Failure, private_file};

const VERSION: u32 = 1;

/// The place in a file up to which it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) path: PathBuf,
    /// The name in the ids of its lines: the first one under which it was seen.
    pub(super) name: String,
    /// The number of earlier files of this name.
    pub(super) generation: u32,
    /// The file itself, whatever its name.
    pub(super) file: String,
    pub(super) place: Place,
}

/// The byte from which on nothing is published yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) position: u64,
    pub(super) anchor: Anchor,
    /// Within a line that is too long to be sent.
    pub(super) skipping: bool,
}

/// The last bytes before a position: a file that has others there now was written anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    pub(super) bytes: u64,
    hash: u64,
}

impl Anchor {
    pub(super) const MAX_BYTES: usize = 256;

    /// The anchor behind these bytes.
    pub(super) fn behind(read: &[u8]) -> Self {
        let last = &read[read.len().saturating_sub(Self::MAX_BYTES)..];
        Self {
            bytes: last.len() as u64,
            hash: fnv(last.iter().copied()),
        }
    }

    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        fnv(bytes.iter().copied()) == self.hash
    }
}

#[derive(Serialize, Deserialize)]
struct Saved<M> {
    version: u32,
    files: M,
}

/// The file that keeps the marks.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
}

impl State {
    /// The file at this path, and the marks in it if there is one.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Vec<Mark>>), Failure> {
        let shown = path.display();
        // A link stands for its target: the new file must not replace the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        private_file::may_be_made(&path)
            .map_err(|reason| Failure::Because(format!("--state {shown} {reason}")))?;
        let marks = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // A file that somebody made empty beforehand.
            Ok(text) if text.is_empty() => None,
            read => {
                let saved = read.and_then(|text| {
                    serde_json::from_slice::<Saved<Vec<Mark>>>(&text).map_err(Into::into)
                });
                let unreadable = |reason: String| {
                    Failure::Because(format!(
                        "can't read --state {shown}: {reason}; name another file, or remove it to begin anew"
                    ))
                };
                let saved = saved.map_err(|error| unreadable(error.to_string()))?;
                if saved.version != VERSION {
                    return Err(unreadable(format!("it is of version {}", saved.version)));
                }
                Some(saved.files)
            }
        };
        Ok((Self { path }, marks))
    }

    /// Replaces the file as a whole: a crash leaves the old one or the new one.
    pub(super) fn save<'m>(&self, marks: impl Iterator<Item = &'m Mark>) -> io::Result<()> {
        let saved = Saved {
            version: VERSION,
            files: marks.collect::<Vec<_>>(),
        };
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let mut file = private_file::options().truncate(true).open(&name)?;
        file.write_all(&serde_json::to_vec(&saved)?)?;
        file.sync_all()?;
        std::fs::rename(&name, &self.path)
    }
}
