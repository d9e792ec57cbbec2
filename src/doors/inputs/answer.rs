//! An operator answers a question. The server makes the `input.received` of it, once: of two answers the first counts, and
//! the second is refused.

use serde_json::{Value, json};

use super::service::{Inputs, unknown};
use crate::{
    access::{Identity, authz::Permissions},
    error::Error,
    event::{self, Object},
    intake::{Producer, Raw},
    journal::FlowId,
    projections::state::{Asker, Question},
    timestamp::Timestamp,
};

/// The client that answers.
#[derive(Debug)]
pub(crate) struct Answerer<'a> {
    pub(crate) who: &'a Identity,
    /// The door, for counters.
    pub(crate) door: &'static str,
    /// The client where producers take turns.
    pub(crate) flow: FlowId,
}

/// An answer to a question.
#[derive(Debug)]
pub(crate) struct AnswerTo {
    pub(crate) request_id: String,
    pub(crate) project: Option<String>,
    pub(crate) value: Value,
}

/// An answer that counts.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The agent that asked, where the question names it.
    pub(crate) agent: Option<String>,
    /// The result, for the client.
    pub(crate) result: Object,
}

impl Inputs {
    /// Answers an open question that the client may see.
    ///
    /// # Errors
    /// `not_found`, `bad_request`, `too_large`, `closed` for a question that has an answer or no longer waits for one; as
    /// [`crate::intake::Intake::publish`].
    pub(crate) async fn answer(
        &self,
        by: &Answerer<'_>,
        answer: AnswerTo,
    ) -> Result<Answered, Error> {
        let len = event::json_len(&answer.value);
        let most = self.context.max_answer;
        if len > most {
            return Err(Error::new(
                "too_large",
                format!(
                    "the answer has {len} bytes, {most} are allowed ([inputs] max_answer_bytes); keep a long one elsewhere and answer with its address"
                ),
            ));
        }
        // A client holds up no question that it may not see.
        let asked = self.question(by, &answer).await?.ok_or_else(unknown)?;
        let claim = self.answering.claim(&asked);
        let _claim = claim.ok_or_else(|| {
            closed("somebody else answers this question at this moment: look at it again")
        })?;
        let question = self.question(by, &answer).await?.ok_or_else(unknown)?;
        if !question.is_open {
            return match is_same(&question, by, &answer.value) {
                true => Ok(answered(question, answer, true)),
                false => Err(closed(&said(&question))),
            };
        }
        if question.is_overdue(Timestamp::now()) {
            return Err(closed(
                "the question's time was over at its expires_at: its agent has to ask again",
            ));
        }
        let id = event::mint_id().to_string();
        let event = event(&question, by, &answer, &id);
        let mut receipt = self
            .context
            .intake
            .publish(
                vec![Raw::Json(event, None)],
                Producer {
                    name: name(by),
                    door: by.door,
                    // The answer has the audience of the question.
                    permissions: &Permissions::everything(),
                    within: question.project.as_deref().filter(|_| question.is_confined),
                    verified: &by.who.verified(),
                    trace: None,
                    flow: by.flow,
                    connection: None,
                },
            )
            .await?;
        if let Some(rejected) = receipt.rejected.pop() {
            return Err(rejected.error);
        }
        // Its agent may have closed it meanwhile: the first word in the journal counts.
        match self.question(by, &answer).await? {
            Some(now) if now.closed_by.as_deref() != Some(&*id) => Err(closed(&said(&now))),
            Some(now) => {
                self.answered.inc();
                Ok(answered(now, answer, false))
            }
            None => Ok(answered(question, answer, false)),
        }
    }

    async fn question(
        &self,
        by: &Answerer<'_>,
        answer: &AnswerTo,
    ) -> Result<Option<Question>, Error> {
        let moment = self.context.hub.moment().await?;
        let asker = Asker {
            permissions: &by.who.permissions,
            verified: "",
        };
        moment
            .picture
            .question(&asker, answer.project.as_deref(), &answer.request_id)
    }
}

/// The event of an answer, about the same things as its question.
fn event(question: &Question, by: &Answerer<'_>, answer: &AnswerTo, id: &str) -> Value {
    let mut data = question.named.clone();
    data.insert("request_id".into(), question.id.as_str().into());
    data.insert("answer".into(), answer.value.clone());
    data.insert("outcome".into(), "answered".into());
    data.insert("answered_by".into(), name(by).into());
    for key in ["kind", "tool_call_id"] {
        if let Some(said) = question.facts.get(key) {
            data.insert(key.into(), said.clone());
        }
    }
    let mut event = json!({ "type": "input.received", "id": id, "data": data });
    if let Some(project) = &question.project {
        event["project_id"] = Value::from(&**project);
    }
    event
}

/// The name of the client that answers, as others read it.
fn name<'a>(by: &Answerer<'a>) -> &'a str {
    by.who.source().unwrap_or("operator")
}

/// Whether a client says the same again, since it did not get the answer to its first try.
fn is_same(question: &Question, by: &Answerer<'_>, value: &Value) -> bool {
    question.facts.get("answer") == Some(value)
        && question.facts.get("answered_by").and_then(Value::as_str) == Some(name(by))
}

fn answered(question: Question, answer: AnswerTo, again: bool) -> Answered {
    let agent = question.facts.get("agent_id").and_then(Value::as_str);
    let mut result = Object::new();
    result.insert("request_id".into(), question.id.into());
    result.insert("project_id".into(), question.project.as_deref().into());
    result.insert("answer".into(), answer.value);
    if again {
        result.insert("duplicate".into(), true.into());
    }
    Answered {
        agent: agent.map(str::to_owned),
        result,
    }
}

/// The end that a question had.
fn said(question: &Question) -> String {
    let text = |key: &str| question.facts.get(key).and_then(Value::as_str);
    match (text("status"), text("answered_by")) {
        (Some("received"), Some(who)) => format!("the question was answered before, by {who}"),
        (Some("received"), None) => "the question was answered before".to_owned(),
        _ => "the question's agent no longer waits for an answer".to_owned(),
    }
}

fn closed(why: &str) -> Error {
    Error::new("closed", why)
}
