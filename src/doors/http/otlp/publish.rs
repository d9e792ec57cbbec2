//! The way of spans into the journal.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    super::{api::Api, caller::Caller, producer::producer},
    producers::{Spanning, Spans},
};
use crate::{
    error::Error,
    intake::{self, Raw},
    translate::otlp::{Outcome, Request, Span, Taking},
};

/// Spans that are taken at a time.
const AT_A_TIME: usize = 64;
/// Events that a span gives at most, in all usual cases.
const EVENTS_OF_SPAN: usize = 8;
/// The pause before events are tried again that exceed their producer's budget.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Times that waiting spans are tried which nobody could take.
const LATE_TRIES: usize = 5;
/// The pause between these.
const LATE_PAUSE: Duration = Duration::from_secs(1);

/// The spans of a request that were not taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) rejected: usize,
    pub(super) reason: Option<String>,
}

/// Takes all spans of a request.
///
/// # Errors
/// None of the spans behind the last ones that were kept is taken; an exporter sends all of them again, and those that were
/// taken are found.
pub(super) async fn take(api: &Api, caller: Caller, request: Request) -> Result<Taken, Error> {
    let spans = api.spans.clone();
    let own = spans.of(intake::flow(&caller.who, caller.address));
    let mut taken = Taken::default();
    let _turn = own.turn().await?;
    count_read(&spans, &request, &mut taken);
    let most = (api.authenticator.events_at_once() / EVENTS_OF_SPAN).clamp(1, AT_A_TIME);
    let mut left = request.spans.into_iter().peekable();
    while left.peek().is_some() {
        let some: Vec<Span> = left.by_ref().take(most).collect();
        let unsure = Unsure(&own);
        let taking = absorb(&spans, &own, some);
        publish(api, &caller, taking, &mut taken).await?;
        unsure.commit();
    }
    spans.metrics().spans("rejected", taken.rejected);
    spans.tidy(&own);
    if own.memory().deadline().is_some() && own.await_first() {
        spans
            .late
            .spawn(tell_late(api.clone(), caller, own.clone()));
    }
    Ok(taken)
}

/// What was told is taken back, unless it is said that it was kept: also when the exporter hangs up meanwhile.
struct Unsure<'o>(&'o Spanning);

impl Unsure<'_> {
    fn commit(self) {
        self.0.memory().commit();
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        self.0.memory().roll_back();
    }
}

fn count_read(spans: &Spans, request: &Request, taken: &mut Taken) {
    let metrics = spans.metrics();
    let cut = &request.cut;
    metrics.spans("beyond", cut.spans);
    metrics.spans("nameless", request.nameless);
    metrics.left_out("attributes", cut.attributes);
    metrics.left_out("depth", cut.depth);
    metrics.left_out("values", cut.values);
    if cut.spans > 0 {
        taken.rejected += cut.spans;
        taken.reason = Some(format!(
            "a request may have {} spans ([otlp] max_spans); export fewer at a time",
            spans.options().read.spans
        ));
    }
    if request.nameless > 0 {
        taken.rejected += request.nameless;
        let said = "a span needs a traceId of 16 bytes and a spanId of 8, not all zero";
        taken.reason.get_or_insert_with(|| said.into());
    }
}

/// Lets the memory take spans; the events that follow.
fn absorb(spans: &Spans, own: &Spanning, some: Vec<Span>) -> Taking {
    let (mut taking, now) = (Taking::default(), Instant::now());
    let (mut taken, mut ignored, mut repeated) = (0, 0, 0);
    let mut memory = own.memory();
    for span in some {
        match memory.take(&span, now, &mut taking) {
            Outcome::Taken => taken += 1,
            Outcome::Ignored => ignored += 1,
            Outcome::Repeated => repeated += 1,
        }
    }
    drop(memory);
    spans.metrics().spans("taken", taken);
    spans.metrics().spans("ignored", ignored);
    spans.metrics().spans("repeated", repeated);
    taking
}

/// Publishes events, in parts that the producer's budget can hold. Only the first part is refused for the budget.
async fn publish(
    api: &Api,
    caller: &Caller,
    taking: Taking,
    taken: &mut Taken,
) -> Result<(), Error> {
    let verified = caller.who.verified();
    let most = api.authenticator.events_at_once().max(1);
    let mut rejected = HashSet::<u64>::new();
    let mut events = taking.into_events().peekable();
    let mut is_first = true;
    while events.peek().is_some() {
        let part: Vec<_> = events.by_ref().take(most).collect();
        while let Err(refusal) = api
            .authenticator
            .events(&caller.who, caller.address, part.len())
        {
            if is_first {
                return Err(refusal);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        is_first = false;
        let (raws, spans): (Vec<Raw>, Vec<u64>) = part
            .into_iter()
            .map(|(event, span)| (Raw::Json(event.into_json(), None), span))
            .unzip();
        api.authenticator.check_again(&caller.who, caller.address)?;
        let receipt = api
            .intake
            .publish(raws, producer(caller, &verified))
            .await?;
        for refused in receipt.rejected {
            rejected.extend(spans.get(refused.index));
            let why = refused.error;
            taken
                .reason
                .get_or_insert_with(|| format!("{}: {}", why.code, why.message));
        }
    }
    taken.rejected += rejected.len();
    Ok(())
}

/// Tells spans of a producer that waited long enough, until none waits.
async fn tell_late(api: Api, caller: Caller, own: Arc<Spanning>) {
    let spans = api.spans.clone();
    let mut ending = spans.ending();
    let mut failures = 0;
    loop {
        let deadline = own.memory().deadline();
        let Some(deadline) = deadline else {
            own.is_awaited.store(false, Ordering::Release);
            // One may have come since: whoever sees first that nobody waits for it does.
            if own.memory().deadline().is_some() && own.await_first() {
                continue;
            }
            return;
        };
        let is_ending = tokio::select! {
            () = tokio::time::sleep_until(deadline.into()) => false,
            ended = ending.wait_for(|ending| *ending) => ended.is_ok(),
        };
        let Ok(_turn) = own.turn().await else {
            continue;
        };
        let unsure = Unsure(&own);
        let mut taking = Taking::default();
        let now = Instant::now();
        let until = if is_ending {
            now + spans.options().memory.wait * 2
        } else {
            now
        };
        let count = own.memory().overdue(until, &mut taking);
        match publish(&api, &caller, taking, &mut Taken::default()).await {
            Ok(()) => {
                unsure.commit();
                spans.metrics().orphans(count);
                failures = 0;
            }
            Err(refusal) => {
                drop(unsure);
                failures += 1;
                api.metrics.refused("http", &refusal);
                if failures >= LATE_TRIES || is_ending {
                    // Nobody takes them: they are given up.
                    own.memory().overdue(until, &mut Taking::default());
                    own.memory().commit();
                    spans.metrics().spans("rejected", count);
                }
                tokio::time::sleep(LATE_PAUSE).await;
            }
        }
    }
}
