//! `POST /api/v1/emit`: emissions, one or many, in the order in which they are written.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::HeaderMap;

use super::{
    api::Api,
    caller::Caller,
    events::{answer, is_lines},
    extract::media_type,
    lines::Lines,
    packed::unpacked,
    producer::producer,
};
use crate::{
    config::Role,
    emission::{Emission, too_large},
    error::Error,
    event::lenient,
    intake::{Raw, Receipt},
    net::{BodyLimits, FREE_BYTES, NextPart, Place, Space, Steady, read_body},
};

/// Lines that are emitted at a time.
const PART_LINES: usize = 500;
/// Bytes of these lines.
const PART_BYTES: usize = 256 * 1_024;
/// Bytes of space that a long line takes at a time.
const SPACE_BYTES: usize = 64 * 1_024;

pub(super) async fn emit(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    api.metrics.usage.count("emit");
    let may = caller.must(
        Role::may_publish,
        "emitting takes a token with the role producer or admin",
    );
    if let Err(refusal) = may {
        api.metrics.refused("http", &refusal);
        return refusal.into_response();
    }
    let (media, limits) = (media_type(&headers), api.emission_body());
    let body = match unpacked(&api, &limits, &headers, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let receipt = match is_lines(&media) {
        true => emit_lines(&api, &caller, body, limits).await,
        false => emit_json(&api, &caller, body, &limits).await,
    };
    match receipt {
        Ok(receipt) => answer(&receipt),
        Err(refusal) => {
            api.metrics.refused("http", &refusal);
            refusal.into_response()
        }
    }
}

/// Emits one emission, or an array of emissions.
async fn emit_json(
    api: &Api,
    caller: &Caller,
    body: Body,
    limits: &BodyLimits,
) -> Result<Receipt, Error> {
    // Its space is held until all is emitted, since the emissions hold about as much.
    let body = read_body(caller.address, body, limits).await?;
    if body.trim_ascii().is_empty() {
        return Err(Error::bad_request(
            "the body is empty: send an emission, like {\"event\": \"hello\", \"args\": [\"world\"]}, or a list of them",
        ));
    }
    let max = api.emitter.options().max_batch;
    let texts: Vec<Bytes> = match lenient::elements(&body, max) {
        Some((texts, more)) if more > 0 => {
            return Err(Error::new(
                "too_large",
                format!(
                    "{} emissions in one array, {max} are allowed ([performance] max_publish_batch); use application/x-ndjson for more",
                    texts.len() + more,
                ),
            ));
        }
        Some((texts, _)) => texts.into_iter().map(|text| body.slice_ref(text)).collect(),
        None => vec![body.clone()],
    };
    emit_texts(api, caller, texts.into_iter().map(Raw::Text).collect()).await
}

/// Emits one emission for each line, in parts as they arrive.
async fn emit_lines(
    api: &Api,
    caller: &Caller,
    body: Body,
    limits: BodyLimits,
) -> Result<Receipt, Error> {
    let one = api.emitter.options().limits;
    let mut lines = Lines::new(one.max_text(), too_large(one.max_bytes));
    let mut space = LineSpace::default();
    let mut stream = Steady::new(body, limits);
    let mut upload = Upload::new(api, caller);
    while let NextPart::Part(chunk) = stream.next(None).await? {
        lines.feed(&chunk);
        while let Some(line) = lines.next() {
            upload.push(line).await?;
        }
        // A producer that writes line by line is served line by line.
        upload.emit().await?;
        space.cover(lines.held(), caller, &api.body.space).await?;
    }
    if let Some(line) = lines.last() {
        upload.push(line).await?;
    }
    upload.emit().await?;
    Ok(upload.receipt)
}

/// The space that the beginning of a long line holds until its end has come: as much as came of it.
#[derive(Default)]
struct LineSpace(Vec<Place>);

impl LineSpace {
    async fn cover(&mut self, held: usize, caller: &Caller, space: &Space) -> Result<(), Error> {
        let wanted = held.saturating_sub(FREE_BYTES).div_ceil(SPACE_BYTES);
        self.0.truncate(wanted);
        while self.0.len() < wanted {
            self.0.push(space.take(caller.address, SPACE_BYTES).await?);
        }
        Ok(())
    }
}

/// The lines of a body on their way.
struct Upload<'a> {
    api: &'a Api,
    caller: &'a Caller,
    /// Lines that are not emitted yet, and their bytes.
    part: Vec<Raw>,
    bytes: usize,
    /// The lines before them.
    offset: usize,
    receipt: Receipt,
}

impl<'a> Upload<'a> {
    fn new(api: &'a Api, caller: &'a Caller) -> Self {
        Self {
            api,
            caller,
            part: Vec::new(),
            bytes: 0,
            offset: 0,
            receipt: Receipt::default(),
        }
    }

    async fn push(&mut self, line: Raw) -> Result<(), Error> {
        if let Raw::Text(text) = &line {
            self.bytes += text.len();
        }
        self.part.push(line);
        let at_once = self.api.authenticator.events_at_once().min(PART_LINES);
        if self.part.len() >= at_once || self.bytes >= PART_BYTES {
            self.emit().await?;
        }
        Ok(())
    }

    async fn emit(&mut self) -> Result<(), Error> {
        let part = std::mem::take(&mut self.part);
        self.bytes = 0;
        if part.is_empty() {
            return Ok(());
        }
        let lines = part.len();
        let receipt = emit_texts(self.api, self.caller, part).await?;
        self.receipt.add(receipt, self.offset);
        self.offset += lines;
        Ok(())
    }
}

/// Emits these, each read from its text.
async fn emit_texts(api: &Api, caller: &Caller, raws: Vec<Raw>) -> Result<Receipt, Error> {
    api.authenticator
        .events(&caller.who, caller.address, raws.len())?;
    let limits = api.emitter.options().limits;
    let read = raws.into_iter().map(|raw| match raw {
        Raw::Text(text) => Emission::read(&text, &limits),
        Raw::Json(value, _) => Emission::of_value(&value, &limits),
        Raw::Emission(emission) => Ok(*emission),
        Raw::Bad(refusal) => Err(refusal),
    });
    let verified = caller.who.verified();
    api.emitter
        .emit(read.collect(), producer(caller, &verified))
        .await
}
