//! Messages that are there, one after the other.

use bytes::Bytes;

use super::session::Session;
use crate::{
    doors::http::{api::Api, caller::Caller, uploading::Upload},
    error::Error,
    intake::Receipt,
};

/// Takes the messages of a list, one after the other.
pub(crate) async fn relay(
    api: &Api,
    caller: &Caller,
    session: &mut Session<'_>,
    messages: Vec<Bytes>,
) -> Result<Receipt, Error> {
    let mut upload = Upload::new(api, caller);
    for (nth, message) in messages.into_iter().enumerate() {
        upload.line(session.read(&message, nth + 1)).await?;
    }
    upload.end().await
}
