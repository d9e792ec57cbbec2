//! `stoa publish`: events from a file or a pipe to a running server.
//!
//! The command reads as it sends, so any length of input costs the same memory. It names lines that the server refuses,
//! and goes on. It ends when it can't reach the server, and names the line to go on from.

mod chunks;
mod follow;
mod lines;
mod report;
mod values;

use std::{
    io::{self, IsTerminal},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    fs::File,
    io::{AsyncBufRead, BufReader},
    time::Instant,
};

use super::{
    arguments::PublishArgs,
    failure::Failure,
    output::{self, note},
    plain::plain,
    sender::{Sender, Unsent},
};
use chunks::{Chunk, Chunks, MAX_LINES};
use report::Report;

/// Requests in a second that keep a rate even.
const REQUESTS_PER_SECOND: f64 = 20.0;
const READ_BUFFER_BYTES: usize = 64 * 1024;

pub(super) async fn publish(args: PublishArgs) -> Result<(), Failure> {
    if !args.follow.is_empty() {
        return follow::follow(args).await;
    }
    let mut sender = Sender::new(
        &args.server.url,
        args.server.token,
        args.server.ca.as_deref(),
    )
    .map_err(Failure::Because)?;
    let pace = args.rate.map(Pace::new);
    if args.file == Path::new("-") {
        if io::stdin().is_terminal() {
            note(
                "reading events from the terminal, one JSON object a line or a JSON array; Ctrl-D ends",
            );
        }
        let input = BufReader::with_capacity(READ_BUFFER_BYTES, tokio::io::stdin());
        return run(input, "stdin", Report::new(None), pace, &mut sender).await;
    }
    let name = plain(&args.file.to_string_lossy(), 200);
    let unreadable = |error: io::Error| Failure::Because(format!("can't read {name}: {error}"));
    let file = File::open(&args.file).await.map_err(unreadable)?;
    let about = file.metadata().await.map_err(unreadable)?;
    let size = about.is_file().then_some(about.len());
    let input = BufReader::with_capacity(READ_BUFFER_BYTES, file);
    run(input, &name, Report::new(size), pace, &mut sender).await
}

async fn run(
    input: impl AsyncBufRead + Unpin,
    name: &str,
    mut report: Report,
    pace: Option<Pace>,
    sender: &mut Sender,
) -> Result<(), Failure> {
    let sent = send_all(Chunks::new(input), name, &mut report, pace, sender).await;
    output::print(&report.finish()).map_err(Failure::because)?;
    sent?;
    if report.all_taken() {
        Ok(())
    } else {
        Err(Failure::Said)
    }
}

async fn send_all<R: AsyncBufRead + Unpin>(
    mut chunks: Chunks<R>,
    name: &str,
    report: &mut Report,
    mut pace: Option<Pace>,
    sender: &mut Sender,
) -> Result<(), Failure> {
    let max = pace.as_ref().map_or(MAX_LINES, Pace::step);
    loop {
        let chunk = chunks
            .next(max)
            .await
            .map_err(|error| Failure::Because(format!("can't read {name}: {error}")))?;
        let Some(mut chunk) = chunk else {
            return Ok(());
        };
        if let Some(pace) = &mut pace {
            pace.wait(chunk.numbers.len()).await;
        }
        for line in &chunk.too_long {
            report.reject(
                &place(*line),
                "too_large",
                "the line is too long to be one event; it was not sent",
            );
        }
        if !chunk.numbers.is_empty() {
            let body = Bytes::from(std::mem::take(&mut chunk.body));
            let receipt = sender
                .send(body)
                .await
                .map_err(|unsent| stopped(&unsent, &chunk, report))?;
            report.add(&receipt, |index| {
                place(chunk.numbers.get(index).copied().unwrap_or_default())
            });
        }
        report.progress(chunk.read);
    }
}

fn place(line: u64) -> String {
    format!("line {line}")
}

/// The failure of a run that ended early: the reason, and the line to go on from.
fn stopped(unsent: &Unsent, chunk: &Chunk, report: &Report) -> Failure {
    let (first, last) = match (chunk.numbers.first(), chunk.numbers.last()) {
        (Some(&first), Some(&last)) => (first, last),
        _ => (1, 1),
    };
    let reason = &unsent.reason;
    Failure::Because(if unsent.unknown {
        format!(
            "{reason}; lines {first} to {last} may have been taken or not, events with ids can safely be sent again"
        )
    } else if report.is_empty() {
        format!("{reason}; nothing was published")
    } else {
        format!("{reason}; go on from line {first}")
    })
}

/// Spreads events evenly over time.
#[derive(Debug)]
struct Pace {
    /// Events per second.
    rate: f64,
    /// The time at which the next event is due.
    due: Instant,
}

impl Pace {
    fn new(rate: f64) -> Self {
        Self {
            rate,
            due: Instant::now(),
        }
    }

    /// The number of events to send at a time.
    fn step(&self) -> usize {
        // Saturates: a rate beyond all requests is no pace at all.
        ((self.rate / REQUESTS_PER_SECOND) as usize).clamp(1, MAX_LINES)
    }

    /// Waits until `events` more are due.
    async fn wait(&mut self, events: usize) {
        let start = self.next(Instant::now(), events);
        tokio::time::sleep_until(start).await;
    }

    /// The time at which the next `events` may start, at `now` the earliest.
    fn next(&mut self, now: Instant, events: usize) -> Instant {
        // Time lost to a slow server or a quiet pipe is not made up for in a burst.
        let start = self
            .due
            .max(now.checked_sub(Duration::from_secs(1)).unwrap_or(self.due));
        self.due = start
            + Duration::try_from_secs_f64(events as f64 / self.rate)
                .unwrap_or(Duration::from_secs(3600));
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_sent_in_small_steps() {
        for (rate, step) in [(0.5, 1), (20.0, 1), (100.0, 5), (4000.0, 200), (1e300, 200)] {
            assert_eq!(Pace::new(rate).step(), step);
        }
    }

    #[test]
    fn the_pace_is_even_and_never_bursts() {
        let mut pace = Pace::new(100.0);
        let started = pace.due;
        for step in 0..20 {
            assert_eq!(
                pace.next(started, 5),
                started + step * Duration::from_millis(50)
            );
        }
        let late = started + Duration::from_secs(60);
        assert_eq!(pace.next(late, 5), late - Duration::from_secs(1));
    }
}
