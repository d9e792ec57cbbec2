//! Events by Socket.IO on one connection, each request acknowledged.

use std::{
    collections::VecDeque,
    sync::{Mutex, atomic::Ordering::Relaxed},
};

use serde_json::Value;
use tokio::time::timeout;

use super::{
    client::Client,
    feed::PATIENCE,
    packet::namespace_prefix,
    reading::{Receive, Shared},
    requests::Ingest,
};

/// The requests that are on their way.
#[derive(Debug, Default)]
struct Waiting {
    /// The number of the oldest, and when each was sent; `None` once it is answered.
    first: u64,
    sent: VecDeque<Option<u64>>,
    /// Those of them that are not answered.
    open: u64,
}

impl Waiting {
    /// Notes a request; its number.
    fn send(&mut self, now: u64) -> u64 {
        self.sent.push_back(Some(now));
        self.open += 1;
        self.first + self.sent.len() as u64 - 1
    }

    /// The time at which the request was sent that is answered now.
    fn answer(&mut self, number: u64) -> Option<u64> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let sent = self.sent.get_mut(at)?.take()?;
        self.open -= 1;
        while self.sent.front().is_some_and(Option::is_none) {
            self.sent.pop_front();
            self.first += 1;
        }
        Some(sent)
    }
}

/// Takes acknowledgements.
struct Listen<'a> {
    ingest: &'a Ingest,
    /// An acknowledgement up to its number.
    starts: Vec<u8>,
}

impl Receive<Waiting> for Listen<'_> {
    fn packet(&mut self, waiting: &mut Waiting, packet: &[u8]) {
        let Some(rest) = packet.strip_prefix(self.starts.as_slice()) else {
            return;
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, answer) = rest.split_at(digits);
        let number = std::str::from_utf8(number)
            .ok()
            .and_then(|text| text.parse().ok());
        if let Some(sent) = number.and_then(|number| waiting.answer(number)) {
            self.ingest.answered(answer, sent);
        }
    }
}

/// Sends requests until the run is over, and waits for their answers.
///
/// # Errors
/// In words: the connection ended, or an answer did not come.
pub(super) async fn run(ingest: &Ingest, auth: &str, emit: &str) -> Result<(), String> {
    let (mut client, _) = Client::open(&ingest.target, 0, auth)
        .await
        .map_err(|reason| format!("the producer: {reason}"))?;
    let namespace = namespace_prefix(&ingest.target.namespace);
    let shared: Mutex<Shared<Waiting>> = Shared::new(Waiting::default());
    let mut listen = Listen {
        ingest,
        starts: format!("3{namespace}").into_bytes(),
    };
    let name = Value::from(emit).to_string();
    let (mut packet, mut body) = (Vec::new(), Vec::new());
    loop {
        let open = {
            let mut shared = shared
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let waiting = &mut shared.tally;
            while waiting.open < ingest.in_flight && !ingest.is_over.load(Relaxed) {
                body.clear();
                let sent = ingest.write(&mut body, b',');
                let number = waiting.send(sent);
                packet.clear();
                packet.extend_from_slice(format!("2{namespace}{number}[{name},").as_bytes());
                if ingest.batch > 1 {
                    packet.push(b'[');
                }
                packet.extend_from_slice(&body);
                packet.extend_from_slice(if ingest.batch > 1 { b"]]" } else { b"]" });
                client.queue(&packet);
            }
            waiting.open
        };
        if open == 0 && ingest.is_over.load(Relaxed) {
            return Ok(());
        }
        timeout(PATIENCE, client.turn(&shared, &mut listen))
            .await
            .map_err(|_| "no acknowledgement came in time".to_owned())?
            .map_err(|reason| format!("the producer's connection ended: {reason}"))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_request_in_any_order() {
        let mut waiting = Waiting::default();
        assert_eq!([5, 6, 7].map(|now| waiting.send(now)), [0, 1, 2]);
        assert_eq!(waiting.answer(1), Some(6));
        assert_eq!(waiting.answer(1), None);
        assert_eq!((waiting.open, waiting.sent.len()), (2, 3));
        assert_eq!(waiting.answer(0), Some(5));
        assert_eq!((waiting.first, waiting.open), (2, 1));
        assert_eq!(waiting.send(8), 3);
        assert_eq!(waiting.answer(3), Some(8));
        assert_eq!(waiting.answer(9), None);
    }
}
