//! Performers that are connected with other nodes: they are looked for there, and asked through their node.
//!
//! The node of the operator decides who may be asked, as for its own clients; the others only say who is there.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    local::{self, Candidate, Sought},
    registry::{Performing, Registry},
};
use crate::{
    cluster::{Cluster, Silence, read, written},
    error::Error,
    hub::HubHandle,
};

/// The kinds of the questions.
const UNLIMITED: &str = "unlimited_performers";
const PERFORMERS: &str = "performers";
const PERFORM: &str = "perform";

/// The question for performers.
#[derive(Debug, Serialize, Deserialize)]
struct Look<T> {
    agent: T,
    project: Option<T>,
    is_doubtless: bool,
}

/// An action for a client of another node.
#[derive(Debug, Serialize, Deserialize)]
struct Perform<T> {
    client: T,
    payload: T,
    /// The time that it has, in milliseconds.
    within: u64,
}

/// The answer of a client, or its absence.
#[derive(Debug, Serialize, Deserialize)]
struct Performed {
    answer: Option<Value>,
    /// Whether the client left before it answered.
    has_left: bool,
}

/// The way to performers that are connected with other nodes.
#[derive(Debug)]
pub(super) struct Elsewhere {
    cluster: Cluster,
    /// The time that a performer has.
    timeout: Duration,
}

impl Elsewhere {
    pub(super) fn new(cluster: Cluster, timeout: Duration) -> Self {
        Self { cluster, timeout }
    }

    /// Answers the same questions of other nodes from now on.
    pub(super) fn serve(&self, hub: HubHandle, registry: Arc<Registry>) {
        let (own_hub, clients) = (hub.clone(), registry.clone());
        self.cluster.on_asked(UNLIMITED, move |_, body| {
            let (hub, registry) = (own_hub.clone(), clients.clone());
            async move {
                let agent: String = read(&body)?;
                written(&local::has_unlimited(&hub, &registry, &agent).await?)
            }
        });
        let clients = registry.clone();
        self.cluster.on_asked(PERFORMERS, move |_, body| {
            let (hub, registry) = (hub.clone(), clients.clone());
            async move {
                let look: Look<String> = read(&body)?;
                let sought = Sought {
                    agent: &look.agent,
                    project: look.project.as_deref(),
                    is_doubtless: look.is_doubtless,
                };
                let here = local::here(&hub, &registry, sought).await?;
                written(&here.iter().map(|client| &client.id).collect::<Vec<_>>())
            }
        });
        self.cluster.on_asked(PERFORM, move |_, body| {
            let registry = registry.clone();
            async move {
                let perform: Perform<Arc<str>> = read(&body)?;
                let Some(client) = registry.among(&[perform.client]).pop() else {
                    return written(&Performed::left());
                };
                let within = Duration::from_millis(perform.within);
                let answer = client.hands.perform(&perform.payload);
                drop(client);
                match tokio::time::timeout(within, answer).await {
                    Ok(None) => written(&Performed::left()),
                    Ok(Some(answer)) => written(&Performed {
                        answer: Some(answer?),
                        has_left: false,
                    }),
                    Err(_) => Err(Error::new("timeout", "the producer gave no answer")),
                }
            }
        });
    }

    /// Whether a performer without limits waits elsewhere for actions of an agent's id.
    ///
    /// # Errors
    /// `unavailable` if no node says yes and one says nothing: what is meant for that performer is nobody else's.
    pub(super) async fn have_unlimited(&self, agent: &str) -> Result<bool, Error> {
        let answers = self.cluster.ask_all(UNLIMITED, &agent).await?;
        let mut is_doubtful = !answers.silent.is_empty();
        for (_, answer) in answers.given {
            match answer.map(|answer| answer.get() == "true") {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(_) => is_doubtful = true,
            }
        }
        match is_doubtful {
            false => Ok(false),
            true => Err(Error::unavailable(
                "a node does not say whether this agent's producer is there: name its project_id, or try again",
            )),
        }
    }

    /// The performers elsewhere, and the nodes that did not say whether they have any.
    pub(super) async fn performers(
        &self,
        sought: Sought<'_>,
    ) -> Result<(Vec<Candidate>, Vec<Arc<str>>), Error> {
        let look = Look {
            agent: sought.agent,
            project: sought.project,
            is_doubtless: sought.is_doubtless,
        };
        let answers = self.cluster.ask_all(PERFORMERS, &look).await?;
        let (mut clients, mut silent) = (Vec::new(), answers.silent);
        for (node, answer) in answers.given {
            match answer.and_then(|ids| read::<Vec<Arc<str>>>(&ids)) {
                Ok(ids) => clients.extend(ids.into_iter().map(|id| Candidate::There {
                    node: node.clone(),
                    id,
                })),
                Err(_) => silent.push(node),
            }
        }
        Ok((clients, silent))
    }

    /// Has a client of another node perform an action; a node that is gone took its clients with it.
    pub(super) fn perform(&self, node: &Arc<str>, id: &Arc<str>, payload: &str) -> Performing {
        let (cluster, within) = (self.cluster.clone(), self.timeout);
        let perform = Perform {
            client: id.to_string(),
            payload: payload.to_owned(),
            within: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        };
        let node = node.clone();
        Box::pin(async move {
            match cluster.ask(&node, PERFORM, &perform, Some(within)).await {
                Ok(answer) => match answer.and_then(|answer| read::<Performed>(&answer)) {
                    Ok(performed) if performed.has_left => None,
                    Ok(performed) => Some(Ok(performed.answer.unwrap_or_default())),
                    Err(refusal) => Some(Err(refusal)),
                },
                Err(Silence::Gone) => None,
                Err(Silence::Unasked(refusal)) => Some(Err(refusal)),
                Err(late @ Silence::Late(_)) => Some(Err(Error::new("timeout", late.to_string()))),
            }
        })
    }
}

impl Performed {
    fn left() -> Self {
        Self {
            answer: None,
            has_left: true,
        }
    }
}
