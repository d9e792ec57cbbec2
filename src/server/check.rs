//! The check of a configuration without a start.

use super::{ServeError, authenticator, certificates, journal, listen};
use crate::{
    config::Config,
    journal::Trial,
    update::{Rule, Table, TransformOptions},
};

/// Checks whether [`start`](super::start) could use this configuration, as far as that can be known without listening; the outcome of a trial
/// of the journal's engine, where it has one.
///
/// # Errors
/// A rule, a certificate or a file that the server writes can't be used, the journal's engine does not do what is asked of it, or
/// the settings would let everybody in.
pub fn check(config: &Config) -> Result<Option<Trial>, ServeError> {
    listen::resolve(config)?;
    if let Some(why) = config.unsafe_combination() {
        return Err(ServeError::Unsafe(why));
    }
    certificates::load(&config.tls)?;
    authenticator::tokens(config)?;
    table(config)?;
    journal::check(config)
}

pub(super) fn table(config: &Config) -> Result<Table, ServeError> {
    let rules = Rule::compile_all(&config.transform.rules)?;
    Rule::check_rooms(&config.transform.rules, &config.rooms.default_room)?;
    Ok(Table::new(TransformOptions {
        throttle: config.transform.throttle_ms.get(),
        text_throttle: config.transform.text_throttle_ms.get(),
        usage_throttle: config.transform.usage_throttle_ms.get(),
        rules,
    }))
}
