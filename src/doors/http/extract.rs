//! The path, query and body of a request. Unreadable ones are refused as JSON with a code, and counted; the library's
//! own extractors would answer in plain text.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::CONTENT_TYPE, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{api::Api, caller::address, packed::unpacked};
use crate::{doors::query, error::Error, event::lenient, net::read_body};

pub(super) struct QueryString<T>(pub(super) T);

/// A query whose parameters all narrow the answer. An unknown parameter is refused: its writer would take an unfiltered
/// answer for a filtered one.
pub(super) struct Filters<T>(pub(super) T);

/// The parameters of a query.
pub(super) trait Parameters {
    /// The parameters that the handler reads.
    const NAMES: &'static [&'static str];
    /// Parameters that clients send and that have no meaning here.
    const PASSED_OVER: &'static [&'static str] = &[];
}

/// The part of a path that names something.
pub(super) struct PathName(pub(super) String);

/// A JSON body.
pub(super) struct JsonBody(pub(super) Value);

/// A JSON body, or none: a body without a media type counts as none.
pub(super) struct SentIfAny(pub(super) Option<Value>);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for QueryString<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let query = Query::<T>::from_request_parts(parts, api).await;
        query
            .map(|Query(fields)| Self(fields))
            .map_err(|error| unread(api, error.body_text()))
    }
}

impl<T: DeserializeOwned + Parameters + Send> FromRequestParts<Api> for Filters<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let read = query::of(&parts.uri, T::NAMES, T::PASSED_OVER);
        read.map(Self).map_err(|message| unread(api, message))
    }
}

impl FromRequestParts<Api> for PathName {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        path.map(|Path(name)| Self(name))
            .map_err(|error| unread(api, error.body_text()))
    }
}

impl FromRequest<Api> for JsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        if !says_json(request.headers()) {
            let wanted = "the body must be JSON, and say so: Content-Type: application/json";
            return Err(unread(api, wanted.into()).into_response());
        }
        let (parts, body) = request.into_parts();
        let body = unpacked(api, &api.body, &parts.headers, body).await?;
        let read = read_json(address(&parts.extensions), body, api).await;
        read.map(Self).map_err(Error::into_response)
    }
}

impl FromRequest<Api> for SentIfAny {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        if !request.headers().contains_key(CONTENT_TYPE) {
            return Ok(Self(None));
        }
        let JsonBody(body) = JsonBody::from_request(request, api).await?;
        Ok(Self(Some(body)))
    }
}

/// Whether the body is declared as JSON. A page of another origin can send other media types (a form) without a
/// preflight, but not this one.
pub(super) fn says_json(headers: &HeaderMap) -> bool {
    let media = media_type(headers);
    media == "application/json" || media.starts_with("application/") && media.ends_with("+json")
}

/// The media type of a body in lower case, without its parameters; empty where there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media = media.and_then(|m| m.split(';').next()).unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

async fn read_json(address: IpAddr, body: Body, api: &Api) -> Result<Value, Error> {
    let body = read_body(address, body, &api.body)
        .await
        .inspect_err(|refusal| api.metrics.refused("http", refusal))?;
    serde_json::from_slice(&body).map_err(|error| {
        unread(
            api,
            format!("the body is {}", lenient::fault(&body, &error)),
        )
    })
}

fn unread(api: &Api, message: String) -> Error {
    let refusal = Error::bad_request(message);
    api.metrics.refused("http", &refusal);
    refusal
}
