//! `stoa token`: a token for whoever may connect, or an API key for a producer.
//!
//! Only the token, or the key, goes to stdout: `TOKEN=$(stoa token --role operator)` is all that a script needs. What is
//! to be done with an API key goes to stderr, in TOML with comments.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::{
    Failure, TokenArgs,
    output::{self, note},
    serve::load,
};
use crate::{
    access::authn::{Grant, NewApiKey, Signer},
    config::{ApiKeyConfig, Role},
};

/// A year. What must live longer is an API key: that can be taken out of the settings.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

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
    note(
        "# The key is on stdout, this once. These lines go into config.toml, in place of `api_keys = []`:",
    );
    note(&format!(
        "[[authentication.api_keys]]\n{}",
        lines.trim_end()
    ));
    Ok(())
}

/// A time to live: `90s`, `15m`, `1h`, `7d`, and what else people write.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    let wrong = || "a time such as 90s, 15m, 1h or 7d, from a second to a year".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let whole = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .and_then(|duration: SignedDuration| Duration::try_from(duration).ok());
    whole
        .filter(|ttl| (Duration::from_secs(1)..=LONGEST).contains(ttl))
        .ok_or_else(wrong)
}

/// A role's name.
pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "observer, producer, operator or admin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("1h", 3600),
            ("7d", 604_800),
            ("1h 30m", 5400),
            ("366d", 31_622_400),
            ("1h30m", 5400),
            ("1.5h", 5400),
            ("2w", 1_209_600),
            ("90 seconds", 90),
            ("PT1H", 3600),
            ("01:30:00", 5400),
        ] {
            assert_eq!(ttl(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "1",
            "h",
            "0s",
            "-1h",
            "367d",
            "1 fortnight",
            "999999999d",
            "500ms",
            "3600",
            "1mo",
            "1y",
            "1 day ago",
        ] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }
}
