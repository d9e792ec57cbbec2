//! `stoa publish --follow`: lines that are added to files, as they come.
//!
//! A line that has no id gets one of its place, so it may be sent twice and is there once. The place up to which a file is
//! published moves when the server has answered. While no server answers, the lines stay in their files.

mod batch;
mod files;
mod followed;
mod mark;
mod stamp;

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::StatusCode;

use super::{
    chunks::{MAX_BYTES, MAX_LINES},
    report::Report,
};
use crate::{
    cli::{
        arguments::PublishArgs,
        failure::Failure,
        output,
        sender::{Missed, Receipt, Sender, Unsent},
    },
    server::StopSignal,
};
use batch::Batch;
use files::Files;
use mark::State;

/// The pauses between tries while the server does not answer: the first, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The time that the request on its way has for its answer after Ctrl-C.
const LAST_ANSWER: Duration = Duration::from_secs(2);
/// The time between two writings of the state while many lines are sent. A state that is older than the truth costs a
/// repetition, which the ids make harmless.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn follow(args: PublishArgs) -> Result<(), Failure> {
    let mut stop = StopSignal::listen();
    for pattern in &args.follow {
        glob::Pattern::new(pattern)
            .map_err(|error| Failure::Because(format!("--follow {pattern:?}: {error}")))?;
    }
    let (state, marks) = match &args.state {
        Some(path) => State::open(path).map(|(state, marks)| (Some(state), marks))?,
        None => (None, None),
    };
    // Files that came while nobody followed are new ones.
    let begin_at_end = !args.from_start && marks.is_none();
    let sender = Sender::new(
        &args.server.url,
        args.server.token,
        args.server.ca.as_deref(),
    );
    let mut follower = Follower {
        files: Files::new(args.follow, marks.unwrap_or_default(), begin_at_end),
        sender: sender.map_err(Failure::Because)?,
        report: Report::new(None),
        state,
        saved: None,
        is_unsaved: true,
        told_unsaved: false,
        is_told: false,
        max_lines: MAX_LINES,
        read: 0,
    };
    let poll = Duration::from_millis(args.poll_ms);
    let followed = follower.run(poll, &mut stop).await;
    follower.save(true);
    let said = format!("{}; {}", follower.report.finish(), files(&follower.files));
    output::print(&said).map_err(Failure::because)?;
    followed
}

struct Follower {
    files: Files,
    sender: Sender,
    report: Report,
    state: Option<State>,
    /// The last time that the state was written.
    saved: Option<Instant>,
    is_unsaved: bool,
    /// Whether it was told that the state can't be written.
    told_unsaved: bool,
    /// Whether it was told that the server doesn't answer.
    is_told: bool,
    /// The most lines of one request: fewer where the server says that the requests are too large.
    max_lines: usize,
    /// Bytes of events so far.
    read: u64,
}

impl Follower {
    /// Follows until Ctrl-C, or until the server refuses for good.
    async fn run(&mut self, poll: Duration, stop: &mut StopSignal) -> Result<(), Failure> {
        let notes = self.files.look();
        self.tell(&notes);
        self.tell(&[format!("following {}; Ctrl-C ends", files(&self.files))]);
        // While there is nothing to send, nothing else says that the server is away.
        tokio::select! {
            () = stop.received() => return Ok(()),
            is_there = self.sender.is_there() => self.is_told = is_there
                .inspect_err(|reason| tell_away(&self.report, reason))
                .is_err(),
        }
        loop {
            loop {
                let (batch, notes) = self.files.batch(self.max_lines, MAX_BYTES);
                self.tell(&notes);
                if batch.is_empty() {
                    break;
                }
                if self.deliver(batch, stop).await? {
                    return Ok(());
                }
                self.save(false);
            }
            self.save(true);
            tokio::select! {
                () = stop.received() => return Ok(()),
                () = tokio::time::sleep(poll) => {}
            }
            let notes = self.files.look();
            self.is_unsaved |= !notes.is_empty();
            self.tell(&notes);
        }
    }

    /// Sends a batch until the server has answered, and moves on; whether it was told to stop meanwhile.
    async fn deliver(&mut self, batch: Batch, stop: &mut StopSignal) -> Result<bool, Failure> {
        let mut stopped = false;
        let receipt = match batch.body.is_empty() {
            true => Receipt::default(),
            false => {
                let body = Bytes::copy_from_slice(&batch.body);
                let sent = {
                    let is_told = &mut self.is_told;
                    let sending = send(&mut self.sender, &body, &self.report, is_told);
                    tokio::pin!(sending);
                    tokio::select! {
                        sent = &mut sending => Some(sent),
                        () = stop.received() => {
                            stopped = true;
                            tokio::time::timeout(LAST_ANSWER, sending).await.ok()
                        }
                    }
                };
                match sent {
                    None => return Ok(stopped),
                    Some(Ok(receipt)) => receipt,
                    Some(Err(unsent)) => return self.refused(&batch, unsent).map(|()| stopped),
                }
            }
        };
        self.report.add(&receipt, |event| batch.place(event));
        for line in &batch.too_long {
            self.report.reject(
                &batch.named(*line),
                "too_large",
                "the line is too long to be one event; it was not sent",
            );
        }
        self.moved(&batch);
        Ok(stopped)
    }

    fn moved(&mut self, batch: &Batch) {
        self.read += batch.body.len() as u64;
        self.report.progress(self.read);
        self.files.published(batch);
        self.is_unsaved = true;
    }

    /// Takes less the next time if the request was too large; any other refusal ends the run.
    fn refused(&mut self, batch: &Batch, unsent: Unsent) -> Result<(), Failure> {
        if unsent.status != Some(StatusCode::PAYLOAD_TOO_LARGE) {
            return Err(Failure::Because(unsent.reason));
        }
        if batch.events() > 1 && self.max_lines > 1 {
            self.max_lines = (self.max_lines.min(batch.events()) / 2).max(1);
        } else {
            self.report
                .reject(&batch.place(0), "too_large", &unsent.reason);
            self.moved(batch);
        }
        Ok(())
    }

    fn tell(&self, notes: &[String]) {
        for note in notes {
            self.report.note(note);
        }
    }

    /// Writes the state, if something changed: at once, or when the last time is a while ago.
    fn save(&mut self, at_once: bool) {
        let is_due = self.saved.is_none_or(|at| at.elapsed() >= SAVE_INTERVAL);
        let Some(state) = self.state.as_ref().filter(|_| self.is_unsaved) else {
            return;
        };
        if !at_once && !is_due {
            return;
        }
        match state.save(self.files.marks()) {
            Ok(()) => {
                self.is_unsaved = false;
                self.told_unsaved = false;
            }
            Err(error) if !self.told_unsaved => {
                self.told_unsaved = true;
                self.report
                    .note(&format!("can't write --state: {error}; it is tried again"));
            }
            Err(_) => {}
        }
        self.saved = Some(Instant::now());
    }
}

/// The number of the files that are followed, in words.
fn files(files: &Files) -> String {
    match files.len() {
        1 => "1 file".into(),
        count => format!("{count} files"),
    }
}

fn tell_away(report: &Report, reason: &str) {
    report.note(&format!("{reason}; it is tried again until it answers"));
}

/// Sends until the server has answered. A connection that broke on the way is no reason to stop: each event has an id.
/// `is_told` is whether it was told that the server doesn't answer.
async fn send(
    sender: &mut Sender,
    body: &Bytes,
    report: &Report,
    is_told: &mut bool,
) -> Result<Receipt, Unsent> {
    let mut pause = FIRST_PAUSE;
    loop {
        let unsent = match sender.once(body.clone()).await {
            Ok(receipt) => {
                if std::mem::take(is_told) {
                    report.note("the server answers again");
                }
                return Ok(receipt);
            }
            Err(Missed::Later(unsent)) => unsent,
            Err(Missed::Final(unsent)) => {
                let is_passing = unsent.status.is_some_and(|status| status.is_server_error());
                if !unsent.unknown && !is_passing {
                    return Err(unsent);
                }
                unsent
            }
        };
        if !std::mem::replace(is_told, true) {
            tell_away(report, &unsent.reason);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
