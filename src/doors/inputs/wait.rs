//! An agent waits for the answer to its question: one request waits for so long, and the agent asks again.

use std::{pin::pin, sync::Arc, time::Duration};

use serde_json::Value;

use super::service::{Inputs, unknown};
use crate::{
    access::Identity,
    error::Error,
    event::Object,
    projections::state::{Asker, Question, QuestionStatus},
    timestamp::Timestamp,
};

/// The question that a client waits for.
#[derive(Debug)]
pub(crate) struct Waited<'a> {
    /// The client, and the name by which its requests are counted.
    pub(crate) who: &'a Identity,
    pub(crate) caller: Arc<str>,
    /// The question.
    pub(crate) request_id: &'a str,
    pub(crate) project: Option<&'a str>,
    /// The time for which the client waits while the question is open; none for the answer of now.
    pub(crate) wait: Duration,
}

impl Inputs {
    /// The question as it is now, or as it is when it was closed or the time is over.
    ///
    /// # Errors
    /// `not_found`, `bad_request`; `rate_limited` and `overloaded` when too many wait; `unavailable` while the server
    /// goes down.
    pub(crate) async fn wait(&self, waited: &Waited<'_>) -> Result<Object, Error> {
        let listener = self.context.hub.closings().listen(waited.request_id);
        let mut rung = pin!(listener.rung.notified());
        // From here on no end is missed, also one before the waiting begins.
        rung.as_mut().enable();
        let question = self.look(waited).await?;
        let Some(left) = left(&question, waited.wait.min(self.context.max_wait)) else {
            return Ok(told(question));
        };
        let _place = self.places.take(&waited.caller)?;
        let end = tokio::time::Instant::now() + left;
        loop {
            let is_rung = tokio::time::timeout_at(end, rung.as_mut()).await.is_ok();
            rung.set(listener.rung.notified());
            rung.as_mut().enable();
            if listener.is_over() {
                return Err(Error::unavailable(
                    "the server is going down; the question stays open: ask again",
                ));
            }
            let question = self.look(waited).await?;
            // One of another project may have been closed.
            if !is_rung || question.status != QuestionStatus::Open {
                return Ok(told(question));
            }
        }
    }

    async fn look(&self, waited: &Waited<'_>) -> Result<Question, Error> {
        let moment = self.context.hub.moment().await?;
        let verified = waited.who.verified();
        let asker = Asker {
            permissions: &waited.who.permissions,
            verified: &verified,
        };
        let found = moment
            .picture
            .question(&asker, waited.project, waited.request_id)?;
        found.ok_or_else(unknown)
    }
}

/// The time for which it is worth while to wait; none when nothing is to be expected.
fn left(question: &Question, wait: Duration) -> Option<Duration> {
    if question.status != QuestionStatus::Open || wait.is_zero() {
        return None;
    }
    let Some(end) = question.expires_at else {
        return Some(wait);
    };
    let left = end.as_micros() - Timestamp::now().as_micros();
    let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
    Some(wait.min(Duration::from_micros(left)))
}

/// A question as its agent is told of it: an open one whose time is over has expired.
fn told(mut question: Question) -> Object {
    if question.status == QuestionStatus::Open && question.is_overdue(Timestamp::now()) {
        question.facts.insert("status".into(), "expired".into());
    }
    let mut body = Object::new();
    body.insert("type".into(), "input".into());
    body.insert("request_id".into(), Value::from(question.id));
    body.extend(question.facts);
    body.insert("timestamp".into(), Timestamp::now().to_string().into());
    body
}
