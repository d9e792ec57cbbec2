//! An upload: a body of lines, of which each is an event.
//!
//! Lines are published in parts as they arrive. A part is read and placed while the journal writes the ones before it; the
//! receipt adds up the answers to all of them.

use std::{pin::pin, time::Duration};

use axum::body::Body;

use super::{api::Api, caller::Caller, lines::Lines, producer::producer};
use crate::{
    error::Error,
    intake::{Answered, Pipeline, Raw, Receipt, too_large},
    net::{FREE_BYTES, NextPart, Place, Space, Steady},
};

/// Lines that are published at a time, so that a long upload costs no more than a few such parts.
const PART_LINES: usize = 500;
/// Bytes of these lines.
const PART_BYTES: usize = 256 * 1_024;
/// The time that lines wait for more, to be published together.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause before a part is tried again that exceeded its producer's budget.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Publishes one event for each line.
///
/// # Errors
/// A part was refused as a whole: nothing behind it is read, and parts that the journal has not begun to write are given up.
pub(super) async fn publish(api: &Api, caller: &Caller, body: Body) -> Result<Receipt, Error> {
    let limits = api.intake.limits();
    let mut upload = Upload {
        api,
        caller,
        offset: 0,
        pipeline: Pipeline::new(limits.unanswered),
        receipt: Receipt::default(),
    };
    let mut part = Part::default();
    let mut lines = Lines::new(limits.max_event, too_large(limits.max_event));
    let mut stream = Steady::new(body, api.body.clone());
    loop {
        // Lines that are there wait only for a moment for more: a producer that writes line by line is served line by
        // line.
        let pause = (!part.raws.is_empty()).then_some(PAUSE);
        match upload.beside(stream.next(pause)).await?? {
            NextPart::Part(chunk) => lines.feed(&chunk),
            NextPart::Pause => {
                upload.place(&mut part).await?;
                continue;
            }
            NextPart::End => break,
        }
        while let Some(line) = lines.next() {
            let full = part.push(line, caller, &api.body.space);
            if full || part.raws.len() >= PART_LINES.min(api.authenticator.events_at_once()) {
                upload.place(&mut part).await?;
                // Without a journal on disk nothing is awaited here, and other tasks must have their turn.
                tokio::task::yield_now().await;
            }
        }
    }
    if let Some(line) = lines.last() {
        part.push(line, caller, &api.body.space);
    }
    upload.place(&mut part).await?;
    upload.end().await
}

/// Lines collected for one call of the intake.
#[derive(Default)]
struct Part {
    raws: Vec<Raw>,
    /// Bytes of their texts.
    bytes: usize,
    /// The space that holds these, if they are many.
    place: Option<Place>,
}

impl Part {
    /// Adds a line, and says whether the lines are to be published before more are read. Without free space the parts
    /// are smaller; nothing waits for it.
    fn push(&mut self, line: Raw, caller: &Caller, space: &Space) -> bool {
        if let Raw::Text(text) = &line {
            self.bytes += text.len();
        }
        self.raws.push(line);
        if self.bytes > FREE_BYTES && self.place.is_none() {
            self.place = space.try_take(caller.address, PART_BYTES);
        }
        self.bytes > PART_BYTES || (self.bytes > FREE_BYTES && self.place.is_none())
    }
}

/// The parts of a body that are placed.
struct Upload<'a> {
    api: &'a Api,
    caller: &'a Caller,
    /// The index of the next part's first line in the whole body.
    offset: usize,
    /// The parts without an answer, each with the index of its first line.
    pipeline: Pipeline<'a, usize>,
    /// The answers so far, added up.
    receipt: Receipt,
}

impl Upload<'_> {
    /// Does `work` while answers come, until one of them is a refusal.
    async fn beside<W: Future>(&mut self, work: W) -> Result<W::Output, Error> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                Some(answer) = self.pipeline.next(), if !self.pipeline.is_empty() => self.add(answer)?,
            }
        }
    }

    /// Adds the answer to a part, unless the part was refused as a whole.
    fn add(&mut self, (answer, offset): Answered<usize>) -> Result<(), Error> {
        self.receipt.add(answer?, offset);
        Ok(())
    }

    /// Places a part behind the others.
    async fn place(&mut self, part: &mut Part) -> Result<(), Error> {
        let (api, caller) = (self.api, self.caller);
        let Part { raws, place, .. } = std::mem::take(part);
        if raws.is_empty() {
            return Ok(());
        }
        let offset = self.offset;
        self.offset += raws.len();
        if self.pipeline.is_full() {
            api.metrics.publish_waited();
        }
        while self.pipeline.is_full() {
            if let Some(answer) = self.pipeline.next().await {
                self.add(answer)?;
            }
        }
        // A producer that uploads much is slowed down to its budget, not refused in the middle.
        while let Err(refusal) = api
            .authenticator
            .events(&caller.who, caller.address, raws.len())
        {
            if raws.len() > api.authenticator.events_at_once() {
                return Err(refusal);
            }
            self.beside(tokio::time::sleep(RETRY_PAUSE)).await?;
        }
        api.authenticator.check_again(&caller.who, caller.address)?;
        let verified = caller.who.verified();
        // The intake reads the texts before it waits for anything.
        drop(place);
        let placing = api.intake.place(raws, producer(caller, &verified));
        let placed = self.beside(placing).await??;
        self.pipeline.push(placed, offset);
        Ok(())
    }

    /// The receipt, once all parts are answered.
    async fn end(mut self) -> Result<Receipt, Error> {
        while let Some(answer) = self.pipeline.next().await {
            self.add(answer)?;
        }
        Ok(self.receipt)
    }
}
