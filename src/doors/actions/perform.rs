//! One action, from the operator's request to the answer: who performs it, the retries, the time that it may take.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::{
    elsewhere::Elsewhere,
    local::{self, Candidate},
    performers::{self, Performers, Reach},
    registry::{Performer, Registry},
};
use crate::{
    access::{Authenticator, Identity},
    cluster::Cluster,
    doors::{
        argument,
        inputs::{AnswerTo, Answerer, Inputs},
    },
    error::Error,
    event::Object,
    hub::HubHandle,
    intake,
    observe::Metrics,
    timestamp::Timestamp,
};

/// The parts that actions need of the server, and their limits.
#[derive(Debug)]
pub(crate) struct ActionsContext {
    /// Knows the members of rooms.
    pub(crate) hub: HubHandle,
    /// Knows the projects of agents.
    pub(crate) authenticator: Arc<Authenticator>,
    /// Counts refusals and retries.
    pub(crate) metrics: Arc<Metrics>,
    /// Reaches the performers that are connected with other nodes.
    pub(crate) cluster: Cluster,
    /// Takes the answers to questions of agents.
    pub(crate) inputs: Arc<Inputs>,
    /// The time that a producer has to answer, retries included.
    pub(crate) timeout: Duration,
    /// The times that an action is sent again whose producer left before it answered, and the wait before the first time; it
    /// doubles with each.
    pub(crate) retries: (u64, Duration),
    /// The most actions of one operator in flight, and their bytes.
    pub(crate) most: (usize, usize),
}

/// The actions of all doors.
#[derive(Debug)]
pub(crate) struct Actions {
    context: ActionsContext,
    registry: Arc<Registry>,
    elsewhere: Elsewhere,
}

/// The client that wants an action.
pub(crate) struct Operator {
    /// The client's public id.
    pub(crate) id: Arc<str>,
    pub(crate) who: Arc<Identity>,
    /// The door, for counters.
    pub(crate) door: &'static str,
    /// Whether the client is still connected: nothing is sent again for one that left or was put out.
    pub(crate) is_here: Box<dyn Fn() -> bool + Send + Sync>,
    /// Sends the client `agent_action_result`.
    pub(crate) report: Box<dyn Fn(Object) + Send + Sync>,
}

/// An action that was taken.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) action_id: String,
    /// The reason why nobody performs it, which the operator is also told as a result.
    pub(crate) refused: Option<Error>,
    /// The result, where it is known at once: that of the answer to a question.
    pub(crate) done: Option<Object>,
}

/// An action on its way.
struct Action {
    id: String,
    agent: String,
    project: Option<Arc<str>>,
    /// The message to the performers, without `retry_count`.
    payload: Object,
}

impl Action {
    fn payload(&self, retry: u64) -> String {
        let mut payload = self.payload.clone();
        payload.insert("retry_count".into(), retry.into());
        Value::Object(payload).to_string()
    }
}

impl Actions {
    pub(crate) fn new(context: ActionsContext) -> Arc<Self> {
        let registry = Arc::new(Registry::new(context.most));
        let elsewhere = Elsewhere::new(context.cluster.clone(), context.timeout);
        elsewhere.serve(context.hub.clone(), registry.clone());
        Arc::new(Self {
            context,
            registry,
            elsewhere,
        })
    }

    /// Adds a client that may perform actions, or whose identity has changed.
    pub(crate) fn listed(&self, client: &Arc<Performer>) {
        self.registry.listed(client);
    }

    /// Removes a client that has left.
    pub(crate) fn left(&self, id: &str) {
        self.registry.left(id);
    }

    /// Sends an action `{agent_id, action, params, project_id?}` on its way; the result comes later. The answer to a
    /// question, `{action: "answer", params: {request_id, value}}`, is the server's own to take.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`, `rate_limited`; of an answer those of [`Inputs::answer`].
    pub(crate) async fn act(
        self: &Arc<Self>,
        operator: Operator,
        argument: &Value,
    ) -> Result<Accepted, Error> {
        may_act(&operator.who)?;
        if let Some(answer) = answer_of(argument)? {
            return self.answer(&operator, answer).await;
        }
        let missing = |key: &str| {
            Error::bad_request(format!(
                "{key} is missing: send {{agent_id, action, params}}"
            ))
        };
        let agent = argument::id(argument, &["agent_id", "agentId"])?;
        let agent = agent.ok_or_else(|| missing("agent_id"))?;
        let action = argument::text(argument, "action")?.filter(|text| !text.is_empty());
        let action = action.ok_or_else(|| missing("action"))?;
        let project = argument::id(argument, &["project_id", "projectId", "project"])?;
        let Performers {
            project,
            clients,
            silent,
        } = self.find(&operator, &agent, project.as_deref()).await?;
        let params = match argument::field(argument, "params") {
            Value::Null => json!({}),
            params => params.clone(),
        };
        let id = crate::event::mint_id().to_string();
        let payload = json!({
            "type": "agent_action", "action_id": id, "agent_id": agent, "project_id": project, "action": action,
            "params": params, "requested_by": operator.id, "timestamp": Timestamp::now(),
        });
        let action = Action {
            id: id.clone(),
            agent,
            project,
            payload: payload.as_object().cloned().unwrap_or_default(),
        };
        let first = action.payload(0);
        let user = operator.who.user.clone();
        let counted = user.unwrap_or_else(|| operator.id.clone());
        let slot = self.registry.begin(counted, first.len())?;
        if clients.is_empty() {
            let room = local::room(action.project.as_deref(), &action.agent);
            let why = "no producer is connected that performs actions of this agent: one joins";
            let refusal = match silent.join(", ") {
                nodes if nodes.is_empty() => format!("{why} {room}"),
                nodes => format!(
                    "{why} {room}; it is not known of the nodes {nodes}, which gave no answer"
                ),
            };
            let refusal = Error::unavailable(refusal).elsewhere();
            self.report(&operator, &action, Err(refusal.clone()));
            return Ok(Accepted {
                action_id: id,
                refused: Some(refusal),
                done: None,
            });
        }
        let actions = self.clone();
        // A task of its own, so that the operator's next events don't wait for the producers.
        tokio::spawn(async move {
            let outcome = actions.outcome(&operator, &action, clients, first).await;
            drop(slot);
            actions.report(&operator, &action, outcome);
        });
        Ok(Accepted {
            action_id: id,
            refused: None,
            done: None,
        })
    }

    /// Answers the question of an agent: the result is known at once.
    async fn answer(&self, operator: &Operator, answer: AnswerTo) -> Result<Accepted, Error> {
        let by = Answerer {
            who: &operator.who,
            door: operator.door,
            flow: intake::flow(&operator.who, &operator.id),
        };
        let answered = self.context.inputs.answer(&by, answer).await?;
        let action = Action {
            id: crate::event::mint_id().to_string(),
            agent: answered.agent.unwrap_or_default(),
            project: None,
            payload: Object::new(),
        };
        let done = self.result(operator, &action, Ok(answered.result.into()));
        Ok(Accepted {
            action_id: action.id,
            refused: None,
            done: Some(done),
        })
    }

    async fn find(
        &self,
        operator: &Operator,
        agent: &str,
        project: Option<&str>,
    ) -> Result<Performers, Error> {
        let reach = Reach {
            hub: &self.context.hub,
            authenticator: &self.context.authenticator,
            registry: &self.registry,
            elsewhere: &self.elsewhere,
        };
        performers::find(&reach, &operator.who, agent, project).await
    }

    /// The first answer within the time that an action has.
    async fn outcome(
        &self,
        operator: &Operator,
        action: &Action,
        performers: Vec<Candidate>,
        first: String,
    ) -> Result<Value, Error> {
        let timeout = self.context.timeout;
        let tries = self.tries(operator, action, performers, first);
        tokio::time::timeout(timeout, tries)
            .await
            .unwrap_or_else(|_| {
                let most = timeout.as_millis();
                Err(Error::new(
                    "timeout",
                    format!("no producer answered within {most} ms ([server] action_timeout)"),
                ))
            })
    }

    /// The first answer. An action whose producers all left before they answered is sent again to those that are there
    /// then, with the same `action_id` and a higher `retry_count`.
    async fn tries(
        &self,
        operator: &Operator,
        action: &Action,
        mut performers: Vec<Candidate>,
        mut payload: String,
    ) -> Result<Value, Error> {
        let (most, mut wait) = self.context.retries;
        let mut retry = 0;
        loop {
            if let Some(answer) = self.first_answer(&performers, &payload).await {
                return answer;
            }
            performers = Vec::new();
            while performers.is_empty() {
                if retry == most || !(operator.is_here)() {
                    return Err(Error::unavailable(format!(
                        "the producer left before it answered, and none took the action over in {retry} retries ([server] action_retries)"
                    ))
                    .elsewhere());
                }
                retry += 1;
                // A producer comes back in its own time; nothing tells when it is in the agent's room again.
                tokio::time::sleep(wait).await;
                wait *= 2;
                if (operator.is_here)() {
                    let found = self.find(operator, &action.agent, action.project.as_deref());
                    let found = found.await?;
                    // The agent's project was decided at first; another project's producer does not take its place.
                    if found.project == action.project {
                        performers = found.clients;
                    }
                }
            }
            self.context.metrics.retried("agent_action");
            payload = action.payload(retry);
        }
    }

    /// The first answer of these performers; none when all left before they answered.
    async fn first_answer(
        &self,
        performers: &[Candidate],
        payload: &str,
    ) -> Option<Result<Value, Error>> {
        let ask = |candidate: &Candidate| match candidate {
            Candidate::Here(performer) => performer.hands.perform(payload),
            Candidate::There { node, id } => self.elsewhere.perform(node, id, payload),
        };
        let mut answers: FuturesUnordered<_> = performers.iter().map(ask).collect();
        while let Some(answer) = answers.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    fn report(&self, operator: &Operator, action: &Action, outcome: Result<Value, Error>) {
        (operator.report)(self.result(operator, action, outcome));
    }

    /// The fields of `agent_action_result`.
    fn result(
        &self,
        operator: &Operator,
        action: &Action,
        outcome: Result<Value, Error>,
    ) -> Object {
        let mut body = Object::new();
        body.insert("type".into(), "agent_action_result".into());
        body.insert("action_id".into(), action.id.as_str().into());
        body.insert("agent_id".into(), action.agent.as_str().into());
        match outcome {
            Ok(result) => {
                body.insert("status".into(), "ok".into());
                body.insert("result".into(), result);
            }
            Err(refusal) => {
                self.context.metrics.refused(operator.door, &refusal);
                let status = match refusal.code {
                    "timeout" => "timeout",
                    _ => "error",
                };
                body.insert("status".into(), status.into());
                body.insert("error".into(), json!(refusal));
            }
        }
        body.insert("timestamp".into(), json!(Timestamp::now()));
        body
    }
}

/// The answer that an action is; none for any other action.
fn answer_of(argument: &Value) -> Result<Option<AnswerTo>, Error> {
    let params = argument::field(argument, "params");
    if argument::field(argument, "action").as_str() != Some("answer") {
        return Ok(None);
    }
    let Some(request_id) = argument::id(params, &["request_id", "requestId"])? else {
        return Ok(None);
    };
    let value = argument::field(params, "value");
    if value.is_null() {
        return Err(Error::bad_request(
            "params.value is missing: send {action: \"answer\", params: {request_id, value}} with any JSON but null",
        ));
    }
    Ok(Some(AnswerTo {
        request_id,
        project: argument::id(argument, &["project_id", "projectId", "project"])?,
        value: value.clone(),
    }))
}

/// Checks that a client may act on agents.
fn may_act(who: &Identity) -> Result<(), Error> {
    if !who.role.may_act() {
        return Err(Error::forbidden(
            "actions on agents take the role operator or admin: connect with auth {\"role\": \"operator\"}, or a token of that role",
        ));
    }
    if !who.is_trusted_to_act() {
        return Err(Error::forbidden(
            "a page of another origin than the server's own acts on agents only with a proof: give a token of the role \
             operator or admin, or the secret that the start prints, as auth.token",
        ));
    }
    Ok(())
}
