//! Updates as JSON values, for doors that write them in shapes of their own.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    delivery::{Outgoing, Shape, WireMessage},
    emission::Emission,
    event::Object,
};

/// The message of an update in a shape: `write` makes its text from the update's fields when the first client asks for
/// it. An update that the shape has no words for is
/// none; one in an application's own shape stays as it is, beside its name.
pub(super) fn shaped(
    update: &Outgoing,
    shape: Shape,
    write: impl FnOnce(&str, Object) -> Option<Object>,
) -> Option<&Arc<WireMessage>> {
    let message = update.shape(shape, || {
        if update.emission().is_some() || update.is_bare() {
            return whole(update).into();
        }
        let fields = serde_json::from_str::<Object>(&update.json).unwrap_or_default();
        let text = write(&update.name, fields).map(|body| Value::Object(body).to_string());
        text.unwrap_or_default().into()
    });
    (!message.bytes.is_empty()).then_some(message)
}

/// A message as one object in JSON: an update as it is, an emission or an update in an application's own shape with its name
/// as the type.
pub(super) fn whole(update: &Outgoing) -> String {
    let emitted = update.emission().map(Emission::as_object);
    emitted.unwrap_or_else(|| update.named_json())
}
