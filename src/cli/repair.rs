//! `stoa repair`: lists the damaged places of a journal's file, and makes a copy without them.

use super::{
    arguments::RepairArgs,
    failure::{Failure, one_line},
    output,
    serve::load,
};
use crate::journal;

/// Damaged places that are listed.
const LISTED: usize = 20;

pub(super) fn repair(args: &RepairArgs) -> Result<(), Failure> {
    let path = match &args.journal {
        Some(file) => file.clone(),
        None => load(&args.config)?.journal.path,
    };
    let done = journal::repair(&path).map_err(Failure::because)?;
    let mut lines = Vec::new();
    if let Some(structure) = &done.structure {
        lines.push(format!(
            "The file itself is damaged: {}.",
            one_line(structure)
        ));
    }
    if done.state_lost {
        lines.push(
            "The saved state can't be read: the next start makes it anew from the events.".into(),
        );
    }
    if done.decisions_lost {
        lines.push(
            "Not all bans and revocations can be read: look through those that are left once the server runs on the copy (list_bans, list_revocations)."
                .into(),
        );
    }
    for &(from, to) in done.damaged.iter().take(LISTED) {
        lines.push(match from == to {
            true => format!("Event {from} can't be read."),
            false => format!("Events {from} to {to} can't be read."),
        });
    }
    if done.damaged.len() > LISTED {
        lines.push("There are more.".into());
    }
    match &done.copy {
        None => lines.push(format!(
            "{}: {} events, nothing is damaged.",
            path.display(),
            done.kept
        )),
        Some(copy) => lines.push(format!(
            "{} events can be read, {} can't. A copy without these is {copy}; {path} is as it was. To use the copy: stop the server, move {path}, {path}-wal and {path}-shm away, rename {copy} to {path}, and start the server.",
            done.kept,
            done.lost,
            copy = copy.display(),
            path = path.display(),
        )),
    }
    output::print(&lines.join("\n"))
        .map(drop)
        .map_err(Failure::because)
}
