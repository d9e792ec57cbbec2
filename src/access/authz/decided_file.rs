//! The file of an admin's decisions: read at the start, and from then on written as a whole by one server alone.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::private_file;

/// A file of JSON that belongs to this server as long as it runs.
#[derive(Debug)]
pub(super) struct DecidedFile {
    /// The path of the file. A symbolic link was followed: it stays one when the file is replaced.
    path: PathBuf,
    /// Keeps a second server from overwriting decisions made here. The lock is on a file beside this one, because this
    /// one is replaced at each write. `None` when the server has released it. It is held for a whole write, so that the
    /// file holds both of two decisions.
    lock: Mutex<Option<File>>,
}

impl DecidedFile {
    /// Reads the file; an absent one holds nothing. Its folder is made here, as the journal's is, so that the first
    /// decision doesn't fail for it.
    pub(super) fn open<T: DeserializeOwned + Default>(path: &Path) -> Result<(Self, T), String> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| {
                format!("can't be written: its folder can't be made ({error}); {ANOTHER}")
            })?;
        }
        private_file::may_be_made(path).map_err(|reason| format!("{reason}; {ANOTHER}"))?;
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = Mutex::new(Some(claim(&path)?));
        let decided = read(&path)?;
        Ok((Self { path, lock }, decided))
    }

    /// Whether a server could open the file, as far as that can be known while another one may run on it.
    pub(super) fn check<T: DeserializeOwned + Default>(path: &Path) -> Result<(), String> {
        private_file::may_be_made(path).map_err(|reason| format!("{reason}; {ANOTHER}"))?;
        read::<T>(path).map(drop)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the decisions, which are collected when it is this call's turn. The file is replaced as a whole: a crash
    /// in between leaves the old one.
    pub(super) fn write<T: Serialize>(&self, decided: impl FnOnce() -> T) -> io::Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            return Err(io::Error::other("the server is going down"));
        }
        let text = serde_json::to_vec_pretty(&decided())?;
        let new = beside(&self.path, ".new");
        // A file that a crash left behind may have another mode.
        fs::remove_file(&new).ok();
        let mut file = private_file::options().open(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }

    /// Releases the file, whoever still holds this value: another server may use it then.
    pub(super) fn close(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        *lock = None;
    }
}

/// The advice where the file can't be written.
const ANOTHER: &str = "name a file elsewhere ([access] file)";

fn claim(path: &Path) -> Result<File, String> {
    let lock = beside(path, ".lock");
    let file = private_file::options().open(&lock).map_err(|error| {
        format!(
            "can't be kept for this server alone: {} can't be opened ({error}); {ANOTHER}",
            lock.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(
            "is in use by another server; stop that one, or name another file ([access] file)"
                .into(),
        ),
        Err(TryLockError::Error(error)) => Err(format!(
            "can't be kept for this server alone: {} can't be locked ({error}); {ANOTHER}",
            lock.display()
        )),
    }
}

fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, String> {
    let without = "mend or remove it; without it nobody is banned and nothing revoked";
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| format!("is not a list of bans ({error}); {without}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(format!("can't be read ({error}); {without}")),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
