//! Builds the authenticator that the configuration describes.

use std::{sync::Arc, time::Duration};

use super::{
    ServeError, former_list,
    journal::{self, Opened},
    reload::{self, Asked, Files},
};
use crate::{
    access::{
        Authenticator, AuthenticatorOptions,
        authn::{KeyFile, StartSecret, Tokens},
        authz::{Blocklist, Policy, Rates},
    },
    breaker::Breakers,
    config::Config,
    ledger::Ledger,
    observe::Metrics,
};

/// Builds an authenticator that asks `ledger` for owners.
pub(super) fn build(
    config: &Config,
    ledger: Arc<Ledger>,
    blocklist: Blocklist,
    start_secret: Option<StartSecret>,
    breakers: &Breakers,
    metrics: Arc<Metrics>,
) -> Result<Arc<Authenticator>, ServeError> {
    let authentication = &config.authentication;
    let tokens = Arc::new(tokens(config)?.guarded_by(breakers));
    let options = AuthenticatorOptions {
        required: authentication.required,
        validate: authentication.token_validation,
        session: authentication.session_timeout.get(),
        ban: config.rate_limiting.ban_duration.get(),
        has_service: config.backend.is_on(),
        service_admits: config.backend.admits,
        is_exposed: config.server.allow_insecure || !config.server.is_loopback(),
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

/// Makes the list of bans of what the journal has, and of the list of an earlier version.
pub(super) async fn blocklist(config: &Config, opened: Opened) -> Result<Blocklist, ServeError> {
    let Opened {
        mut decisions,
        keeper,
        ..
    } = opened;
    if let Some((keeper, former)) = keeper.as_ref().zip(journal::former_list_path(config)?) {
        former_list::take_over(&former, &mut decisions, keeper.as_ref()).await?;
    }
    let authentication = &config.authentication;
    Ok(Blocklist::new(
        decisions,
        keeper,
        authentication.leeway.get(),
        !authentication.required,
    ))
}

/// The keys that tokens are verified with.
pub(super) fn tokens(config: &Config) -> Result<Tokens, ServeError> {
    let tokens = if config.server.is_loopback() {
        Tokens::new(&config.authentication)?
    } else {
        Tokens::exposed(&config.authentication)?
    };
    // If the application's service lets clients in, tokens are for producers and operators, of whom there may be none.
    let is_closed = config.authentication.required && !config.backend.admits;
    if is_closed && tokens.is_empty() {
        return Err(ServeError::NoKeys);
    }
    Ok(tokens)
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
    asked: Asked,
) {
    let files = match file {
        KeyFile::Secret => &SECRET,
        KeyFile::Public => &PUBLIC,
    };
    reload::keep_fresh(files, interval, metrics, asked, move || tokens.reload(file)).await;
}
