//! `stoa serve` and `stoa check`.

use std::path::Path;

use super::{CheckArgs, ConfigArg, Failure, ServeArgs, output};
use crate::{
    config::{Config, Journal, JournalKind},
    observe::log,
    server,
};

/// Taken when no file is named and this one is there.
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
        // An invented team's events are not to be found in a real journal.
        config.journal.kind = JournalKind::Memory;
    }
    log::init(&config.log.level, config.log.format).map_err(Failure::because)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::Because(format!("can't start: {error}")))?;
    let served = runtime.block_on(server::run(config));
    // Everything was ended in order, or given up on, by the server; what still runs must not hold the process.
    runtime.shutdown_background();
    served.map_err(Failure::because)
}

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    log::check(&config.log.level).map_err(Failure::because)?;
    server::check(&config).map_err(Failure::because)?;
    for warning in server::warnings(&config) {
        output::note(&format!("warning: {warning}"));
    }
    output::print(config.effective().trim_end()).map_err(Failure::because)?;
    Ok(())
}

pub(super) fn load(arg: &ConfigArg) -> Result<Config, Failure> {
    let usual = Path::new(USUAL);
    let path = arg
        .file
        .as_deref()
        .or_else(|| usual.exists().then_some(usual));
    // A variable that isn't text can't be one of ours.
    let env = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    Config::load(path, env).map_err(Failure::because)
}
