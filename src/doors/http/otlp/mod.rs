//! `POST /v1/traces`: the door of OpenTelemetry's exporters. A producer's door like `POST /api/v1/events`, for spans.
//!
//! The spans of a producer are taken one request after the other, so that events get their places in the order in which
//! they follow from what was known. An answer means that the events are kept, apart from spans that wait for a parent:
//! they are told a moment later, or when the server goes down.

mod answer;
mod producers;
mod publish;

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use http::HeaderMap;

use super::{api::Api, caller::Caller};
use crate::{
    config::Role,
    error::Error,
    net::{BodyLimits, Packing, read_body, unpack},
    translate::otlp::{ReadLimits, Request, Unreadable, read_json, read_protobuf},
};
use answer::Encoding;
pub use producers::{Spans, SpansOptions};

/// Bytes of a body that are read beside the other work: more takes milliseconds.
const READ_BESIDE: usize = 64 * 1_024;

/// Takes spans.
pub(super) async fn traces(
    State(api): State<Api>,
    caller: Result<Caller, Error>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let encoding = begin(&api, "traces", &headers);
    let answer = match encoding {
        Ok(encoding) => taken(&api, caller, encoding, &headers, body).await,
        Err(unknown) => Err(unknown),
    };
    answered(&api, &headers, answer)
}

async fn taken(
    api: &Api,
    caller: Result<Caller, Error>,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let caller = producer(caller)?;
    let body = whole(api, &caller, headers, body).await?;
    let request = read(body, encoding, api.spans.options().read).await?;
    let taken = publish::take(api, caller, request).await?;
    Ok(encoding.answer(taken.rejected, taken.reason.as_deref()))
}

/// Answers as if it took logs: an SDK that is told to export them everywhere must not fail.
pub(super) async fn logs(
    State(api): State<Api>,
    caller: Result<Caller, Error>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = passed_over(&api, caller, "logs", &headers, body).await;
    answered(&api, &headers, answer)
}

/// The same for metrics.
pub(super) async fn metrics(
    State(api): State<Api>,
    caller: Result<Caller, Error>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = passed_over(&api, caller, "metrics", &headers, body).await;
    answered(&api, &headers, answer)
}

async fn passed_over(
    api: &Api,
    caller: Result<Caller, Error>,
    signal: &'static str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let encoding = begin(api, signal, headers)?;
    let caller = producer(caller)?;
    // The body is read, so that the connection can carry the next request.
    read_body(caller.address, body, &limits(api)).await?;
    Ok(encoding.answer(0, None))
}

/// Counts a request, and says what it is written in.
fn begin(api: &Api, signal: &'static str, headers: &HeaderMap) -> Result<Encoding, Error> {
    api.metrics.usage.count("publish");
    api.spans.metrics().request(signal);
    Encoding::of(headers).ok_or_else(|| {
        Error::new(
            "unknown_encoding",
            "the body must be application/x-protobuf or application/json, and say so (Content-Type)",
        )
    })
}

/// The answer; a refusal is counted, and written as the request was.
fn answered(api: &Api, headers: &HeaderMap, answer: Result<Response, Error>) -> Response {
    answer.unwrap_or_else(|refusal| {
        api.metrics.refused("http", &refusal);
        let encoding = Encoding::of(headers).unwrap_or(Encoding::Json);
        encoding.refusal(&refusal)
    })
}

fn producer(caller: Result<Caller, Error>) -> Result<Caller, Error> {
    let caller = caller?;
    caller.must(
        Role::may_publish,
        "exporting spans takes a token with the role producer or admin",
    )?;
    Ok(caller)
}

fn limits(api: &Api) -> BodyLimits {
    BodyLimits {
        max: api.spans.options().max_bytes,
        max_key: "[otlp] max_bytes",
        ..api.body.clone()
    }
}

/// Reads a body, unpacked and within its limits.
async fn whole(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Error> {
    let limits = limits(api);
    let packing = Packing::of(headers)
        .map_err(|unknown| Error::new("unknown_encoding", Error::from(unknown).message))?;
    let body = match packing {
        Some(packing) => unpack(body, packing, &limits).await?,
        None => body,
    };
    let read = read_body(caller.address, body, &limits).await;
    read.map_err(|refusal| match refusal.code {
        "too_large" if refusal.message.contains(limits.max_key) => Error::new(
            "too_large",
            format!(
                "the request is larger than {} bytes ([otlp] max_bytes; of a compressed one what is in it counts): export fewer \
                 spans at a time (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
                limits.max
            ),
        ),
        _ => refusal,
    })
}

/// Reads the spans of a body.
async fn read(body: Bytes, encoding: Encoding, limits: ReadLimits) -> Result<Request, Error> {
    let is_long = body.len() > READ_BESIDE;
    let reading = move || match encoding {
        Encoding::Protobuf => read_protobuf(&body, &limits),
        Encoding::Json => read_json(&body, &limits),
    };
    let read = match is_long {
        true => tokio::task::spawn_blocking(reading)
            .await
            .map_err(|_| Error::unavailable("the server goes down; export this again later"))?,
        false => reading(),
    };
    read.map_err(|unreadable: Unreadable| Error::bad_request(unreadable.to_string()))
}
