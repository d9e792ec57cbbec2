//! The settings of the link between nodes.

use std::time::Duration;

/// The settings of the link between nodes.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The engine's address; with sentinels, its host is the name by which they know the primary. It may hold a password.
    pub url: String,
    /// The addresses of sentinels; empty for an engine that stays where it is.
    pub sentinels: Vec<String>,
    /// The deployment: nodes of other ones are not heard.
    pub deployment: String,
    /// The name of this node.
    pub node: String,
    /// The address that this node listens on, for operators.
    pub address: String,
    /// The time for a connection with the engine, and for each of its answers.
    pub timeout: Duration,
    /// Bytes of messages that may wait to be sent.
    pub queue_bytes: usize,
    /// Bytes of one message.
    pub max_message: usize,
    /// The time after which a node that is not heard of is gone.
    pub node_timeout: Duration,
    /// The most other nodes that are believed in.
    pub max_nodes: usize,
    /// The time that a node has to answer a question.
    pub answer_within: Duration,
}

impl ClusterOptions {
    /// The interval at which a node says that it is here.
    pub(super) fn here_interval(&self) -> Duration {
        self.node_timeout / 5
    }

    /// The time within which a node has to hear itself: else its own connections are in doubt, and not the other nodes.
    pub(super) fn probe_time(&self) -> Duration {
        self.node_timeout * 2 / 3
    }
}
