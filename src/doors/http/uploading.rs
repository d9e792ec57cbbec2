//! The parts of a body that are placed one behind the other, while the journal writes those before.

use std::{pin::pin, time::Duration};

use bytes::Bytes;

use super::{api::Api, caller::Caller, producer::producer};
use crate::{
    error::Error,
    event::lenient,
    intake::{Answered, Pipeline, Raw, Receipt},
    net::Place,
};

/// The pause before a part is tried again that exceeded its producer's budget.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The events of a JSON body, one or a list, as they are written.
///
/// # Errors
/// The list has more than `max_publish_batch`.
pub(super) fn json_events(api: &Api, body: &Bytes) -> Result<Vec<Bytes>, Error> {
    let max = api.intake.limits().max_batch;
    match lenient::elements(body, max) {
        Some((events, more)) if more > 0 => Err(Error::new(
            "too_large",
            format!(
                "{} events in one array, {max} are allowed ([performance] max_publish_batch); use application/x-ndjson for more",
                events.len() + more,
            ),
        )),
        Some((events, _)) => Ok(events
            .into_iter()
            .map(|event| body.slice_ref(event))
            .collect()),
        None => Ok(vec![body.clone()]),
    }
}

/// The parts of a body that are placed.
pub(super) struct Upload<'a> {
    api: &'a Api,
    caller: &'a Caller,
    /// The index of the next part's first line in the whole body.
    offset: usize,
    /// The parts without an answer.
    pipeline: Pipeline<'a, Lot>,
    /// The answers so far, added up.
    receipt: Receipt,
}

/// The lines whose events are one call.
#[derive(Debug, Clone, Copy)]
enum Lot {
    /// An event for each line; the index of the first.
    Lines(usize),
    /// All events are of the line with this index.
    Line(usize),
    /// Events that no line says.
    More,
}

impl<'a> Upload<'a> {
    /// No part yet.
    pub(super) fn new(api: &'a Api, caller: &'a Caller) -> Self {
        Self {
            api,
            caller,
            offset: 0,
            pipeline: Pipeline::new(api.intake.limits().unanswered),
            receipt: Receipt::default(),
        }
    }

    /// Does `work` while answers come, until one of them is a refusal.
    ///
    /// # Errors
    /// The refusal of a part as a whole.
    pub(super) async fn beside<W: Future>(&mut self, work: W) -> Result<W::Output, Error> {
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
    fn add(&mut self, (answer, lot): Answered<Lot>) -> Result<(), Error> {
        match lot {
            Lot::Lines(offset) => self.receipt.add(answer?, offset),
            Lot::Line(index) => self.receipt.add_message(answer?, index),
            Lot::More => drop(answer?),
        }
        Ok(())
    }

    /// Places lines behind the others, of which each is an event; `place` is the space that holds them.
    ///
    /// # Errors
    /// A part was refused as a whole.
    pub(super) async fn lines(
        &mut self,
        raws: Vec<Raw>,
        place: Option<Place>,
    ) -> Result<(), Error> {
        let lot = Lot::Lines(self.offset);
        self.offset += raws.len();
        self.place_lot(raws, place, lot).await
    }

    /// Places the events of one line behind the others.
    ///
    /// # Errors
    /// A part was refused as a whole.
    pub(super) async fn line(&mut self, events: Vec<Raw>) -> Result<(), Error> {
        let lot = Lot::Line(self.offset);
        self.offset += 1;
        self.place_lot(events, None, lot).await
    }

    /// Places events that no line says.
    ///
    /// # Errors
    /// A part was refused as a whole.
    pub(super) async fn more(&mut self, events: Vec<Raw>) -> Result<(), Error> {
        self.place_lot(events, None, Lot::More).await
    }

    async fn place_lot(
        &mut self,
        raws: Vec<Raw>,
        place: Option<Place>,
        lot: Lot,
    ) -> Result<(), Error> {
        let (api, caller) = (self.api, self.caller);
        if raws.is_empty() {
            return Ok(());
        }
        if self.pipeline.is_full() {
            api.metrics.publish_waited();
        }
        while self.pipeline.is_full() {
            if let Some(answer) = self.pipeline.next().await {
                self.add(answer)?;
            }
        }
        // A producer that uploads much is slowed down to its budget, not refused in the middle.
        // A message may become more events than a budget ever holds: then it costs all of it.
        let count = match lot {
            Lot::Lines(_) => raws.len(),
            Lot::Line(_) | Lot::More => raws.len().min(api.authenticator.events_at_once()),
        };
        while let Err(refusal) = api.authenticator.events(&caller.who, caller.address, count) {
            if count > api.authenticator.events_at_once() {
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
        self.pipeline.push(placed, lot);
        Ok(())
    }

    /// The receipt, once all parts are answered.
    ///
    /// # Errors
    /// A part was refused as a whole.
    pub(super) async fn end(mut self) -> Result<Receipt, Error> {
        while let Some(answer) = self.pipeline.next().await {
            self.add(answer)?;
        }
        Ok(self.receipt)
    }
}
