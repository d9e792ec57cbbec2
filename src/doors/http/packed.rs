//! Compressed request bodies at the doors of HTTP.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::ACCEPT_ENCODING};

use super::api::Api;
use crate::{
    error::Error,
    net::{BodyLimits, PACKINGS, Packing, unpack},
};

/// Unpacks a request's body; an encoding that the server can't undo is refused. The header must not be ignored: the
/// packed bytes would be read as something else.
pub(super) async fn unpacked(
    api: &Api,
    limits: &BodyLimits,
    headers: &HeaderMap,
    body: Body,
) -> Result<Body, Response> {
    match Packing::of(headers) {
        Ok(None) => Ok(body),
        Ok(Some(packing)) => unpack(body, packing, limits).await.map_err(|refusal| {
            api.metrics.refused("http", &refusal);
            refusal.into_response()
        }),
        Err(unknown) => {
            api.metrics.refused("http", "unknown_encoding");
            let mut response = Error::from(unknown).into_response();
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let known = HeaderValue::from_static(PACKINGS);
            response.headers_mut().insert(ACCEPT_ENCODING, known);
            Err(response)
        }
    }
}
