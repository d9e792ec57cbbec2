//! Events by HTTP: lines of JSON on connections that are kept.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::task::JoinSet;

use super::{exchange::Exchange, requests::Ingest};
use crate::cli::plain::plain;

/// Sends requests on as many connections as may be on their way, until the run is over.
///
/// # Errors
/// In words: a connection ended, or the server answered with an error.
pub(super) async fn run(ingest: Arc<Ingest>, token: Option<String>) -> Result<(), String> {
    let mut lanes = JoinSet::new();
    for nth in 0..ingest.in_flight {
        let nth = usize::try_from(nth).unwrap_or_default();
        lanes.spawn(lane(ingest.clone(), nth, token.clone()));
    }
    while let Some(done) = lanes.join_next().await {
        done.unwrap_or_else(|_| Err("a connection ended without a word".into()))?;
    }
    Ok(())
}

async fn lane(ingest: Arc<Ingest>, nth: usize, token: Option<String>) -> Result<(), String> {
    let path = ingest.target.below("api/v1/events");
    let mut headers = "Content-Type: application/x-ndjson\r\n".to_owned();
    if let Some(token) = token {
        headers.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    let mut exchange = Exchange::new(&ingest.target, nth, headers);
    let mut body = Vec::new();
    while !ingest.is_over.load(Relaxed) {
        body.clear();
        let sent = ingest.write(&mut body, b'\n');
        let (status, answer) = exchange.send("POST", &path, &body).await?;
        // An answer that rejects all events is an answer too.
        if !matches!(status, 200..=299 | 400) {
            let said = plain(&String::from_utf8_lossy(&answer), 300);
            return Err(format!("the server answered {status}: {said}"));
        }
        ingest.answered(&answer, sent);
    }
    Ok(())
}
