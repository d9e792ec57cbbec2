//! A client of `GET /api/v1/stream`.

use std::net::SocketAddr;

use serde_json::Value;

use crate::PATIENCE;

/// One server-sent event.
#[derive(Debug)]
pub struct Sent {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// A client that reads the stream.
#[derive(Debug)]
pub struct Source {
    response: reqwest::Response,
    text: String,
}

impl Source {
    /// Opens the stream with a query, and the cursor of the last event.
    pub async fn open(address: SocketAddr, query: &str, last: Option<&str>) -> Self {
        let url = format!("http://{address}/api/v1/stream?{query}");
        let mut request = crate::http_client().get(url);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("answers");
        assert_eq!(response.status(), 200);
        let media = response.headers()["content-type"].to_str().unwrap();
        assert!(media.starts_with("text/event-stream"), "{media}");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; none at the end.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = event.lines().find_map(|l| l.strip_prefix(name));
                    line.map(str::to_owned)
                };
                if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                    return Some(Sent {
                        name,
                        id: field("id: "),
                        data: serde_json::from_str(&data).expect("JSON"),
                    });
                }
                assert!(event.starts_with(": "), "{event}");
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let bytes = chunk.expect("in time").expect("reads")?;
            self.text
                .push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }

    /// The next event of this name.
    pub async fn event(&mut self, name: &str) -> Sent {
        loop {
            let sent = self
                .next()
                .await
                .unwrap_or_else(|| panic!("ended before {name}"));
            if sent.name == name {
                return sent;
            }
        }
    }
}
