//! A client of server-sent events without names, as an `EventSource` with `onmessage` is one.

use std::net::SocketAddr;

use serde_json::Value;

use super::PATIENCE;

/// One response.
#[derive(Debug)]
pub struct EventClient {
    response: reqwest::Response,
    text: String,
    /// The `id` of the last event that had one: an `EventSource` sends it when it comes again.
    pub last_id: Option<String>,
}

impl EventClient {
    /// Opens a stream. `Err` is the status and the body of a refusal.
    pub async fn open(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let mut request = crate::http_client()
            .get(format!("http://{address}{path}"))
            .header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("answers");
        if response.status() != 200 {
            let status = response.status().as_u16();
            return Err((status, response.json().await.unwrap_or_default()));
        }
        let media = response.headers()["content-type"].to_str();
        assert!(media.is_ok_and(|media| media.starts_with("text/event-stream")));
        Ok(Self {
            response,
            text: String::new(),
            last_id: None,
        })
    }

    /// The data of the next event; none at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let Some((event, rest)) = self.text.split_once("\n\n") else {
                let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
                let bytes = chunk.expect("in time").ok().flatten()?;
                self.text
                    .push_str(std::str::from_utf8(&bytes).expect("text"));
                continue;
            };
            let (event, rest) = (event.to_owned(), rest.to_owned());
            self.text = rest;
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            assert_eq!(field("event: "), None, "onmessage has unnamed events only");
            if let Some(id) = field("id: ") {
                self.last_id = Some(id.to_owned());
            }
            if let Some(data) = field("data: ") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The next event of this type; others are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.expect("the stream lasts");
            if message["type"] == kind {
                return message;
            }
        }
    }
}
