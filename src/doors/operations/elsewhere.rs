//! Operations about clients of other nodes: their node carries them out. Those about a room are carried out on all nodes, and
//! what they say is put together.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    by::By,
    clients::Connected,
    operation::Operation,
    outcome::Outcome,
    perform::{Operations, gone},
};
use crate::{
    cluster::{FromNode, NodeAnswer, read, written},
    error::Error,
    journal::FlowId,
};

/// The kinds of the questions.
const WHERE: &str = "where_is";
const OPERATE: &str = "operate";
/// The time that a message takes to another node and back, beside what it asks for.
const WAY: Duration = Duration::from_secs(1);

/// An operation for another node.
#[derive(Debug, Serialize, Deserialize)]
struct Remoted {
    operation: Box<RawValue>,
    may_see_sessions: bool,
    /// The one who wants it: it comes after what the one emitted.
    flow: (u64, u64),
    /// The namespace that its client has to be on.
    namespace: Option<Arc<str>>,
}

impl Operations {
    /// Answers the questions of other nodes from now on.
    pub(super) fn serve(self: &Arc<Self>) {
        let cluster = &self.context.cluster;
        let operations = Arc::downgrade(self);
        cluster.on_asked(WHERE, move |_, body| {
            let operations = operations.clone();
            async move {
                let client: Arc<str> = read(&body)?;
                let operations = operations.upgrade();
                written(&operations.is_some_and(|all| all.clients.get(&client).is_some()))
            }
        });
        let operations = Arc::downgrade(self);
        cluster.on_asked(OPERATE, move |from, body| {
            let operations = operations.clone();
            async move {
                let Some(operations) = operations.upgrade() else {
                    return Err(Error::unavailable("the node goes down"));
                };
                operations.operate_for(&from, &read(&body)?).await
            }
        });
    }

    async fn operate_for(&self, from: &FromNode, remoted: &Remoted) -> NodeAnswer {
        let emitter = &self.context.emitter;
        let flow = FlowId {
            turn: remoted.flow.0,
            producer: remoted.flow.1,
        };
        emitter.landed_elsewhere(from, flow).await;
        let limits = &emitter.options().limits;
        let operation = Operation::read(&remoted.operation, limits).1?;
        if matches!(operation, Operation::Emit(_)) {
            return Err(Error::bad_request("emissions have a way of their own"));
        }
        if let (Some(client), Some(namespace)) = (operation.client(), &remoted.namespace) {
            self.is_on(client, namespace)?;
        }
        let by = By::on_other_node(remoted.may_see_sessions);
        written(&self.carry_out(operation, None, &by).await?)
    }

    /// Carries an operation out where its client is, or on all nodes if it is about a room. `text` is how it is written.
    pub(super) async fn everywhere(
        &self,
        operation: Operation,
        text: &RawValue,
        caller: Option<&Arc<dyn Connected>>,
        by: &By,
    ) -> Result<Outcome, Error> {
        if !self.context.cluster.has_others() {
            if let (Some(client), Some(namespace)) = (operation.client(), by.namespace()) {
                self.is_on(client, namespace)?;
            }
            return self.carry_out(operation, caller, by).await;
        }
        let remoted = Remoted {
            operation: text.to_owned(),
            may_see_sessions: by.may_see_sessions,
            flow: (by.flow().turn, by.flow().producer),
            namespace: by.namespace().cloned(),
        };
        if operation.is_about_room() {
            let within = self.context.max_ask_time;
            let answers = self
                .context
                .cluster
                .ask_all_within(OPERATE, &remoted, Some(within));
            let (here, there) = tokio::join!(self.carry_out(operation, caller, by), answers);
            let (here, there) = (here?, there?);
            let mut outcomes = vec![here];
            let mut silent = there.silent;
            for (node, answer) in there.given {
                match answer.and_then(|outcome| read(&outcome)) {
                    Ok(outcome) => outcomes.push(outcome),
                    Err(_) => silent.push(node),
                }
            }
            return together(&outcomes, &silent);
        }
        let elsewhere = operation.client().filter(|id| {
            let is_caller = caller.is_some_and(|caller| **caller.id() == **id);
            !is_caller && self.clients.get(id).is_none()
        });
        let Some(client) = elsewhere else {
            if let (Some(client), Some(namespace)) = (operation.client(), by.namespace()) {
                self.is_on(client, namespace)?;
            }
            return self.carry_out(operation, caller, by).await;
        };
        let within = match &operation {
            Operation::Call(call) => call.timeout.min(self.context.max_ask_time) + WAY,
            _ => self.context.max_ask_time,
        };
        let node = self.node_of(client).await?;
        let asked = self
            .context
            .cluster
            .ask(&node, OPERATE, &remoted, Some(within));
        let answer = asked.await.map_err(|silence| {
            Error::unavailable(format!(
                "the client is connected with the node {node}: {silence}"
            ))
        })?;
        read(&answer?)
    }

    /// The node that a client is connected with.
    async fn node_of(&self, client: &str) -> Result<Arc<str>, Error> {
        let answers = self.context.cluster.ask_all(WHERE, &client).await?;
        let mut given = answers.given.into_iter();
        let has = |answer: &NodeAnswer| {
            answer
                .as_ref()
                .is_ok_and(|is_there| is_there.get() == "true")
        };
        match given.find(|(_, answer)| has(answer)) {
            Some((node, _)) => Ok(node),
            None if answers.silent.is_empty() => Err(gone(client)),
            None => {
                let silent = answers.silent.join(", ");
                Err(Error::unavailable(format!(
                    "{}, as far as the nodes know that answer; {silent} gave no answer",
                    gone(client).message
                )))
            }
        }
    }
}

/// The outcomes of all nodes as one; those that gave none are named.
fn together(outcomes: &[Outcome], silent: &[Arc<str>]) -> Result<Outcome, Error> {
    let mut whole = Outcome::default();
    let mut outcomes_read = outcomes.iter();
    if let Some(room) = outcomes_read.find_map(|outcome| outcome.read::<String>("room")) {
        whole = whole.with("room", &room)?;
    }
    for count in ["left", "clients"] {
        let counts: Vec<u64> = outcomes.iter().filter_map(|one| one.read(count)).collect();
        if !counts.is_empty() {
            whole = whole.with(count, &counts.iter().sum::<u64>())?;
        }
    }
    let members: Vec<Vec<String>> = outcomes
        .iter()
        .filter_map(|one| one.read("members"))
        .collect();
    if !members.is_empty() {
        whole = whole.with("members", &members.concat())?;
    }
    match silent.is_empty() {
        true => Ok(whole),
        false => whole.with("unanswered", &silent),
    }
}
