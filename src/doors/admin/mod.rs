//! What an admin can do: see who is connected, end connections, keep somebody out, make tokens invalid.
//!
//! The same over HTTP and on `/admin`: both doors read an [`Act`]'s name and hand over its argument. Each act that changes
//! something is an audit line in the log (target `stoa::audit`) and counted, whether it succeeded or not.

mod argument;
mod audit;

use std::net::IpAddr;

use serde_json::{Value, json};
use strum::{EnumString, IntoStaticStr};

use crate::{
    access::{
        Authenticator, Identity,
        authz::{Ban, DisconnectReason, Revoked, Who},
    },
    config::Role,
    error::Error,
    timestamp::Timestamp,
};
use argument::{Argument, INCLUDE_SELF};
use audit::Audit;

/// One thing that an admin can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Act {
    /// `{user?, address?, limit?}` → `{connections, total}`.
    ListConnections,
    /// `{client_id}` → `{ended}`.
    #[strum(serialize = "disconnect_client")]
    Disconnect,
    /// `{user | address, seconds?, reason?, include_self?}` → `{ended}`.
    Ban,
    /// `{user | address}` → `{lifted}`.
    Unban,
    /// → `{bans}`.
    ListBans,
    /// `{user | token | token_id}` → `{ended}`.
    Revoke,
    /// `{user | token | token_id}` → `{lifted}`.
    Unrevoke,
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
        event.parse().ok()
    }

    fn name(self) -> &'static str {
        self.into()
    }

    /// What its argument may have.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::ListConnections => &["user", "address", "limit"],
            Self::Disconnect => &["client_id"],
            Self::Ban => &["user", "address", "seconds", "reason", INCLUDE_SELF],
            Self::Unban => &["user", "address"],
            Self::Revoke | Self::Unrevoke => &["user", "token_id", "token"],
            Self::ListBans | Self::ListRevocations => &[],
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
        authenticator: &Authenticator,
        actor: &Actor<'_>,
        argument: &Value,
    ) -> Result<Value, Error> {
        let mut audit = Audit {
            actor,
            argument: Argument(argument),
            about: None,
        };
        let outcome = if Role::may_administer(actor.who.role) {
            self.carry_out(authenticator, &mut audit).await
        } else {
            Err(Error::forbidden("this takes the role admin"))
        };
        if self.changes_something() {
            audit.write(self, &outcome, authenticator.metrics());
        }
        outcome
    }

    async fn carry_out(
        self,
        authenticator: &Authenticator,
        audit: &mut Audit<'_>,
    ) -> Result<Value, Error> {
        let argument = audit.argument;
        argument.only(self.keys())?;
        let sessions = authenticator.sessions();
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
                let ended = sessions.end(DisconnectReason::Disconnected, |s| *s.client_id == *id);
                if ended == 0 {
                    return Err(Error::new("not_found", "there is no such connection"));
                }
                Ok(json!({ "ended": ended }))
            }
            Self::Ban => {
                let who = argument.who()?;
                authenticator.blocklist().may_ban(&who)?;
                if !argument.flag(INCLUDE_SELF)? {
                    audit.actor.is_not(&who)?;
                }
                let until = argument
                    .number("seconds")?
                    .map(|seconds| now().saturating_add(seconds));
                let reason = argument.text("reason")?.unwrap_or_default();
                let kept = authenticator.blocklist().ban(Ban {
                    who: who.clone(),
                    until,
                    reason: reason.chars().take(256).collect(),
                });
                let ended = sessions.end(DisconnectReason::Banned, |session| session.is(&who));
                kept.map(|()| json!({ "ended": ended }))
            }
            Self::Unban => {
                let lifted = authenticator.blocklist().unban(&argument.who()?)?;
                Ok(json!({ "lifted": lifted }))
            }
            Self::ListBans => Ok(json!({ "bans": authenticator.blocklist().bans() })),
            Self::Revoke => {
                let what = revoked(authenticator, audit).await?;
                let kept = authenticator.blocklist().revoke(what.clone());
                let ended = sessions.end(DisconnectReason::Revoked, |session| session.has(&what));
                kept.map(|()| json!({ "ended": ended }))
            }
            Self::Unrevoke => {
                let lifted = authenticator
                    .blocklist()
                    .unrevoke(&revoked(authenticator, audit).await?)?;
                Ok(json!({ "lifted": lifted }))
            }
            Self::ListRevocations => {
                Ok(json!({ "revocations": authenticator.blocklist().revocations() }))
            }
        }
    }
}

impl Actor<'_> {
    /// Refuses to keep the one out who asks for it: nobody would be left who could take it back.
    fn is_not(&self, who: &Who) -> Result<(), Error> {
        let yours = match who {
            Who::User(user) if self.who.user.as_deref() == Some(user) => "this is your own user",
            Who::Address(address) if *address == self.address => {
                "this is the address that you come from yourself"
            }
            _ => return Ok(()),
        };
        Err(Error::bad_request(format!(
            "{yours}: you would be kept out with it. To end a connection of yours, disconnect it; \
             to ban it all the same, add \"{INCLUDE_SELF}\": true, and another admin must lift it, or its time must end"
        )))
    }
}

/// Which tokens a revocation is about, or is no more; the line of the log says which token it is.
async fn revoked(authenticator: &Authenticator, audit: &mut Audit<'_>) -> Result<Revoked, Error> {
    let what = match audit.argument.token()? {
        Some(token) => Revoked::Token(authenticator.name_of(&token).await?.to_string()),
        None => audit.argument.revoked()?,
    };
    if let Revoked::Token(id) = &what {
        audit.about = Some(id.clone());
    }
    Ok(what)
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_micros() / 1_000_000).unwrap_or(0)
}
