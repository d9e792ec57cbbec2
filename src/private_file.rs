//! Files that hold clients' data or admins' decisions, made so that only their owner can read them.

use std::{fs::OpenOptions, path::Path};

/// Opens a file for reading and writing. A new file is made for its owner alone; an existing one keeps its mode.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Whether a file can be made at this place: its folder is there and writable, or can be made.
/// Leaves nothing behind.
pub(crate) fn may_be_made(path: &Path) -> Result<(), String> {
    // A link stands for its target.
    let target = std::fs::canonicalize(path).ok();
    let path = target.as_deref().unwrap_or(path);
    if path.is_dir() {
        return Err("is a folder".into());
    }
    let folders = path.ancestors().skip(1).map(|folder| match folder {
        // A relative path begins in the present folder.
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
    // A probe that a crash left may belong to another process.
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
