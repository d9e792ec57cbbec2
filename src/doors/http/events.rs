//! `POST` and `GET /api/v1/events`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, Parameters, media_type},
    packed::unpacked,
};
use crate::{
    config::Role,
    error::Error,
    event::lenient,
    history::{self, Page},
    intake::{self, IntakeLimits, Producer, Raw, Receipt, too_large},
    net::{FREE_BYTES, NextPart, Place, Space, Steady, read_body},
};

/// NDJSON lines that are published at a time, so that a long upload costs no more than one such part.
const UPLOAD_PART_LINES: usize = 500;
/// Bytes of these lines.
const PART_BYTES: usize = 256 * 1_024;
/// The time that lines of an upload wait for more, to be published together.
const UPLOAD_PAUSE: Duration = Duration::from_millis(100);
/// The pause before an upload retries that exceeded its producer's budget.
const UPLOAD_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The producer as the intake knows it.
fn producer<'c>(caller: &'c Caller, verified: &'c Arc<str>) -> Producer<'c> {
    Producer {
        name: caller.who.source().unwrap_or("http"),
        door: "http",
        permissions: &caller.who.permissions,
        verified,
        trace: caller.trace.as_ref(),
        // Ordered by address, not by connection: a client posts over several connections, and its events stay in order.
        flow: intake::flow(&caller.who, caller.address),
        connection: None,
    }
}

pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    api.metrics.usage.count("publish");
    let media = media_type(&headers);
    let lines = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    ];
    let may = caller.must(
        Role::may_publish,
        "publishing takes a token with the role producer or admin",
    );
    if let Err(refusal) = may {
        api.metrics.refused("http", &refusal);
        return refusal.into_response();
    }
    let body = match unpacked(&api, &headers, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let receipt = if lines.contains(&media.as_str()) {
        publish_lines(&api, &caller, body).await
    } else {
        publish_json(&api, &caller, body).await
    };
    match receipt {
        Ok(receipt) => answer(&receipt),
        Err(refusal) => {
            api.metrics.refused("http", &refusal);
            refusal.into_response()
        }
    }
}

/// `202` if anything was accepted; else the status of the first refusal, with all of them.
fn answer(receipt: &Receipt) -> Response {
    let taken = receipt.accepted + receipt.duplicates > 0;
    let first = receipt.rejected.first().map(|r| r.error.clone());
    let mut body = match serde_json::to_value(receipt) {
        Ok(Value::Object(body)) => body,
        _ => serde_json::Map::new(),
    };
    match first.filter(|_| !taken) {
        None => (StatusCode::ACCEPTED, Json(Value::Object(body))).into_response(),
        Some(error) => {
            body.insert("error".into(), serde_json::json!(error));
            let body = Json(Value::Object(body));
            // An event that gave way under load is nothing bad: its producer is told when to come again.
            match error.retry_after() {
                Some(seconds) => {
                    let wait = [(header::RETRY_AFTER, seconds)];
                    (error.status(), wait, body).into_response()
                }
                None => (StatusCode::BAD_REQUEST, body).into_response(),
            }
        }
    }
}

/// Publishes one event, or an array of events.
async fn publish_json(api: &Api, caller: &Caller, body: Body) -> Result<Receipt, Error> {
    let body = read_body(caller.address, body, &api.body).await?;
    if body.trim_ascii().is_empty() {
        return Err(Error::bad_request(
            "the body is empty: send an event, like {\"type\": \"task.created\", \"data\": {\"task_id\": \"t1\"}}, or a list of them",
        ));
    }
    let limits = api.intake.limits();
    let raws: Vec<Raw> = match lenient::elements(&body, limits.max_batch) {
        Some((events, more)) if more > 0 => {
            return Err(Error::new(
                "too_large",
                format!(
                    "{} events in one array, {} are allowed ([performance] max_publish_batch); use application/x-ndjson for more",
                    events.len() + more,
                    limits.max_batch
                ),
            ));
        }
        Some((events, _)) => events
            .into_iter()
            .map(|event| Raw::Text(body.slice_ref(event)))
            .collect(),
        None => vec![Raw::Text(body.clone())],
    };
    // The body's space is released when its last event is read, not when all are kept.
    drop(body);
    api.authenticator
        .events(&caller.who, caller.address, raws.len())?;
    let verified = caller.who.verified();
    api.intake.publish(raws, producer(caller, &verified)).await
}

/// Publishes one event for each line, in parts as they arrive.
async fn publish_lines(api: &Api, caller: &Caller, body: Body) -> Result<Receipt, Error> {
    let limits = api.intake.limits();
    let mut receipt = Receipt::default();
    let mut part = Part::default();
    let mut lines = Lines::new(limits);
    let mut stream = Steady::new(body, api.body.clone());
    loop {
        // Lines that are there wait only for a moment for more: a producer that writes line by line is served line by
        // line.
        let pause = (!part.raws.is_empty()).then_some(UPLOAD_PAUSE);
        match stream.next(pause).await? {
            NextPart::Part(chunk) => lines.feed(&chunk),
            NextPart::Pause => {
                part.publish(api, caller, &mut receipt).await?;
                continue;
            }
            NextPart::End => break,
        }
        while let Some(line) = lines.next() {
            let full = part.push(line, caller, &api.body.space);
            if full || part.raws.len() >= UPLOAD_PART_LINES.min(api.authenticator.events_at_once())
            {
                part.publish(api, caller, &mut receipt).await?;
                // Without a journal on disk nothing is awaited here, and other tasks must have their turn.
                tokio::task::yield_now().await;
            }
        }
    }
    if let Some(line) = lines.last() {
        part.push(line, caller, &api.body.space);
    }
    part.publish(api, caller, &mut receipt).await?;
    Ok(receipt)
}

/// Lines collected for one call of the intake.
#[derive(Default)]
struct Part {
    raws: Vec<Raw>,
    /// Bytes of their texts.
    bytes: usize,
    /// The space that holds these, if they are many.
    place: Option<Place>,
    /// The index of the first line in the whole body.
    offset: usize,
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

    async fn publish(
        &mut self,
        api: &Api,
        caller: &Caller,
        receipt: &mut Receipt,
    ) -> Result<(), Error> {
        let raws = std::mem::take(&mut self.raws);
        let offset = self.offset;
        self.offset += raws.len();
        let place = self.place.take();
        self.bytes = 0;
        if !raws.is_empty() {
            // A producer that uploads much is slowed down to its budget, not refused in the middle.
            while let Err(refusal) =
                api.authenticator
                    .events(&caller.who, caller.address, raws.len())
            {
                if raws.len() > api.authenticator.events_at_once() {
                    return Err(refusal);
                }
                tokio::time::sleep(UPLOAD_RETRY_PAUSE).await;
            }
            api.authenticator.check_again(&caller.who, caller.address)?;
            let verified = caller.who.verified();
            let producer = producer(caller, &verified);
            // The intake reads the texts before it waits for anything.
            drop(place);
            let published = api.intake.publish(raws, producer).await?;
            receipt.add(published, offset);
        }
        Ok(())
    }
}

/// Splits a stream into lines. The rest of a line that is longer than an event may be is skipped.
struct Lines {
    buffer: BytesMut,
    /// Bytes searched so far without finding an end.
    searched: usize,
    /// Whether the line in the buffer is too long already.
    skipping: bool,
    limits: IntakeLimits,
}

impl Lines {
    fn new(limits: IntakeLimits) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            skipping: false,
            limits,
        }
    }

    fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    fn next(&mut self) -> Option<Raw> {
        loop {
            let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|&b| b == b'\n')
            else {
                self.searched = self.buffer.len();
                if self.buffer.len() > self.limits.max_event {
                    self.buffer.clear();
                    self.searched = 0;
                    self.skipping = true;
                }
                return None;
            };
            let line = self.buffer.split_to(self.searched + at);
            self.buffer.advance(1);
            self.searched = 0;
            if std::mem::take(&mut self.skipping) {
                return Some(Raw::Bad(too_large(self.limits.max_event)));
            }
            if let Some(raw) = Self::read(&line.freeze()) {
                return Some(raw);
            }
        }
    }

    /// The line after the last line end, if there is one.
    fn last(&mut self) -> Option<Raw> {
        let line = self.buffer.split();
        if self.skipping {
            return Some(Raw::Bad(too_large(self.limits.max_event)));
        }
        Self::read(&line.freeze())
    }

    /// Reads a line; an empty one is neither an event nor a mistake.
    fn read(line: &Bytes) -> Option<Raw> {
        let trimmed = line.trim_ascii();
        (!trimmed.is_empty()).then(|| Raw::Text(line.slice_ref(trimmed)))
    }
}

impl Parameters for history::Query {
    const NAMES: &'static [&'static str] = &[
        "after",
        "before",
        "limit",
        "type",
        "project_id",
        "agent_id",
        "run_id",
        "order",
    ];
}

pub(super) async fn history(
    State(api): State<Api>,
    caller: Caller,
    Filters(query): Filters<history::Query>,
) -> Result<Json<Page>, Error> {
    api.metrics.usage.count("get_history");
    let page = api.intake.history(query, &caller.who.permissions).await;
    page.inspect_err(|refusal| api.metrics.refused("http", refusal))
        .map(Json)
}
