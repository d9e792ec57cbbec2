//! The places in the streams up to which everything was carried on, in a small file.
//!
//! The file names the bus: places in the streams of another one mean nothing. It is written as a whole, beside itself, and
//! then takes its name, so a crash leaves the old places or the new ones. Entries after an old place are read again; the
//! ids of their emissions say that they were there.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::private_file;

/// The places, with the bus that they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Positions {
    /// The address of the bus, without user and password.
    pub(super) bus: String,
    /// The last entry of each stream that was carried on.
    pub(super) streams: BTreeMap<String, String>,
}

impl Positions {
    /// Reads the file. A file of another bus, or one that can't be read, gives no places.
    pub(super) fn load(path: Option<&Path>, bus: &str) -> Self {
        let empty = Self {
            bus: bus.to_owned(),
            ..Self::default()
        };
        let Some(path) = path else { return empty };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return empty,
            Err(error) => {
                tracing::warn!(file = %path.display(), "the places in the bus's streams can't be read ({error}): reading goes on with new entries");
                return empty;
            }
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(positions) if positions.bus == bus => positions,
            Ok(_) => empty,
            Err(error) => {
                tracing::warn!(file = %path.display(), "the places in the bus's streams are damaged ({error}): reading goes on with new entries");
                empty
            }
        }
    }

    /// The places as a text.
    pub(super) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads such a text; none if it is of another bus.
    pub(super) fn of_written(text: &str, bus: &str) -> Option<Self> {
        let positions: Self = serde_json::from_str(text).ok()?;
        (positions.bus == bus).then_some(positions)
    }

    /// Writes the file.
    pub(super) fn save(&self, path: &Path) -> std::io::Result<()> {
        let beside = beside(path);
        let mut file = private_file::options().open(&beside)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        drop(file);
        std::fs::rename(beside, path)
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn places_are_kept_for_their_own_bus_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("positions");
        let mut positions = Positions::load(Some(&path), "here:6379");
        assert!(positions.streams.is_empty());
        positions.streams.insert("s".into(), "5-1".into());
        positions.save(&path).unwrap();
        positions.streams.insert("s".into(), "6-0".into());
        positions.save(&path).unwrap();
        assert_eq!(Positions::load(Some(&path), "here:6379"), positions);
        assert!(
            Positions::load(Some(&path), "there:6379")
                .streams
                .is_empty()
        );
        std::fs::write(&path, "{").unwrap();
        assert!(Positions::load(Some(&path), "here:6379").streams.is_empty());
        assert!(Positions::load(None, "here:6379").streams.is_empty());
    }
}
