//! Operations on clients and rooms that messages of the bus ask for, where the settings allow them.

use super::{message::Operation, scope::Scope, targets::BusTargets};
use crate::{doors::operations::Remote, error::Error, intake::Producer};

/// A refused operation: the reason for the counter, and the sentence for the log.
pub(super) type Refused = (&'static str, String);

/// Carries an operation out, behind all that the bus emitted before it.
///
/// # Errors
/// The operation is not allowed, is out of the scope, or can't be done.
pub(super) async fn operate(
    operation: Operation,
    scope: &Scope,
    targets: &BusTargets,
    producer: Producer<'_>,
) -> Result<(), Refused> {
    let name = operation.name();
    if !scope.allows(&operation) {
        return Err((
            "not_allowed",
            format!(
                "{name} is not among [bus] allow: name it there if whoever can publish on the bus may do that to your clients"
            ),
        ));
    }
    if let Some((key, named)) = scope.is_operation_out_of(&operation) {
        return Err((
            "scope",
            format!("{name} is about {named:?}, which is not among [bus] {key}"),
        ));
    }
    let may = may_operate(&operation, producer);
    may.map_err(|error| ("scope", format!("{name}: {}", error.message)))?;
    // An emission that waits for its clients must reach those that are members now.
    targets.intake.in_flight().landed(producer.flow).await;
    let namespace = operation.namespace().to_owned();
    let remote = match operation {
        Operation::Disconnect { client, .. } => Remote::Disconnect { client },
        Operation::Enter { client, room, .. } => Remote::Join { client, room },
        Operation::Leave { client, room, .. } => Remote::Leave { client, room },
        Operation::Close { room, .. } => Remote::CloseRoom { room },
    };
    let done = targets
        .operations
        .remote(remote, &namespace, producer.flow)
        .await;
    done.map_err(|error| (error.code, format!("{name}: {}", error.message)))
}

/// Whether a bus whose messages are of some projects only may do this: as what it may emit to the room, or to the client.
fn may_operate(operation: &Operation, producer: Producer<'_>) -> Result<(), Error> {
    match operation.room() {
        Some(room) => producer.permissions.may_emit([room].into_iter()),
        None if producer.permissions.is_limited() => Err(Error::forbidden(
            "messages of a bus with [bus] projects may not disconnect clients",
        )),
        None => Ok(()),
    }
}
