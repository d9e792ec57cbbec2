//! Looks at a file before SQLite does: a file of another program must not be touched.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read},
    path::Path,
};

use super::open_error::OpenError;
use crate::private_file;

/// "Stoa": tells our files from those of other programs that use SQLite.
pub(super) const APPLICATION_ID: i32 = 0x5374_6f61;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Makes sure that the file is ours, or new, and that no other server uses it. The lock lasts as long as the returned
/// file.
pub(super) fn claim(path: &Path) -> Result<File, OpenError> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|e| OpenError::new(path, format!("can't be made: its folder can't ({e})")))?;
    }
    if path.is_dir() {
        return Err(OpenError::new(
            path,
            "is a folder; name a file ([journal] path)",
        ));
    }
    // SQLite makes the files beside this one with the same mode.
    let opened = private_file::options().open(path);
    let mut file = opened.map_err(|error| unwritable(path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::new(
                path,
                "is in use by another server; stop that one, or name another file ([journal] path)",
            ));
        }
        Err(TryLockError::Error(e)) => {
            return Err(OpenError::new(path, format!("can't be locked: {e}")));
        }
    }
    check(path, &mut file)?;
    Ok(file)
}

/// Whether the file is ours, or could be made; a server may be using it.
pub(super) fn could_be_claimed(path: &Path) -> Result<(), OpenError> {
    private_file::may_be_made(path)
        .map_err(|reason| OpenError::new(path, format!("{reason}; {ANOTHER}")))?;
    match File::options().read(true).write(true).open(path) {
        Ok(mut file) => check(path, &mut file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(path, &error)),
    }
}

/// The advice where the file can't be written.
const ANOTHER: &str = "name another file ([journal] path)";

fn unwritable(path: &Path, error: &io::Error) -> OpenError {
    let reason =
        format!("can't be opened for writing ({error}); its file and folder must be writable");
    OpenError::new(path, reason)
}

fn check(path: &Path, file: &mut File) -> Result<(), OpenError> {
    let len = file
        .metadata()
        .map_err(|e| OpenError::new(path, format!("can't be read: {e}")))?
        .len();
    if len == 0 {
        return Ok(());
    }
    // A first start was killed in the middle: SQLite rolls the half written pages back.
    if lies_beside(path, "-journal") {
        return Ok(());
    }
    let foreign =
        "is a file of another program; it is left as it is, name another one ([journal] path)";
    let mut header = [0; HEADER];
    if file.read_exact(&mut header).is_err() || !header.starts_with(MAGIC) {
        return Err(OpenError::new(path, foreign));
    }
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&header[at..at + 4]);
        u32::from_be_bytes(bytes)
    };
    if number(68) != APPLICATION_ID.unsigned_abs() {
        return Err(OpenError::new(path, foreign));
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let whole = u64::from(number(28)) * page;
    // With a write-ahead log beside it, the other pages may be there.
    if len < whole && !has_log(path) {
        return Err(OpenError::new(
            path,
            format!(
                "is damaged: {} of {whole} bytes are missing; `stoa repair` takes what can be read of it into a copy. Or restore it from a copy, or move it away to begin anew, with nobody banned and nothing revoked",
                whole - len
            ),
        ));
    }
    Ok(())
}

/// Whether a write-ahead log lies beside the file: then the server did not end in order.
pub(super) fn has_log(path: &Path) -> bool {
    lies_beside(path, "-wal")
}

fn lies_beside(path: &Path, suffix: &str) -> bool {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    fs::metadata(beside).is_ok_and(|file| file.len() > 0)
}
