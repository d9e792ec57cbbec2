//! The sessions of all nodes, as admins list and end them.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Authenticator;
use crate::{
    access::authz::{DisconnectReason, Session},
    cluster::{Cluster, read, written},
    decision::{Revoked, Who},
    error::Error,
};

/// The kinds of the questions.
const LIST: &str = "list_sessions";
const END: &str = "end_sessions";

/// The sessions that an admin wants to see.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// The most that are listed.
    pub limit: usize,
    /// Those of this user.
    pub user: Option<String>,
    /// Those from this address.
    pub address: Option<IpAddr>,
}

/// The sessions that an admin ends, and why.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ending {
    /// The one with this public id.
    Client(String),
    /// Those whom a ban is about.
    Banned(Who),
    /// Those with tokens that are not valid any more.
    Revoked(Revoked),
}

/// The sessions that were ended.
#[derive(Debug)]
pub struct Ended {
    count: usize,
    /// The nodes that did not say whether they ended any.
    silent: Vec<Arc<str>>,
}

/// A list of sessions, as one node has it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    connections: Vec<Value>,
    total: usize,
}

impl Ending {
    fn is_about(&self, session: &Session) -> bool {
        match self {
            Self::Client(id) => *session.client_id == **id,
            Self::Banned(who) => session.is(who),
            Self::Revoked(what) => session.has(what),
        }
    }
}

impl Ended {
    /// So many of this node.
    pub fn here(count: usize) -> Self {
        Self {
            count,
            silent: Vec::new(),
        }
    }

    /// The same, if there are any.
    ///
    /// # Errors
    /// `not_found`; `unavailable` when a node that may have it does not answer.
    pub fn unless_none(self) -> Result<Self, Error> {
        let why = "there is no such connection";
        match (self.count, self.silent.join(", ")) {
            (0, silent) if silent.is_empty() => Err(Error::new("not_found", why)),
            (0, silent) => Err(Error::unavailable(format!(
                "{why}, as far as the nodes know that answer; {silent} gave no answer: try again"
            ))),
            _ => Ok(self),
        }
    }

    /// The fields for the admin.
    pub fn told(&self) -> Value {
        with_silent(json!({ "ended": self.count }), &self.silent)
    }
}

impl Authenticator {
    /// Makes the sessions of all nodes one list for admins.
    pub fn link_with(self: &Arc<Self>, cluster: &Cluster) {
        if self.cluster.set(cluster.clone()).is_err() {
            return;
        }
        let own = Arc::downgrade(self);
        cluster.on_asked(LIST, move |_, body| {
            let own = own.clone();
            async move {
                let wanted: Wanted = read(&body)?;
                let own = own.upgrade().ok_or_else(going_down)?;
                written(&own.list_here(&wanted))
            }
        });
        let own = Arc::downgrade(self);
        cluster.on_asked(END, move |_, body| {
            let own = own.clone();
            async move {
                let ending: Ending = read(&body)?;
                let own = own.upgrade().ok_or_else(going_down)?;
                // A ban ends sessions when it is known on their node: ended before, they would come back.
                written(&match ending {
                    Ending::Client(_) => own.end_here(&ending),
                    Ending::Banned(_) | Ending::Revoked(_) => own.count_here(&ending),
                })
            }
        });
    }

    /// Lists the sessions of all nodes.
    ///
    /// # Errors
    /// The other nodes can't be asked.
    pub async fn list_everywhere(&self, wanted: &Wanted) -> Result<Value, Error> {
        let mut listed = self.list_here(wanted);
        let mut silent = Vec::new();
        if let Some(cluster) = self.others() {
            let answers = cluster.ask_all(LIST, wanted).await?;
            silent = answers.silent;
            for (node, answer) in answers.given {
                match answer.and_then(|list| read::<Listed>(&list)) {
                    Ok(list) => {
                        listed.total += list.total;
                        listed.connections.extend(list.connections);
                    }
                    Err(_) => silent.push(node),
                }
            }
            listed.connections.truncate(wanted.limit);
        }
        let told = json!({ "connections": listed.connections, "total": listed.total });
        Ok(with_silent(told, &silent))
    }

    fn list_here(&self, wanted: &Wanted) -> Listed {
        let user = wanted.user.as_deref();
        let (sessions, total) = self.sessions.list(wanted.limit, |session| {
            user.is_none_or(|user| session.user.as_deref() == Some(user))
                && wanted
                    .address
                    .is_none_or(|address| session.address == address)
        });
        let node = self.cluster.get().and_then(Cluster::own_name);
        let connections = sessions.into_iter().map(|session| {
            let mut told = json!(session);
            if let Some(node) = node {
                told["node"] = node.into();
            }
            told
        });
        Listed {
            connections: connections.collect(),
            total,
        }
    }

    /// The number of sessions of this node that are to be ended.
    fn count_here(&self, ending: &Ending) -> usize {
        self.sessions.list(0, |session| ending.is_about(session)).1
    }

    /// Ends sessions of this node; says how many.
    pub fn end_here(&self, ending: &Ending) -> usize {
        let why = match ending {
            Ending::Client(_) => DisconnectReason::Disconnected,
            Ending::Banned(_) => DisconnectReason::Banned,
            Ending::Revoked(_) => DisconnectReason::Revoked,
        };
        self.sessions.end(why, |session| ending.is_about(session))
    }

    /// Ends the same sessions of the other nodes; says how many these are, together with those that ended `here`.
    ///
    /// # Errors
    /// The other nodes can't be asked.
    pub async fn end_elsewhere(&self, ending: &Ending, here: usize) -> Result<Ended, Error> {
        let mut ended = Ended::here(here);
        if let Some(cluster) = self.others() {
            let answers = cluster.ask_all(END, ending).await?;
            ended.silent = answers.silent;
            for (node, answer) in answers.given {
                match answer.and_then(|count| read::<usize>(&count)) {
                    Ok(count) => ended.count += count,
                    Err(_) => ended.silent.push(node),
                }
            }
        }
        Ok(ended)
    }

    fn others(&self) -> Option<&Cluster> {
        self.cluster.get().filter(|cluster| cluster.has_others())
    }
}

fn with_silent(mut told: Value, silent: &[Arc<str>]) -> Value {
    if !silent.is_empty() {
        told["unanswered"] = json!(silent);
    }
    told
}

fn going_down() -> Error {
    Error::unavailable("the node goes down")
}
