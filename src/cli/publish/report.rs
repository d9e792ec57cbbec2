//! The display of a run: a bar while it goes on, the first rejected lines, a summary at the end.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{output::note, plain::plain, sender::Receipt};

/// Rejected lines that are shown one by one.
const SHOWN: u64 = 10;

#[derive(Debug)]
pub(super) struct Report {
    started: Instant,
    /// Draws on stderr, and only if that is a terminal.
    bar: ProgressBar,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
}

impl Report {
    /// Starts the clock; `size` is the length of the input where that is known.
    pub(super) fn new(size: Option<u64>) -> Self {
        let (bar, template) = match size {
            Some(size) => (
                ProgressBar::new(size),
                "{wide_bar:.cyan/dim} {bytes}/{total_bytes}  {msg}  {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {bytes}  {msg}  {elapsed}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        Self {
            started: Instant::now(),
            bar,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
        }
    }

    /// Counts the answer to a part; `place` says where the event of an index stands.
    pub(super) fn add(&mut self, receipt: &Receipt, place: impl Fn(usize) -> String) {
        self.accepted += receipt.accepted;
        self.duplicates += receipt.duplicates;
        for rejected in &receipt.rejected {
            let place = place(rejected.index);
            self.reject(&place, &rejected.error.code, &rejected.error.message);
        }
    }

    /// Counts a line that was not taken, and shows it if it is among the first. `place` says where it stands.
    pub(super) fn reject(&mut self, place: &str, code: &str, message: &str) {
        self.rejected += 1;
        if self.rejected <= SHOWN {
            let text = format!(
                "{place}: {}: {}",
                plain(code, 64),
                plain(one_place(message), 300)
            );
            self.note(&text);
        }
    }

    /// Prints a note beside the bar.
    pub(super) fn note(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// Moves the bar to the byte `read` of the input.
    pub(super) fn progress(&self, read: u64) {
        let seconds = self.started.elapsed().as_secs_f64();
        if seconds > 0.0 {
            // As many digits as can be read while they change.
            self.bar
                .set_message(format!("{:.0} events/s", self.published() as f64 / seconds));
        }
        self.bar.set_position(read);
    }

    /// Ends the bar, and gives the summary.
    pub(super) fn finish(&self) -> String {
        self.bar.finish_and_clear();
        if self.rejected > SHOWN {
            note(&format!("… and {} more rejected", self.rejected - SHOWN));
        }
        summary(
            self.accepted,
            self.duplicates,
            self.rejected,
            self.started.elapsed(),
        )
    }

    /// Whether every event was taken.
    pub(super) fn all_taken(&self) -> bool {
        self.rejected == 0
    }

    /// Whether nothing was answered yet.
    pub(super) fn is_empty(&self) -> bool {
        self.published() == 0
    }

    fn published(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected
    }
}

/// The message without its place in the request: the line of the input, which differs, is shown already.
fn one_place(message: &str) -> &str {
    match message.rfind(" at line ") {
        Some(at) if message[at..].contains(" column ") => &message[..at],
        _ => message,
    }
}

fn summary(accepted: u64, duplicates: u64, rejected: u64, took: Duration) -> String {
    let all = accepted + duplicates + rejected;
    let seconds = took.as_secs_f64();
    format!(
        "published {all}: {accepted} accepted, {duplicates} duplicates, {rejected} rejected in {seconds:.1} s"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_all_numbers() {
        assert_eq!(
            summary(1420, 3, 1, Duration::from_millis(420)),
            "published 1424: 1420 accepted, 3 duplicates, 1 rejected in 0.4 s"
        );
    }

    #[test]
    fn one_line_is_named_and_not_two() {
        assert_eq!(
            one_place("not JSON: EOF at line 1 column 9"),
            "not JSON: EOF"
        );
        assert_eq!(one_place("look at line ends"), "look at line ends");
    }

    #[test]
    fn answers_are_counted() {
        let mut report = Report::new(None);
        let receipt = serde_json::from_str(
            r#"{"accepted":1,"duplicates":1,"rejected":[{"index":1,"error":{"code":"missing_type","message":"m"}}],"cursor":"c"}"#,
        )
        .expect("a receipt");
        report.add(&receipt, |index| format!("line {index}"));
        report.reject("line 9", "too_large", "m");
        assert_eq!((report.published(), report.rejected), (4, 2));
        assert!(!report.all_taken());
    }
}
