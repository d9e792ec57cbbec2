//! The list of bans of an earlier version, a file of its own: the journal takes it over once.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::decision::{Decision, DecisionKeeper, Decisions, Revocation};

/// The list can't be taken over.
#[derive(Debug, thiserror::Error)]
#[error("the list of bans {path} {reason}", path = path.display())]
pub struct FormerListError {
    path: PathBuf,
    reason: String,
}

/// Has the keeper take what the list says beyond what is kept already, and renames the file. A crash in between does no
/// harm: the next start does the same again, before anybody could have decided something else.
pub(super) async fn take_over(
    path: &Path,
    kept: &mut Decisions,
    keeper: &dyn DecisionKeeper,
) -> Result<(), FormerListError> {
    let Some(list) = read(path)? else {
        return Ok(());
    };
    let (bans, revocations) = (list.bans.len(), list.revocations.len());
    let new = add(kept, list);
    let failed = |reason: String| FormerListError {
        path: path.to_owned(),
        reason,
    };
    if !new.is_empty() {
        keeper.keep(new).await.map_err(|error| {
            failed(format!(
                "can't be taken over into the journal: {}",
                error.message
            ))
        })?;
    }
    let to = free_name(path);
    put_away(path, &to).map_err(|error| {
        failed(format!(
            "is in the journal now, but can't be renamed to {} ({error}): move it away, since the next start would bring bans back that were lifted",
            to.display()
        ))
    })?;
    tracing::info!(
        list = %path.display(), renamed_to = %to.display(), bans, revocations,
        "the list of bans is in the journal's file from now on"
    );
    Ok(())
}

/// Reads it; none when it isn't there.
pub(super) fn read(path: &Path) -> Result<Option<Decisions>, FormerListError> {
    let failed = |reason: String| FormerListError {
        path: path.to_owned(),
        reason: format!(
            "{reason}; mend it, or move it away: without it nobody is kept out who is only in it ([access] file)"
        ),
    };
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| failed(format!("is not a list of bans ({error})"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(format!("can't be read ({error})"))),
    }
}

/// Adds what is not kept yet, and returns it. Of two bans the kept one is newer; of two revocations the later one holds.
fn add(kept: &mut Decisions, list: Decisions) -> Vec<Decision> {
    let mut new = Vec::new();
    let mut bans: BTreeMap<_, _> = kept.bans.drain(..).map(|b| (b.who.clone(), b)).collect();
    for ban in list.bans {
        bans.entry(ban.who.clone()).or_insert_with(|| {
            new.push(Decision::Ban(ban.clone()));
            ban
        });
    }
    kept.bans = bans.into_values().collect();
    let mut revocations: BTreeMap<_, _> =
        kept.revocations.drain(..).map(|r| (r.what, r.at)).collect();
    for revocation in list.revocations {
        if revocations
            .get(&revocation.what)
            .is_none_or(|at| *at < revocation.at)
        {
            revocations.insert(revocation.what.clone(), revocation.at);
            new.push(Decision::Revoke(revocation));
        }
    }
    let revocations = revocations.into_iter();
    kept.revocations = revocations
        .map(|(what, at)| Revocation { what, at })
        .collect();
    new
}

/// A name beside it that says what became of it, and that no other file has: nothing is written over.
fn free_name(path: &Path) -> PathBuf {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(".taken-over");
        if number > 1 {
            name.push(format!("-{number}"));
        }
        let name = PathBuf::from(name);
        if name.symlink_metadata().is_err() {
            return name;
        }
        number += 1;
    }
}

/// Renames the list, so that it stays renamed when the power ends, and removes the file that kept a second server away.
fn put_away(path: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(path, to)?;
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    fs::remove_file(lock).ok();
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    // Not every system lets a folder be opened.
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        folder.sync_all().ok();
    }
    Ok(())
}
