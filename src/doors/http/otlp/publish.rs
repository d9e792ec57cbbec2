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
    translate::otlp::{Memory, Outcome, Request, Span, Taking},
};

/// Spans that are taken at a time.
const AT_A_TIME: usize = 64;
/// Bytes that these may hold.
const BYTES_AT_A_TIME: usize = 256 * 1_024;
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

impl Taken {
    fn add(&mut self, more: Self) {
        self.rejected += more.rejected;
        self.reason = self.reason.take().or(more.reason);
    }
}

/// Takes all spans of a request.
///
/// # Errors
/// None of the spans behind the last ones that were kept is taken; an exporter sends all of them again, and those that were
/// taken are found.
pub(super) async fn take(api: &Api, caller: Caller, request: Request) -> Result<Taken, Error> {
    let spans = api.spans.clone();
    let own = spans.of(intake::flow(&caller.who, caller.address));
    let after = After(api, &caller, &own);
    let mut turn = own.turn().await?;
    let mut taken = Taken::default();
    count_read(&spans, &request, &mut taken);
    let most = (api.authenticator.events_at_once() / EVENTS_OF_SPAN).clamp(1, AT_A_TIME);
    let mut left = request.spans.into_iter();
    while !left.as_slice().is_empty() {
        let mut bytes = 0;
        let fits = |span: &&Span| {
            bytes += span.held();
            bytes <= BYTES_AT_A_TIME
        };
        let first = left.as_slice().iter().take(most);
        let count = first.take_while(fits).count().max(1);
        let some: Vec<Span> = left.by_ref().take(count).collect();
        let (back, (taking, fates)) = turn.work(move |memory| absorb(memory, &some)).await?;
        turn = back;
        let refused = publish(api, &caller, taking).await?;
        turn.commit();
        fates.tell(&spans);
        spans.metrics().spans("rejected", refused.rejected);
        taken.add(refused);
    }
    drop(turn);
    drop(after);
    Ok(taken)
}

/// The work after a request, however it ended: the memory is kept in its bounds, and spans that wait are told in time.
struct After<'a>(&'a Api, &'a Caller, &'a Arc<Spanning>);

impl Drop for After<'_> {
    fn drop(&mut self) {
        let Self(api, caller, own) = *self;
        api.spans.tidy(own);
        if own.memory().deadline().is_some() && own.await_first() {
            let late = tell_late(api.clone(), caller.clone(), own.clone());
            api.spans.late.spawn(late);
        }
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
    if let Some(fault) = &request.fault {
        taken.rejected += request.odd;
        let said = || {
            format!(
                "a span has a field that can't be read ({fault}); mend it, the others were taken"
            )
        };
        taken.reason.get_or_insert_with(said);
    }
    // Spans of which nothing is read are counted by their own names.
    metrics.spans("unreadable", request.odd);
}

/// The fates of spans, by count.
#[derive(Debug, Default)]
struct Fates {
    taken: usize,
    ignored: usize,
    repeated: usize,
    runless: usize,
}

impl Fates {
    /// Counts them when their events are kept, and not before: what was refused for now comes again.
    fn tell(&self, spans: &Spans) {
        spans.metrics().spans("taken", self.taken);
        spans.metrics().spans("ignored", self.ignored);
        spans.metrics().spans("repeated", self.repeated);
        spans.metrics().left_out("runs", self.runless);
    }
}

/// Lets the memory take spans; the events that follow.
fn absorb(memory: &mut Memory, some: &[Span]) -> (Taking, Fates) {
    let (mut taking, mut fates) = (Taking::default(), Fates::default());
    memory.take_all(some, Instant::now(), &mut taking, |fate| match fate {
        Outcome::Taken => fates.taken += 1,
        Outcome::Ignored => fates.ignored += 1,
        Outcome::Repeated => fates.repeated += 1,
    });
    fates.runless = memory.take_runless();
    (taking, fates)
}

/// Publishes events, in parts that the producer's budget can hold. Only the first part is refused for the budget.
///
/// # Errors
/// Some of them can't be kept for now, and may be told again.
async fn publish(api: &Api, caller: &Caller, taking: Taking) -> Result<Taken, Error> {
    let verified = caller.who.verified();
    let most = api.authenticator.events_at_once().max(1);
    let mut taken = Taken::default();
    let mut rejected = HashSet::<(u128, u64)>::new();
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
        let (raws, spans): (Vec<Raw>, Vec<_>) = part
            .into_iter()
            .map(|(event, span)| (Raw::Json(event.into_json(), None), span))
            .unzip();
        api.authenticator.check_again(&caller.who, caller.address)?;
        let receipt = api
            .intake
            .publish(raws, producer(caller, &verified))
            .await?;
        for refused in receipt.rejected {
            let why = refused.error;
            // An exporter sends it again, and what was kept is found then.
            if matches!(why.code, "overloaded" | "unavailable" | "rate_limited") {
                return Err(why);
            }
            rejected.extend(spans.get(refused.index));
            taken
                .reason
                .get_or_insert_with(|| format!("{}: {}", why.code, why.message));
        }
    }
    taken.rejected = rejected.len();
    Ok(taken)
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
        let Ok(turn) = own.turn().await else {
            continue;
        };
        let now = Instant::now();
        let until = if is_ending {
            now + spans.options().memory.wait * 2
        } else {
            now
        };
        let told = turn.work(move |memory| overdue(memory, until)).await;
        let Ok((turn, (count, taking))) = told else {
            return;
        };
        match publish(&api, &caller, taking).await {
            Ok(refused) => {
                turn.commit();
                spans.metrics().orphans(count);
                spans.metrics().spans("rejected", refused.rejected);
                failures = 0;
            }
            Err(refusal) => {
                turn.roll_back();
                failures += 1;
                api.metrics.refused("http", &refusal);
                if failures >= LATE_TRIES || is_ending {
                    // Nobody takes them: they are given up.
                    if let Ok((turn, _)) = turn.work(move |memory| overdue(memory, until)).await {
                        turn.commit();
                    }
                    spans.metrics().spans("rejected", count);
                }
                tokio::time::sleep(LATE_PAUSE).await;
            }
        }
    }
}

/// The spans that waited until then, and their events.
fn overdue(memory: &mut Memory, until: Instant) -> (usize, Taking) {
    let mut taking = Taking::default();
    (memory.overdue(until, &mut taking), taking)
}
