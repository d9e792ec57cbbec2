//! Operations from afar: about one client or one room, on a namespace that they name.

use super::{operation::Operation, perform::Operations, room_name::checked_room};
use crate::error::Error;

/// An operation from afar.
#[derive(Debug)]
pub(crate) enum Remote {
    Join { client: String, room: String },
    Leave { client: String, room: String },
    CloseRoom { room: String },
    Disconnect { client: String },
}

impl Operations {
    /// Carries an operation out.
    ///
    /// # Errors
    /// `not_found` when the client is not on the namespace, `bad_request` for a name that no room has,
    /// `unknown_namespace`, `room_full`.
    pub(crate) async fn remote(&self, remote: Remote, namespace: &str) -> Result<(), Error> {
        let (name, read) = self.read(remote, namespace);
        let result = match read {
            Ok(operation) => self.done(operation).await,
            Err(refusal) => Err(refusal),
        };
        self.count(name, &result);
        result
    }

    fn read(&self, remote: Remote, namespace: &str) -> (&'static str, Result<Operation, Error>) {
        match remote {
            Remote::Join { client, room } => (
                "join",
                self.is_on(&client, namespace).and_then(|()| {
                    Ok(Operation::Join {
                        room: checked_room(&room)?,
                        client: Some(client),
                    })
                }),
            ),
            Remote::Leave { client, room } => (
                "leave",
                self.is_on(&client, namespace).and_then(|()| {
                    Ok(Operation::Leave {
                        room: checked_room(&room)?,
                        client: Some(client),
                    })
                }),
            ),
            Remote::CloseRoom { room } => (
                "close_room",
                checked_room(&room).map(|room| Operation::CloseRoom {
                    room,
                    namespace: namespace.to_owned(),
                }),
            ),
            Remote::Disconnect { client } => (
                "disconnect",
                self.is_on(&client, namespace)
                    .map(|()| Operation::Disconnect(client)),
            ),
        }
    }
}
