//! Clients that are to connect again, on whichever node they are.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::node::Drain;
use crate::{
    access::authz::Session,
    cluster::{read, written},
    error::Error,
};

/// The kind of the questions.
const RECONNECT: &str = "reconnect";

/// A client, or all clients of a user, that are to connect again.
#[derive(Debug, Serialize, Deserialize)]
pub enum Returning {
    /// The client with this public id.
    Client(String),
    /// The clients of this user.
    User(String),
}

/// The number of clients that are told to connect again, and the nodes that did not say how many of theirs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The clients.
    pub clients: usize,
    /// The names of the nodes.
    pub silent: Vec<Arc<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wish {
    whom: Returning,
    over_ms: u64,
}

impl Returning {
    fn is(&self, session: &Session) -> bool {
        match self {
            Self::Client(id) => *session.client_id == **id,
            Self::User(user) => session.user.as_deref() == Some(user),
        }
    }
}

impl Drain {
    /// Does what other nodes wish from now on.
    pub fn serve(self: &Arc<Self>) {
        let drain = Arc::downgrade(self);
        self.cluster().on_asked(RECONNECT, move |_, body| {
            let drain = drain.upgrade();
            async move {
                let drain = drain.ok_or_else(|| Error::unavailable("the node goes down"))?;
                let wish: Wish = read(&body)?;
                let over = Duration::from_millis(wish.over_ms);
                let clients = drain.reconnect(over, |session| wish.whom.is(session));
                written(&clients)
            }
        });
    }

    /// Has clients connect again on whichever node they are, each node over this time.
    ///
    /// # Errors
    /// The other nodes could not be asked.
    pub async fn reconnect_everywhere(
        &self,
        whom: Returning,
        over: Duration,
    ) -> Result<Moved, Error> {
        let here = self.reconnect(over, |session| whom.is(session));
        let wish = Wish {
            whom,
            over_ms: u64::try_from(over.as_millis()).unwrap_or(u64::MAX),
        };
        let answers = self.cluster().ask_all(RECONNECT, &wish).await?;
        let mut moved = Moved {
            clients: here,
            silent: answers.silent,
        };
        for (node, answer) in answers.given {
            match answer.and_then(|text| read::<usize>(&text)) {
                Ok(there) => moved.clients += there,
                Err(_) => moved.silent.push(node),
            }
        }
        Ok(moved)
    }
}
