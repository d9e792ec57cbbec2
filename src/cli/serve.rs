//! `stoa serve` and `stoa check`.

use std::path::Path;

use super::{
    arguments::{CheckArgs, ConfigArg, ServeArgs},
    failure::Failure,
    output,
    plain::plain,
};
use crate::{
    config::{Config, Journal, JournalKind, is_setting},
    observe::{log, traces},
    server,
};

/// The file that is read when none is named and this one exists.
const USUAL: &str = "config.toml";

pub(super) fn serve(args: ServeArgs) -> Result<(), Failure> {
    let mut config = load(&args.config)?;
    if let Some(host) = args.host {
        config.server.host = host;
    }
    if let Some(port) = args.port {
        config.server.port = port;
    }
    config.demo.enabled |= args.demo;
    config.server.allow_insecure |= args.insecure;
    if args.demo && config.journal == Journal::default() {
        // The demo's events must not end up in a real journal.
        config.journal.kind = JournalKind::Memory;
    }
    let export = traces::export(&config.traces).map_err(Failure::because)?;
    log::init(&config.log.level, config.log.format, export.as_ref()).map_err(Failure::because)?;
    tracing::info!("{}", settings(&args.config));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(crate::net::read_the_clock)
        .build()
        .map_err(|error| Failure::Because(format!("can't start: {error}")))?;
    let served = runtime.block_on(server::run(config));
    // The server ended everything in order, or gave it up; nothing may hold the process.
    runtime.shutdown_background();
    if let Some(export) = export {
        export.shutdown();
    }
    served.map_err(Failure::because)
}

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    let read = match file(&args.config) {
        Some(path) => plain(&path.to_string_lossy(), 200),
        None => format!("no {USUAL} found, defaults and STOA_… variables"),
    };
    log::check(&config.log.level).map_err(Failure::because)?;
    traces::check(&config.traces).map_err(Failure::because)?;
    let tried = server::check(&config).map_err(Failure::because)?;
    let mut warnings = server::warnings(&config);
    if let Some(tried) = tried {
        output::note(&format!("{} answers: it {}", tried.engine, tried.found));
        warnings.extend(tried.warnings);
    }
    for warning in warnings {
        output::note(&format!("warning: {warning}"));
    }
    output::print(config.effective().trim_end()).map_err(Failure::because)?;
    output::note(&format!(
        "{read}: the configuration can be used; above is what is in effect"
    ));
    Ok(())
}

/// The source of the settings, with the names of the variables that come before the file: another folder or a forgotten variable
/// is the usual reason why a setting is not in effect.
fn settings(arg: &ConfigArg) -> String {
    let read = match file(arg) {
        Some(path) => {
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            plain(&path.to_string_lossy(), 200)
        }
        None => format!("no {USUAL} here, so the defaults"),
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_setting(name)).collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => format!("settings: {read}"),
        names => format!(
            "settings: {read}, and {} of the environment",
            names.join(", ")
        ),
    }
}

/// The file that is read: the one that is named, or the usual one if it is there.
fn file(arg: &ConfigArg) -> Option<&Path> {
    let usual = Path::new(USUAL);
    let usual = usual.exists().then_some(usual);
    arg.file.as_deref().or(usual)
}

pub(super) fn load(arg: &ConfigArg) -> Result<Config, Failure> {
    // A variable that isn't text is none of Stoa's.
    let env = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    Config::load(file(arg), env).map_err(Failure::because)
}
