//! Builds the authenticator that the configuration describes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    ServeError,
    reload::{self, Files},
};
use crate::{
    access::{
        Authenticator, AuthenticatorOptions,
        authn::{KeyFile, StartSecret, Tokens},
        authz::{Blocklist, Policy, Rates},
    },
    config::{Config, JournalKind},
    ledger::Ledger,
    observe::Metrics,
};

/// Builds an authenticator that asks `ledger` for owners.
pub(super) fn build(
    config: &Config,
    ledger: Arc<Ledger>,
    start_secret: Option<StartSecret>,
    metrics: Arc<Metrics>,
) -> Result<Arc<Authenticator>, ServeError> {
    let authentication = &config.authentication;
    let tokens = Arc::new(tokens(config)?);
    let options = AuthenticatorOptions {
        required: authentication.required,
        validate: authentication.token_validation,
        session: authentication.session_timeout.get(),
        ban: config.rate_limiting.ban_duration.get(),
    };
    let policy = Policy {
        rules: config.access.clone(),
        ledger,
    };
    let exempt = config.server.exempt_addresses.clone();
    let rates = Rates::new(
        &config.rate_limiting,
        config.limits_rates(),
        exempt,
        config.rooms.max_rooms_per_client.into(),
    );
    let blocklist = Blocklist::open(
        blocklist_file(config),
        authentication.leeway.get(),
        !authentication.required,
    )?;
    let policy = Arc::new(policy);
    Ok(Authenticator::new(
        options,
        start_secret,
        tokens,
        policy,
        blocklist,
        rates,
        metrics,
    ))
}

/// The keys that tokens are verified with.
pub(super) fn tokens(config: &Config) -> Result<Tokens, ServeError> {
    let tokens = if config.server.is_loopback() {
        Tokens::new(&config.authentication)?
    } else {
        Tokens::exposed(&config.authentication)?
    };
    if config.authentication.required && tokens.is_empty() {
        return Err(ServeError::NoKeys);
    }
    Ok(tokens)
}

/// Checks whether the list of bans could be used.
pub(super) fn check_blocklist(config: &Config) -> Result<(), ServeError> {
    let file = blocklist_file(config);
    file.map_or(Ok(()), |file| Ok(Blocklist::check_file(&file)?))
}

const SECRET: Files = Files {
    name: "secret_file",
    taken: "the changed secret of [authentication] secret_file is believed from now on",
    same: "the file with the secret for tokens has not changed",
    refused: "the changed secret for tokens can't be used; the last good one stays",
};
const PUBLIC: Files = Files {
    name: "public_key_file",
    taken: "the changed keys of [authentication] public_key_file are believed from now on",
    same: "the file with public keys for tokens has not changed",
    refused: "the changed public keys for tokens can't be used; the last good ones stay",
};

/// Reads changed key files at each interval and each SIGHUP. Never returns.
pub(super) async fn keep_fresh(
    tokens: Arc<Tokens>,
    file: KeyFile,
    interval: Duration,
    metrics: Arc<Metrics>,
) {
    let files = match file {
        KeyFile::Secret => &SECRET,
        KeyFile::Public => &PUBLIC,
    };
    reload::keep_fresh(files, interval, metrics, move || tokens.reload(file)).await;
}

/// The file of bans: the named one, or one beside the journal.
fn blocklist_file(config: &Config) -> Option<PathBuf> {
    let named = &config.access.file;
    if !named.as_os_str().is_empty() {
        return Some(named.clone());
    }
    let beside = config.journal.path.with_extension("access.json");
    (config.journal.kind == JournalKind::Sqlite).then_some(beside)
}
