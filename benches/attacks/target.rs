//! The server that is attacked, and the calls that attacks share.

use std::{net::SocketAddr, path::PathBuf};

use reqwest::StatusCode;

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The file of its journal, for what happens beside the server.
    pub(crate) journal: PathBuf,
    /// The part of the attack, in percent: less where time is short.
    pub(crate) scale: usize,
}

impl Target {
    /// So many of `all`.
    pub(crate) fn scaled(&self, all: usize) -> usize {
        (all * self.scale / 100).max(1)
    }

    pub(crate) fn client() -> reqwest::Client {
        reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Publishes a text of JSON; its status, `None` when there was no answer.
    pub(crate) async fn publish(
        &self,
        client: &reqwest::Client,
        body: String,
    ) -> Option<StatusCode> {
        let call = client.post(self.url("/api/v1/events"));
        let call = call.header("content-type", "application/json").body(body);
        let answer = call.send().await.ok()?;
        let status = answer.status();
        answer.bytes().await.ok()?;
        Some(status)
    }
}
