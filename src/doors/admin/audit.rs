//! The audit: one log line for each act that changes something (who, by which door, on whom, with which outcome), and a
//! count.

use serde_json::Value;

use super::{actor::Actor, argument::Argument};
use crate::{error::Error, observe::Metrics};

/// An audit line in the making.
#[derive(Debug)]
pub(super) struct Audit<'a> {
    /// The admin and the door: an admin's token may be in the wrong hands.
    pub(super) actor: &'a Actor,
    /// The argument, of which only names and numbers are written.
    pub(super) argument: Argument<'a>,
    /// The id of the token that the act was about: the argument may hold the token itself, which is never written.
    pub(super) about: Option<String>,
}

impl Audit<'_> {
    /// Writes the line, whether the act succeeded or not.
    pub(super) fn write(
        &self,
        act: &'static str,
        outcome: &Result<Value, Error>,
        metrics: &Metrics,
    ) {
        let (result, code) = match outcome {
            Ok(answer) => (answer.to_string(), "ok"),
            Err(refusal) => (refusal.message.clone(), refusal.code),
        };
        metrics.admin_acted(act, code);
        let who = &self.actor.who;
        tracing::info!(
            target: "stoa::audit",
            act,
            actor = who.user.as_deref().or(who.name.as_deref()).unwrap_or("(nobody)"),
            token = who.token.as_ref().map(tracing::field::display),
            address = %self.actor.address,
            door = self.actor.door,
            argument = %self.argument.for_log(),
            token_id = self.about,
            code,
            result,
            "an admin acted"
        );
    }
}

/// Audits an act that a door carried out by itself.
pub(in crate::doors) fn audit(
    actor: &Actor,
    act: &'static str,
    argument: &Value,
    outcome: &Result<Value, Error>,
    metrics: &Metrics,
) {
    let argument = Argument(argument);
    let audit = Audit {
        actor,
        argument,
        about: None,
    };
    audit.write(act, outcome, metrics);
}
