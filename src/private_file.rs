//! Files that hold what clients said or what an admin decided: made so that nobody else on the machine reads them.

use std::{fs::OpenOptions, path::Path};

/// Opens a file for reading and writing. One that isn't there is made for its owner alone; the mode of one that is stays
/// as its owner has set it.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Whether a file can be made at this place, or replaced as a whole: its folder is there, or one above it in which it can be
/// made, and files can be made in that. Leaves nothing behind.
pub(crate) fn may_be_made(path: &Path) -> Result<(), String> {
    // A link is replaced where it leads to.
    let target = std::fs::canonicalize(path).ok();
    let path = target.as_deref().unwrap_or(path);
    if path.is_dir() {
        return Err("is a folder".into());
    }
    let folders = path.ancestors().skip(1).map(|folder| match folder {
        // Of a path that begins where the server was started.
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    });
    let Some(folder) = folders.into_iter().find(|folder| folder.exists()) else {
        return Err("can't be written: it has no folder".into());
    };
    if !folder.is_dir() {
        return Err(format!(
            "can't be written: {} is no folder",
            folder.display()
        ));
    }
    let probe = folder.join(format!(".stoa-{}", std::process::id()));
    // One that a crash left may be of another process.
    std::fs::remove_file(&probe).ok();
    options().create_new(true).open(&probe).map_err(|error| {
        format!(
            "can't be written: nothing can be made in the folder {} ({error})",
            folder.display()
        )
    })?;
    std::fs::remove_file(&probe).ok();
    Ok(())
}
