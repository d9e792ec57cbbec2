//! The clients that perform an agent's action, and the project of that agent.
//!
//! An operator reaches no agent of a project that it may not see, whatever it names and whatever producers of other
//! projects said of the agent's id:
//!
//! - A performer whose token names projects is asked for these only.
//! - A performer without limits in `agent:{id}:actions` may be there for any project's agent of that id. An operator with
//!   limits reaches it only if unlimited producers said that the agent is of the named project, and of no other one.
//! - In `agent:{project}/{id}:actions` nothing is in doubt: every performer there acts for that project's agent.

use std::sync::Arc;

use super::{
    elsewhere::Elsewhere,
    local::{Candidate, Sought, has_unlimited, here},
    registry::Registry,
};
use crate::{
    access::{Authenticator, Identity},
    error::Error,
    event::ThingKind,
    hub::HubHandle,
    ledger::Homes,
};

/// The parts that know clients, rooms and agents.
pub(super) struct Reach<'a> {
    pub(super) hub: &'a HubHandle,
    pub(super) authenticator: &'a Authenticator,
    pub(super) registry: &'a Registry,
    pub(super) elsewhere: &'a Elsewhere,
}

/// The clients that are asked to perform an action.
pub(super) struct Performers {
    /// The project in which the agent is acted on.
    pub(super) project: Option<Arc<str>>,
    pub(super) clients: Vec<Candidate>,
    /// Nodes that did not say whether such clients are there.
    pub(super) silent: Vec<Arc<str>>,
}

/// Finds the performers for an operator; no other client gets the action.
pub(super) async fn find(
    reach: &Reach<'_>,
    who: &Identity,
    agent: &str,
    named: Option<&str>,
) -> Result<Performers, Error> {
    let homes = reach.authenticator.homes_of(agent);
    let mut unlimited = has_unlimited(reach.hub, reach.registry, agent).await?;
    // Nothing else depends on that.
    let is_claimed = homes.vouched.is_empty() && !homes.claimed.is_empty();
    if !unlimited && is_claimed && who.permissions.is_everything() {
        unlimited = reach.elsewhere.have_unlimited(agent).await?;
    }
    let project = home(who, &homes, agent, named, unlimited)?;
    let sought = Sought {
        agent,
        project: project.as_deref(),
        is_doubtless: project.as_deref().is_some_and(|project| {
            match who.permissions.is_everything() {
                true => homes.may_be(project),
                false => homes.are_only(project),
            }
        }),
    };
    let here = here(reach.hub, reach.registry, sought).await?;
    let mut clients: Vec<_> = here.into_iter().map(Candidate::Here).collect();
    let (there, silent) = reach.elsewhere.performers(sought).await?;
    clients.extend(there);
    Ok(Performers {
        project,
        clients,
        silent,
    })
}

/// The project in which an agent is acted on: the named one, else the only one in which the operator may see the agent.
/// `unlimited`: a performer without limits waits for actions of this id.
fn home(
    who: &Identity,
    homes: &Homes,
    agent: &str,
    named: Option<&str>,
    unlimited: bool,
) -> Result<Option<Arc<str>>, Error> {
    let holds = |project: &str| who.permissions.may_enter(ThingKind::Project, None, project);
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return if holds(named) {
            Ok(Some(named.into()))
        } else {
            Err(Error::forbidden("your token doesn't name this project"))
        };
    }
    let several = || {
        Error::bad_request(format!(
            "an agent {agent} is or may be known in several projects: say in which one, as project_id"
        ))
    };
    // Claims of limited producers of other projects are hidden from this operator.
    if homes.vouched.is_empty() && !homes.claimed.iter().any(|project| holds(project)) {
        if !homes.are_all {
            return Err(several());
        }
        if who.permissions.is_limited() {
            // The agent may be another project's, and a performer without limits would act for that one.
            return Err(Error::forbidden(
                "this agent is not known in a project of your token's yet: say in which one it is, as project_id",
            ));
        }
        if who.permissions.may_enter(ThingKind::Agent, None, agent) {
            return Ok(None);
        }
    }
    // A bare id means an agent of no project, which belongs to everybody without limits.
    let is_shared = homes.vouched.iter().any(Option::is_none) && !who.permissions.is_limited();
    // The same holds if its performer has no limits, whatever limited producers claim: they can't take its place.
    let is_platforms = homes.vouched.is_empty() && unlimited && who.permissions.is_everything();
    if is_shared || is_platforms {
        return Ok(None);
    }
    let one_of = |homes: &mut dyn Iterator<Item = &Arc<str>>| {
        let mut seen = homes.filter(|project| holds(project));
        match (seen.next(), seen.next()) {
            (Some(_), Some(_)) => Err(several()),
            (project, _) => Ok(project.cloned()),
        }
    };
    // A limited producer that names another's agent in its own project makes its id no less clear.
    if let Some(project) = one_of(&mut homes.vouched.iter().flatten())? {
        return Ok(Some(project));
    }
    // Claims say nothing about an agent whose other claims may have been evicted.
    if who.permissions.is_everything() && !homes.are_all {
        return Err(several());
    }
    match one_of(&mut homes.claimed.iter())? {
        Some(project) => Ok(Some(project)),
        None => Err(Error::forbidden(
            "your token names neither this agent nor a project of its",
        )),
    }
}
