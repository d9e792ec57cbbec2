//! All nodes that share the journal, as this one asks them.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    figures::{NodeFigures, NodeRow, rows},
    members::{AskedMembers, add, add_names},
};
use crate::{
    access::authz::Sessions,
    cluster::{Cluster, NodeAnswers, read, written},
    drain::Drain,
    error::Error,
    event::Object,
    hub::{HubHandle, MembersOf, Question},
    intake::Intake,
    observe::Metrics,
    timestamp::Timestamp,
};

/// The kinds of the questions.
const FIGURES: &str = "figures";
const MEMBERS: &str = "members";

/// The parts of this node that questions are about.
#[derive(Debug)]
pub(crate) struct NodeParts {
    pub(crate) cluster: Cluster,
    pub(crate) hub: HubHandle,
    pub(crate) intake: Arc<Intake>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) metrics: Arc<Metrics>,
    /// The name of a node on its own, and its address.
    pub(crate) own: (String, String),
}

/// All nodes that share the journal.
#[derive(Debug)]
pub(crate) struct AllNodes {
    parts: NodeParts,
    since: Timestamp,
}

impl AllNodes {
    /// All nodes; the others are answered from now on.
    pub(crate) fn new(parts: NodeParts) -> Arc<Self> {
        let all = Arc::new(Self {
            parts,
            since: Timestamp::now(),
        });
        // The link's handlers must not keep what holds the link.
        let weak = Arc::downgrade(&all);
        let gone = || Error::unavailable("the node goes down");
        let asked = weak.clone();
        all.parts.cluster.on_asked(FIGURES, move |_, _| {
            let all = asked.upgrade();
            async move {
                let figures = all.ok_or_else(gone)?.figures().await?;
                written(&figures)
            }
        });
        all.parts.cluster.on_asked(MEMBERS, move |_, body| {
            let all = weak.upgrade();
            async move {
                let all = all.ok_or_else(gone)?;
                let asked: AskedMembers = read(&body)?;
                let names = asked.names;
                let of = asked
                    .read()
                    .ok_or_else(|| Error::new("unknown_namespace", "there is no such namespace"))?;
                written(&all.own_members(of, names).await?)
            }
        });
        all
    }

    /// `GET /api/v1/cluster`: each node, and how it does.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub(crate) async fn list(&self) -> Result<Value, Error> {
        let nodes = self.nodes().await?;
        let clients = nodes.iter().filter_map(|node| node.figures.as_ref());
        let clients: usize = clients.map(|figures| figures.clients).sum();
        Ok(json!({
            "nodes": rows(&nodes, Timestamp::now()),
            "clients": clients,
            "trouble": self.parts.cluster.trouble(),
        }))
    }

    /// Adds the connections of the other nodes to the statistics of this one, and names all nodes.
    ///
    /// # Errors
    /// As [`AllNodes::list`].
    pub(crate) async fn add_stats(&self, stats: &mut Object) -> Result<(), Error> {
        if !self.parts.cluster.is_on() {
            return Ok(());
        }
        let nodes = self.nodes().await?;
        let others = nodes.iter().filter(|node| node.silent.is_some());
        others
            .filter_map(|node| node.figures.as_ref())
            .for_each(|figures| figures.add_connections(stats));
        let rows = rows(&nodes, Timestamp::now());
        stats.insert("nodes".into(), rows.into());
        Ok(())
    }

    /// Adds the use of the other nodes to the analytics of this one.
    pub(crate) async fn add_usage(&self, analytics: &mut Value) {
        if let (true, Value::Object(analytics)) = (self.parts.cluster.has_others(), analytics) {
            let others = self.others().await;
            others
                .values()
                .for_each(|figures| figures.add_usage(analytics));
        }
    }

    /// The members of a room on all nodes; `names`: also what operators may see of them.
    ///
    /// # Errors
    /// As [`AllNodes::list`].
    pub(crate) async fn members(&self, of: MembersOf, names: bool) -> Result<Object, Error> {
        let (asked, limit) = (AskedMembers::of(&of, names), of.limit);
        let mut answer = self.own_members(of, names).await?;
        if !self.parts.cluster.has_others() {
            return Ok(answer);
        }
        let (others, mut silent) = self.ask::<Object>(MEMBERS, &asked).await;
        for other in others.into_values() {
            add(&mut answer, other, limit);
        }
        if !silent.is_empty() {
            silent.sort_unstable();
            answer.insert("unanswered".into(), json!(silent));
        }
        Ok(answer)
    }

    async fn own_members(&self, of: MembersOf, names: bool) -> Result<Object, Error> {
        let mut answer = self.parts.hub.question(Question::Members(of)).await?;
        if names {
            add_names(&self.parts.sessions, &mut answer);
        }
        Ok(answer)
    }

    /// The figures of this node.
    async fn figures(&self) -> Result<NodeFigures, Error> {
        let parts = &self.parts;
        let status = parts.drain.status();
        Ok(NodeFigures {
            clients: status.clients,
            state: status.state,
            leads: parts.intake.journal().leads(),
            end: parts.intake.newest(),
            behind: parts.intake.lag(),
            connections: parts.hub.question(Question::Connections).await?,
            usage: NodeFigures::usage(&parts.metrics.usage_picture()),
        })
    }

    /// The figures of the other nodes that give them, by name.
    async fn others(&self) -> HashMap<Arc<str>, NodeFigures> {
        self.ask(FIGURES, &()).await.0
    }

    /// All nodes with their figures, this one first.
    async fn nodes(&self) -> Result<Vec<NodeRow>, Error> {
        let own = self.figures().await?;
        let known = self.parts.cluster.nodes();
        if known.is_empty() {
            let (name, address) = &self.parts.own;
            return Ok(vec![NodeRow {
                name: name.clone(),
                boot: String::new(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                address: address.clone(),
                since: self.since,
                silent: None,
                figures: Some(own),
            }]);
        }
        let mut others = self.others().await;
        let mut own = Some(own);
        let row = |node: crate::cluster::ClusterNode| NodeRow {
            figures: match node.silent_for {
                None => own.take(),
                Some(_) => others.remove(&node.name),
            },
            name: node.name.to_string(),
            boot: node.boot.to_string(),
            version: node.version.to_string(),
            address: node.address.to_string(),
            since: node.since,
            silent: node.silent_for.map(|silent| silent.as_secs_f64()),
        };
        Ok(known.into_iter().map(row).collect())
    }

    /// Asks all other nodes: what they answer, by name, and the names of those that give no answer that makes sense.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        kind: &'static str,
        body: &impl Serialize,
    ) -> (HashMap<Arc<str>, T>, Vec<Arc<str>>) {
        let NodeAnswers { given, mut silent } = match self.parts.cluster.ask_all(kind, body).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::debug!(%error, kind, "the other nodes can't be asked");
                let others = self.parts.cluster.nodes().into_iter();
                let others = others.filter(|node| node.silent_for.is_some());
                return (HashMap::new(), others.map(|node| node.name).collect());
            }
        };
        let mut said = HashMap::new();
        for (name, answer) in given {
            match answer.and_then(|text| read(&text)) {
                Ok(answer) => drop(said.insert(name, answer)),
                Err(_) => silent.push(name),
            }
        }
        (said, silent)
    }
}
