//! What an admin can do: see who is connected, end connections, keep somebody out, make tokens invalid.
//!
//! The same over HTTP and on `/admin`: both doors read an [`Act`]'s name and hand over its argument. Each act that changes
//! something is an audit line in the log (target `stoa::audit`), whether it succeeded or not.

mod argument;

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{
    access::{Ban, Ending, Identity, Porter, Revoked, Role},
    event::Timestamp,
    refusal::Refusal,
};
use argument::Argument;

/// One thing that an admin can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// `{user?, address?, limit?}` → `{connections, total}`.
    ListConnections,
    /// `{client_id}` → `{ended}`.
    Disconnect,
    /// `{user | address, seconds?, reason?}` → `{ended}`.
    Ban,
    /// `{user | address}` → `{lifted}`.
    Unban,
    /// → `{bans}`.
    ListBans,
    /// `{user | token | token_id}` → `{ended}`.
    Revoke,
    /// → `{revocations}`.
    ListRevocations,
}

/// Who acts, and by which door.
#[derive(Debug)]
pub struct Actor<'a> {
    /// Who it is.
    pub who: &'a Identity,
    /// Where it comes from.
    pub address: IpAddr,
    /// `socketio` or `http`.
    pub door: &'static str,
}

/// Connections that one answer lists.
const MAX_LISTED: usize = 1_000;

impl Act {
    /// The act of this name, as `/admin` calls it.
    pub fn named(event: &str) -> Option<Self> {
        Some(match event {
            "list_connections" => Self::ListConnections,
            "disconnect_client" => Self::Disconnect,
            "ban" => Self::Ban,
            "unban" => Self::Unban,
            "list_bans" => Self::ListBans,
            "revoke" => Self::Revoke,
            "list_revocations" => Self::ListRevocations,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::ListConnections => "list_connections",
            Self::Disconnect => "disconnect_client",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::ListBans => "list_bans",
            Self::Revoke => "revoke",
            Self::ListRevocations => "list_revocations",
        }
    }

    fn changes_something(self) -> bool {
        !matches!(
            self,
            Self::ListConnections | Self::ListBans | Self::ListRevocations
        )
    }

    /// Does it.
    ///
    /// # Errors
    /// `forbidden` for whoever is no admin, `bad_request` for an argument that makes no sense, `not_found`.
    pub async fn perform(
        self,
        porter: &Porter,
        actor: &Actor<'_>,
        argument: &Value,
    ) -> Result<Value, Refusal> {
        let outcome = if Role::may_administer(actor.who.role) {
            self.carry_out(porter, Argument(argument)).await
        } else {
            Err(Refusal::forbidden("this takes the role admin"))
        };
        if self.changes_something() {
            self.audit(actor, Argument(argument), &outcome);
        }
        outcome
    }

    async fn carry_out(self, porter: &Porter, argument: Argument<'_>) -> Result<Value, Refusal> {
        let sessions = porter.sessions();
        match self {
            Self::ListConnections => {
                let limit = argument.number("limit")?.map_or(MAX_LISTED, |limit| {
                    usize::try_from(limit).map_or(MAX_LISTED, |limit| limit.min(MAX_LISTED))
                });
                let (user, address) = (argument.text("user")?, argument.address("address")?);
                let (connections, total) = sessions.list(limit, |session| {
                    user.is_none_or(|user| session.user.as_deref() == Some(user))
                        && address.is_none_or(|address| session.address == address)
                });
                Ok(json!({ "connections": connections, "total": total }))
            }
            Self::Disconnect => {
                let id = argument.needed("client_id")?;
                let ended = sessions.end(Ending::Disconnected, |s| *s.client_id == *id);
                if ended == 0 {
                    return Err(Refusal::new("not_found", "there is no such connection"));
                }
                Ok(json!({ "ended": ended }))
            }
            Self::Ban => {
                let who = argument.who()?;
                let until = argument
                    .number("seconds")?
                    .map(|seconds| now().saturating_add(seconds));
                let reason = argument.text("reason")?.unwrap_or_default();
                let kept = porter.blocklist().ban(Ban {
                    who: who.clone(),
                    until,
                    reason: reason.chars().take(256).collect(),
                });
                let ended = sessions.end(Ending::Banned, |session| session.is(&who));
                kept.map(|()| json!({ "ended": ended }))
            }
            Self::Unban => {
                let lifted = porter.blocklist().unban(&argument.who()?)?;
                Ok(json!({ "lifted": lifted }))
            }
            Self::ListBans => Ok(json!({ "bans": porter.blocklist().bans() })),
            Self::Revoke => {
                let what = match argument.token()? {
                    Some(token) => Revoked::Token(porter.name_of(&token).await?.to_string()),
                    None => argument.revoked()?,
                };
                let kept = porter.blocklist().revoke(what.clone());
                let ended = sessions.end(Ending::Revoked, |session| session.has(&what));
                kept.map(|()| json!({ "ended": ended }))
            }
            Self::ListRevocations => Ok(json!({ "revocations": porter.blocklist().revocations() })),
        }
    }

    /// Who did what to whom, and what came of it. A token never stands in it, only its id.
    fn audit(self, actor: &Actor<'_>, argument: Argument<'_>, outcome: &Result<Value, Refusal>) {
        let (result, code) = match outcome {
            Ok(answer) => (answer.to_string(), "ok"),
            Err(refusal) => (refusal.message.clone(), refusal.code),
        };
        tracing::info!(
            target: "stoa::audit",
            act = self.name(),
            actor = actor.who.user.as_deref().or(actor.who.name.as_deref()).unwrap_or("(nobody)"),
            token = actor.who.token.as_ref().map(tracing::field::display),
            address = %actor.address,
            door = actor.door,
            argument = %argument.for_log(),
            code,
            result,
            "an admin acted"
        );
    }
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_micros() / 1_000_000).unwrap_or(0)
}
