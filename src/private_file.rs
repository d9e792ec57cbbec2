//! Files that hold what clients said or what an admin decided: made so that nobody else on the machine reads them.

use std::fs::OpenOptions;

/// Opens a file for reading and writing. One that isn't there is made for its owner alone; the mode of one that is stays
/// as its owner has set it.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
