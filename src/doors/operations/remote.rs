//! Operations from afar: about one client or one room, on a namespace that they name.

use serde::Serialize;

use super::{by::By, operation::Operation, perform::Operations};
use crate::{cluster::written, error::Error, journal::FlowId};

/// An operation from afar.
#[derive(Debug)]
pub(crate) enum Remote {
    Join { client: String, room: String },
    Leave { client: String, room: String },
    CloseRoom { room: String },
    Disconnect { client: String },
}

/// The same as it is written.
#[derive(Debug, Default, Serialize)]
struct Written<'t> {
    #[serde(skip_serializing_if = "Option::is_none")]
    join: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leave: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_room: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'t str>,
}

impl Remote {
    fn written<'t>(&'t self, namespace: &'t str) -> Written<'t> {
        let none = Written::default();
        match self {
            Self::Join { client, room } => Written {
                join: Some(room),
                client: Some(client),
                ..none
            },
            Self::Leave { client, room } => Written {
                leave: Some(room),
                client: Some(client),
                ..none
            },
            Self::CloseRoom { room } => Written {
                close_room: Some(room),
                namespace: Some(namespace),
                ..none
            },
            Self::Disconnect { client } => Written {
                disconnect: Some(client),
                ..none
            },
        }
    }
}

impl Operations {
    /// Carries an operation out, behind what its sender emitted.
    ///
    /// # Errors
    /// `not_found` when the client is not on the namespace, `bad_request` for a name that no room has,
    /// `unknown_namespace`, `room_full`.
    pub(crate) async fn remote(
        &self,
        remote: Remote,
        namespace: &str,
        sender: FlowId,
    ) -> Result<(), Error> {
        let text = written(&remote.written(namespace))?;
        let by = By::bus(sender, namespace);
        let (name, read) = Operation::read(&text, &self.context.emitter.options().limits);
        let result = match read {
            Ok(operation) => self.everywhere(operation, &text, None, &by).await,
            Err(refusal) => Err(refusal),
        };
        self.count(name, &result);
        result.map(|_| ())
    }
}
