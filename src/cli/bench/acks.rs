//! The answers of the server to events that it was sent.

use memchr::memmem::find;

use super::tally::Latencies;
use crate::cli::plain::plain;

/// The answers to all requests.
#[derive(Debug)]
pub(super) struct Acks {
    /// Answers of any kind.
    pub(super) answers: u64,
    /// Events that the server has taken.
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
    /// The first answer that is a refusal.
    pub(super) refusal: Option<String>,
    /// The answers that are measured, their events, and the time of the last, in ns since the run began.
    pub(super) latencies: Latencies,
    pub(super) measured: u64,
    pub(super) last: u64,
}

impl Acks {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self {
            answers: 0,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            refusal: None,
            latencies: Latencies::new()?,
            measured: 0,
            last: 0,
        })
    }

    /// Notes the answer to so many events; `sent` is when they were sent, if that is measured.
    pub(super) fn note(&mut self, answer: &[u8], events: u64, sent: Option<u64>, now: u64) {
        self.answers += 1;
        // A server that says no number has taken all, unless it says that something is wrong.
        let said = number(answer, b"\"accepted\":");
        let is_error = find(answer, b"\"error\":{").is_some()
            || find(answer, b"\"status\":\"error\"").is_some();
        let accepted = said.unwrap_or(if is_error { 0 } else { events });
        let duplicates = number(answer, b"\"duplicates\":").unwrap_or_default();
        self.accepted += accepted;
        self.duplicates += duplicates;
        let rejected = events.saturating_sub(accepted + duplicates);
        self.rejected += rejected;
        if rejected > 0 && self.refusal.is_none() {
            self.refusal = Some(plain(&String::from_utf8_lossy(answer), 300));
        }
        if let Some(sent) = sent {
            self.latencies.note(now.saturating_sub(sent));
            self.measured += accepted;
            self.last = self.last.max(now);
        }
    }
}

/// The number after a key.
fn number(text: &[u8], key: &[u8]) -> Option<u64> {
    let after = &text[find(text, key)? + key.len()..];
    let digits = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .take(18);
    digits.fold(None, |number: Option<u64>, digit| {
        Some(number.unwrap_or_default() * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_as_they_are_said() {
        let mut acks = Acks::new().expect("a histogram");
        acks.note(
            br#"[{"status":"ok","accepted":3,"duplicates":1,"rejected":[]}]"#,
            4,
            Some(1_000),
            3_000_000,
        );
        acks.note(br#"["thanks"]"#, 2, None, 0);
        assert_eq!((acks.answers, acks.accepted, acks.duplicates), (2, 5, 1));
        assert!(acks.refusal.is_none());
        acks.note(
            br#"[{"status":"error","error":{"code":"forbidden"}}]"#,
            2,
            None,
            0,
        );
        assert_eq!((acks.accepted, acks.rejected, acks.measured), (5, 2, 3));
        assert!(acks.refusal.expect("said").contains("forbidden"));
    }
}
