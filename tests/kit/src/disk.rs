//! A disk that is soon full.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::process::{binary, serve};

/// The command that starts a server on a small disk of its own, which lies in this folder for it and for nobody else; none
/// where this user may not even mount one in a namespace of its own.
pub fn on_small_disk(folder: &Path) -> Option<Command> {
    const ALONE: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];
    let apart = |how: &[&str], then: &str| {
        let mut command = Command::new("unshare");
        let mount = "mount -t tmpfs -o size=2m tmpfs \"$0\"";
        command.args(how).args(["sh", "-c"]);
        command.arg(format!("{mount} && {then}")).arg(folder);
        command
    };
    let may = |how: &&&[&str]| {
        let tried = apart(how, "true").stderr(Stdio::null()).status();
        tried.is_ok_and(|tried| tried.success())
    };
    let mut command = apart(ALONE.iter().find(may)?, "exec \"$1\" serve");
    let plain = serve(&folder.join("stoa.db"));
    let settings = plain
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    command.arg(binary()).envs(settings);
    Some(command)
}
