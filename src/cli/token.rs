//! `stoa token`: a token for whoever may connect, or an API key for a producer.
//!
//! Only the token, or the key, goes to stdout: `TOKEN=$(stoa token --role operator)` is all that a script needs. What is
//! to be done with an API key goes to stderr, in TOML with comments.

use super::{
    arguments::TokenArgs,
    failure::Failure,
    output::{self, note},
    serve::load,
};
use crate::{
    access::authn::{Grant, NewApiKey, Signer},
    config::{ApiKeyConfig, Role},
};

pub(super) fn token(args: TokenArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    if args.api_key {
        return api_key(args);
    }
    let signer = match &args.key_file {
        Some(file) => Signer::with_key_file(file, &config.authentication),
        None => Signer::with_secret(&config.authentication),
    };
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let grant = Grant {
        user: args.user,
        name: args.name,
        role: args.role.unwrap_or_default(),
        rooms: some(args.rooms),
        projects: some(args.projects),
        agents: some(args.agents),
        ttl: args.ttl,
    };
    let token = signer
        .and_then(|signer| signer.sign(&grant))
        .map_err(Failure::because)?;
    output::print(&token).map_err(Failure::because)?;
    Ok(())
}

fn api_key(args: TokenArgs) -> Result<(), Failure> {
    let new = NewApiKey::make().map_err(Failure::because)?;
    let entry = ApiKeyConfig {
        // The arguments were refused without it.
        name: args.name.unwrap_or_default(),
        hash: new.hash,
        role: args.role.unwrap_or(Role::Producer),
        projects: args.projects,
        rooms: args.rooms,
        agents: args.agents,
    };
    if let Some(wrong) = entry.wrong() {
        return Err(Failure::Because(format!(
            "--name: {:?} {wrong}",
            entry.name
        )));
    }
    let lines = toml::to_string(&entry).map_err(Failure::because)?;
    output::print(&new.key).map_err(Failure::because)?;
    note("# The key is on stdout, this once. These lines go to the end of config.toml:");
    note(&format!(
        "[[authentication.api_keys]]\n{}",
        lines.trim_end()
    ));
    Ok(())
}
