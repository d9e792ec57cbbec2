//! `stoa token`: makes a token for a client, or an API key for a producer.
//!
//! Only the token, or the key, goes to stdout, so that a script needs no more than `TOKEN=$(stoa token --role
//! operator)`. The settings that an API key needs go to stderr, in TOML with comments.

use super::{
    arguments::TokenArgs,
    failure::Failure,
    output::{self, note},
    serve::load,
};
use crate::{
    access::authn::{Grant, NewApiKey, Signer},
    config::{ApiKeyConfig, Config, Role, Rule},
};

pub(super) fn token(args: TokenArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    if args.api_key {
        return api_key(&config, args);
    }
    let signer = match &args.key_file {
        Some(file) => Signer::with_key_file(file, &config.authentication),
        None => Signer::with_secret(&config.authentication),
    };
    let narrow = sees_no_project(&config, &args);
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
    if let Some(said) = narrow {
        note(&format!("this token {said}"));
    }
    Ok(())
}

/// The consequence of a token that names no project, unless it opens something else: people easily leave the projects out, and
/// then all that they look for is missing without a word.
fn sees_no_project(config: &Config, args: &TokenArgs) -> Option<&'static str> {
    let usual = if args.api_key {
        Role::Producer
    } else {
        Role::default()
    };
    let role = args.role.unwrap_or(usual);
    let by_claim = config.access.project == Rule::Claim && args.rooms.is_empty();
    if !args.projects.is_empty() || !by_claim || role == Role::Admin {
        return None;
    }
    Some(if role.may_publish() {
        "names no project: its holder publishes for every project, and sees nothing that belongs to one; --projects '*' shows \
         all, --projects shop keeps it to that one"
    } else {
        "names no project: its holder sees nothing that belongs to one; add --projects shop, or --projects '*' for all"
    })
}

fn api_key(config: &Config, args: TokenArgs) -> Result<(), Failure> {
    let narrow = sees_no_project(config, &args);
    let new = NewApiKey::make().map_err(Failure::because)?;
    let entry = ApiKeyConfig {
        // The parser demands a name for a key.
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
    if let Some(said) = narrow {
        note(&format!("# This key {said}."));
    }
    note("# The key is on stdout, this once. These lines go to the end of config.toml:");
    note(&format!(
        "[[authentication.api_keys]]\n{}",
        lines.trim_end()
    ));
    Ok(())
}
