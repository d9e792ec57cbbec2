//! The performers that are connected with this node.

use std::sync::Arc;

use super::registry::{Performer, Registry};
use crate::{access::authz::room_name, error::Error, hub::HubHandle};

/// A client that is asked to perform an action.
#[derive(Debug)]
pub(super) enum Candidate {
    /// It is connected with this node.
    Here(Arc<Performer>),
    /// It is connected with another one.
    There { node: Arc<str>, id: Arc<str> },
}

/// The agent whose performers are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) agent: &'a str,
    /// The project in which it is acted on.
    pub(super) project: Option<&'a str>,
    /// Whether performers without limits can only mean this project's agent.
    pub(super) is_doubtless: bool,
}

/// The room of the performers of one project's agent.
pub(super) fn room(project: Option<&str>, agent: &str) -> String {
    room_name::of_actions(project, agent)
}

/// Whether a performer without limits waits on this node for actions of an agent's id.
pub(super) async fn has_unlimited(
    hub: &HubHandle,
    registry: &Registry,
    agent: &str,
) -> Result<bool, Error> {
    let waiting = hub.members_of(room(None, agent)).await?;
    let clients = registry.among(&waiting);
    let mut identities = clients.iter().map(|client| client.who());
    Ok(identities.any(|who| who.performs_for(agent) && who.performs_in(None)))
}

/// The performers that are connected with this node.
pub(super) async fn here(
    hub: &HubHandle,
    registry: &Registry,
    sought: Sought<'_>,
) -> Result<Vec<Arc<Performer>>, Error> {
    let Sought {
        agent,
        project,
        is_doubtless,
    } = sought;
    let waiting = hub.members_of(room(None, agent)).await?;
    let mut clients = registry.among(&waiting);
    clients.retain(|performer| {
        let who = performer.who();
        let is_clear = project.is_none() || is_doubtless || who.permissions.is_limited();
        who.performs_for(agent) && who.performs_in(project) && is_clear
    });
    if let Some(project) = project {
        let own = hub.members_of(room(Some(project), agent)).await?;
        clients.extend(registry.among(&own).into_iter().filter(|performer| {
            let who = performer.who();
            who.performs_for(agent) && who.performs_in(Some(project))
        }));
        // A member of both rooms is asked once.
        clients.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        clients.dedup_by(|one, other| one.id == other.id);
    }
    Ok(clients)
}
