//! Refusals over HTTP: `{"error":{"code","message"}}` with the status that fits.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use crate::refusal::Refusal;

/// The status of a code.
pub(crate) fn status(code: &str) -> StatusCode {
    match code {
        "unauthorized" | "token_expired" => StatusCode::UNAUTHORIZED,
        "forbidden" | "forbidden_room" | "banned" => StatusCode::FORBIDDEN,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "timeout" => StatusCode::REQUEST_TIMEOUT,
        "overloaded" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "not_found" => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (status(self.code), Json(json!({ "error": self }))).into_response()
    }
}
