//! What a request asks, read from its path, query and body. What can't be read is refused like everything else: as JSON,
//! with a code, and counted. The library's own extractors would answer in plain text.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request,
        rejection::JsonRejection,
    },
};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Api;
use crate::refusal::Refusal;

/// A query's fields.
pub(super) struct Asked<T>(pub(super) T);

/// The part of a path that names something.
pub(super) struct Named(pub(super) String);

/// A body.
pub(super) struct Sent(pub(super) Value);

/// A body, if there is one: one without a media type counts as none.
pub(super) struct SentIfAny(pub(super) Option<Value>);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, api).await;
        query
            .map(|Query(fields)| Self(fields))
            .map_err(|error| unread(api, error.body_text()))
    }
}

impl FromRequestParts<Api> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        path.map(|Path(name)| Self(name))
            .map_err(|error| unread(api, error.body_text()))
    }
}

impl FromRequest<Api> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let body = <Json<Value> as FromRequest<Api>>::from_request(request, api).await;
        body.map(|Json(value)| Self(value))
            .map_err(|error| no_json(api, &error))
    }
}

impl FromRequest<Api> for SentIfAny {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let body = <Json<Value> as OptionalFromRequest<Api>>::from_request(request, api).await;
        body.map(|body| Self(body.map(|Json(value)| value)))
            .map_err(|error| no_json(api, &error))
    }
}

fn no_json(api: &Api, error: &JsonRejection) -> Refusal {
    unread(api, format!("the body is not JSON: {error}"))
}

fn unread(api: &Api, message: String) -> Refusal {
    let refusal = Refusal::bad_request(message);
    api.metrics.refused("http", refusal.code);
    refusal
}
