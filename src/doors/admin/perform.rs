//! Carries out an act, and audits it.

use serde_json::{Value, json};

use super::{
    act::Act,
    actor::Actor,
    argument::{Argument, INCLUDE_SELF},
    audit::Audit,
    controls::Controls,
};
use crate::{
    access::{Authenticator, Ended, Ending, Wanted},
    config::Role,
    decision::{Ban, Revoked},
    drain::Returning,
    error::Error,
    timestamp::Timestamp,
};

/// Connections that one answer lists.
const MAX_LISTED: usize = 1_000;

impl Act {
    /// Carries out an act to its end: an admin who hangs up takes back neither the act nor its line in the log.
    ///
    /// # Errors
    /// `forbidden` if the actor is no admin, `bad_request` for a wrong argument, `not_found`, `unavailable` for a decision that
    /// holds but could not be kept.
    pub async fn perform(
        self,
        controls: Controls<'_>,
        actor: Actor,
        argument: Value,
    ) -> Result<Value, Error> {
        let (authenticator, breakers) = (controls.authenticator.clone(), controls.breakers.clone());
        let drain = controls.drain.clone();
        let act = tokio::spawn(async move {
            let controls = Controls {
                authenticator: &authenticator,
                breakers: &breakers,
                drain: &drain,
            };
            self.perform_now(controls, &actor, &argument).await
        });
        act.await
            .unwrap_or_else(|_| Err(Error::unavailable("the act was interrupted; see the log")))
    }

    async fn perform_now(
        self,
        controls: Controls<'_>,
        actor: &Actor,
        argument: &Value,
    ) -> Result<Value, Error> {
        let mut audit = Audit {
            actor,
            argument: Argument(argument),
            about: None,
        };
        let outcome = if Role::may_administer(actor.who.role) {
            self.carry_out(controls, &mut audit).await
        } else {
            Err(Error::forbidden("this takes the role admin"))
        };
        if self.changes_something() {
            audit.write(self.name(), &outcome, controls.authenticator.metrics());
        }
        outcome
    }

    async fn carry_out(
        self,
        controls: Controls<'_>,
        audit: &mut Audit<'_>,
    ) -> Result<Value, Error> {
        let Controls {
            authenticator,
            breakers,
            drain,
        } = controls;
        let argument = audit.argument;
        argument.only(self.keys())?;
        match self {
            Self::ListConnections => {
                let limit = argument.number("limit")?.map_or(MAX_LISTED, |limit| {
                    usize::try_from(limit).map_or(MAX_LISTED, |limit| limit.min(MAX_LISTED))
                });
                let (user, address) = (argument.text("user")?, argument.address("address")?);
                let wanted = Wanted {
                    limit,
                    user: user.map(str::to_owned),
                    address,
                };
                authenticator.list_everywhere(&wanted).await
            }
            Self::Disconnect => {
                let id = argument.needed("client_id")?;
                let ending = Ending::Client(id.to_owned());
                let ended = match authenticator.end_here(&ending) {
                    0 => authenticator.end_elsewhere(&ending, 0).await?,
                    here => Ended::here(here),
                };
                Ok(ended.unless_none()?.told())
            }
            Self::Ban => {
                let who = argument.who()?;
                argument.names_somebody()?;
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
                })?;
                let ending = Ending::Banned(who);
                let ended = authenticator.end_here(&ending);
                let ended = authenticator.end_elsewhere(&ending, ended).await?;
                kept.await?;
                Ok(ended.told())
            }
            Self::Unban => {
                let lifted = authenticator.blocklist().unban(&argument.who()?).await?;
                Ok(json!({ "lifted": lifted }))
            }
            Self::ListBans => Ok(json!({ "bans": authenticator.blocklist().bans() })),
            Self::Revoke => {
                argument.names_somebody()?;
                let what = revoked(authenticator, audit).await?;
                let kept = authenticator.blocklist().revoke(what.clone())?;
                let ending = Ending::Revoked(what);
                let ended = authenticator.end_here(&ending);
                let ended = authenticator.end_elsewhere(&ending, ended).await?;
                kept.await?;
                Ok(ended.told())
            }
            Self::Unrevoke => {
                let lifted = authenticator
                    .blocklist()
                    .unrevoke(&revoked(authenticator, audit).await?)
                    .await?;
                Ok(json!({ "lifted": lifted }))
            }
            Self::ListRevocations => {
                Ok(json!({ "revocations": authenticator.blocklist().revocations() }))
            }
            Self::ListBreakers => Ok(json!({ "breakers": breakers.snapshot() })),
            Self::CloseBreaker => {
                let closed = breakers.close(argument.needed("part")?)?;
                Ok(json!({ "closed": closed }))
            }
            Self::Reconnect => {
                let over = argument.time()?.unwrap_or_default();
                let whom = match (argument.text("client_id")?, argument.text("user")?) {
                    (Some(id), None) => Returning::Client(id.to_owned()),
                    (None, Some(user)) => Returning::User(user.to_owned()),
                    _ => return Err(Error::bad_request("name either a client_id or a user")),
                };
                let moved = drain.reconnect_everywhere(whom, over).await?;
                let mut answer = json!({ "clients": moved.clients });
                if !moved.silent.is_empty() {
                    answer["unanswered"] = json!(moved.silent);
                }
                Ok(answer)
            }
            Self::Drain => Ok(json!(drain.start(argument.time()?, argument.flag("stop")?))),
            Self::EndDrain => Ok(json!({ "ended": drain.end() })),
            Self::DrainStatus => Ok(json!(drain.status())),
        }
    }
}

/// The tokens of a revocation, or of taking one back; the audit line names their id.
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
