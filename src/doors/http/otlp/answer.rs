//! The answers to an exporter, in the media type of its request.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use prost::Message;
use serde_json::json;

use super::super::extract::media_type;
use crate::error::Error;

/// The encoding of a request and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Encoding {
    /// The encoding of a request, by its media type.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        match media_type(headers).as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The answer to a request that was taken, with the count of rejected spans and a reason.
    pub(super) fn answer(self, rejected: usize, reason: Option<&str>) -> Response {
        let partial = reason.filter(|_| rejected > 0);
        let body = match (self, partial) {
            (Self::Json, None) => b"{}".to_vec(),
            (Self::Json, Some(reason)) => json!({
                "partialSuccess": { "rejectedSpans": rejected.to_string(), "errorMessage": reason }
            })
            .to_string()
            .into_bytes(),
            (Self::Protobuf, partial) => {
                let rejected_spans = i64::try_from(rejected).unwrap_or(i64::MAX);
                let partial_success = partial.map(|reason| PartialSuccess {
                    rejected_spans,
                    error_message: reason.to_owned(),
                });
                ExportResponse { partial_success }.encode_to_vec()
            }
        };
        self.of_body(body)
    }

    /// The answer to a request that was refused.
    pub(super) fn refusal(self, refusal: &Error) -> Response {
        let status = match refusal.code {
            "unknown_encoding" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => refusal.status(),
        };
        let (code, message) = (grpc(status), refusal.message.clone());
        let body = match self {
            Self::Json => json!({ "code": code, "message": message })
                .to_string()
                .into_bytes(),
            Self::Protobuf => Status { code, message }.encode_to_vec(),
        };
        let mut answer = self.of_body(body);
        *answer.status_mut() = status;
        // When to come again, and how to prove oneself, are told as everywhere.
        let usual = refusal.clone().into_response();
        for name in [http::header::RETRY_AFTER, http::header::WWW_AUTHENTICATE] {
            if let Some(value) = usual.headers().get(&name) {
                answer.headers_mut().insert(name, value.clone());
            }
        }
        answer
    }

    fn of_body(self, body: Vec<u8>) -> Response {
        let media = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        let mut answer = Response::new(Body::from(body));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        answer
    }
}

/// The code of gRPC for a status of HTTP.
fn grpc(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 3,
    }
}
