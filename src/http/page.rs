//! The demo page: the built files of `web-demo`, or a word on how to get them.

use std::path::Path;

use axum::{
    Router,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::{services::ServeDir, set_header::SetResponseHeaderLayer};

use super::{Api, headers};

/// Told in place of the page when it isn't built.
const NOT_BUILT: &str = include_str!("page_not_built.html");

/// The page at `/` and its assets.
pub(super) fn routes(root: &Path) -> Router<Api> {
    let assets = ServiceBuilder::new()
        // Their names carry a hash of their content.
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ))
        .service(ServeDir::new(root.join("assets")));
    let index = root.join("index.html");
    Router::new()
        .nest_service("/assets", assets)
        .route("/", get(move || page(index.clone())))
        .fallback(nothing_here)
}

/// Read anew each time: the page may be built while the server runs.
async fn page(index: std::path::PathBuf) -> Response {
    match tokio::fs::read_to_string(&index).await {
        Ok(html) => {
            let headers = [
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
                (header::CONTENT_SECURITY_POLICY, headers::PAGE),
            ];
            (headers, Html(html)).into_response()
        }
        Err(_) => {
            let headers = [(header::CONTENT_SECURITY_POLICY, headers::WORD)];
            (headers, Html(NOT_BUILT)).into_response()
        }
    }
}

async fn nothing_here() -> Response {
    let body = serde_json::json!({ "error": { "code": "not_found", "message": "there is nothing here; see docs/protocol.md for what is" } });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}
