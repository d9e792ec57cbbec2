//! Refusals over HTTP: `{"error":{"code","message"}}` with the status that fits.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::api::Api;
use crate::error::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(json!({ "error": self }))).into_response();
        let status = response.status();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // A limit that passes tells the client when to retry, where that is known.
        let passes = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if let Some(seconds) = self.retry_after().or(passes.then_some(1)) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The answer to a method that this path doesn't have; the router lists the others in `Allow`.
pub(super) async fn wrong_method(State(api): State<Api>) -> Response {
    api.metrics.refused("http", "method_not_allowed");
    let refusal =
        Error::bad_request("this path doesn't take this method; those that it takes are in Allow");
    let mut response = refusal.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
