//! The demo page: the one inside the program, or the built files of a folder; without either, a page that says how to
//! get one.

use std::path::Path;

use aws_lc_rs::digest;
use axum::{
    Router,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::{services::ServeDir, set_header::SetResponseHeaderLayer};

use super::{api::Api, headers, nowhere::nothing_here};

/// The files of the page that was built before the program: names as in a URL, and contents. `build.rs` makes the
/// table.
const INSIDE: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page that is shown where there is none.
const NOT_BUILT: &str = include_str!("page_not_built.html");

/// The caching of assets, whose names carry a hash of their content.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The reason why a browser that opens `root` of the server would see no page; `None` if it would see one.
pub(crate) fn missing(root: &Path) -> Option<String> {
    if root.as_os_str().is_empty() {
        return INSIDE.is_empty().then(|| {
            "this program was built without its demo page: run `npm ci && npm run build` in web-demo, then build it again"
                .to_owned()
        });
    }
    (!root.join("index.html").is_file()).then(|| {
        format!(
            "[server] web_root: there is no index.html in {}; leave it empty for the page inside the program",
            root.display()
        )
    })
}

/// The routes of the page at `/` and its assets: from the folder `root`, or from the program itself if that is empty.
pub(super) fn routes(root: &Path) -> Router<Api> {
    if root.as_os_str().is_empty() {
        return inside();
    }
    let assets = ServiceBuilder::new()
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            FOREVER,
        ))
        .service(ServeDir::new(root.join("assets")));
    let index = root.join("index.html");
    Router::new()
        .nest_service("/assets", assets)
        .route("/", get(move || from_folder(index.clone())))
        .fallback(nothing_here)
}

/// The index of a folder, read at each request, since the page may be built while the server runs.
async fn from_folder(index: std::path::PathBuf) -> Response {
    match tokio::fs::read_to_string(&index).await {
        Ok(html) => {
            let headers = [
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
                (header::CONTENT_SECURITY_POLICY, headers::PAGE),
            ];
            (headers, Html(html)).into_response()
        }
        Err(_) => not_built(),
    }
}

fn not_built() -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, headers::WORD)];
    (headers, Html(NOT_BUILT)).into_response()
}

/// The routes of the page inside the program, made once with the tag of each file.
fn inside() -> Router<Api> {
    if INSIDE.is_empty() {
        return Router::new()
            .route("/", get(async || not_built()))
            .fallback(nothing_here);
    }
    let mut router = Router::new();
    for &(name, content) in INSIDE {
        let file = File::new(name, content);
        let path = if name == "index.html" {
            "/".to_owned()
        } else {
            format!("/{name}")
        };
        router = router.route(
            &path,
            get(async move |asked: HeaderMap| file.answer(&asked)),
        );
    }
    router.fallback(nothing_here)
}

/// One file of the page inside the program.
#[derive(Debug, Clone)]
struct File {
    content: &'static [u8],
    kind: &'static str,
    /// A hash of the content, so that a browser that has the file needn't load it again.
    tag: HeaderValue,
    /// Whether the name changes with the content.
    named_by_content: bool,
    is_page: bool,
}

impl File {
    fn new(name: &str, content: &'static [u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, content);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
        Self {
            content,
            kind: kind_of(name),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
            named_by_content: name.starts_with("assets/"),
            is_page: name == "index.html",
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let cache = if self.named_by_content {
            FOREVER
        } else {
            HeaderValue::from_static("no-cache")
        };
        let known = has_tag(asked, &self.tag);
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(self.kind))];
            (kind, self.content).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, cache);
        headers.insert(header::ETAG, self.tag.clone());
        if self.is_page {
            headers.insert(header::CONTENT_SECURITY_POLICY, headers::PAGE);
        }
        response
    }
}

/// Whether the browser has the file of this tag. A proxy that compresses makes the tag weak, which means the same here.
fn has_tag(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = asked.get_all(header::IF_NONE_MATCH).into_iter();
    let mut tags = tags.filter_map(|value| value.to_str().ok());
    tags.any(|list| {
        list.split(',').any(|one| {
            let one = one.trim();
            one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
        })
    })
}

/// The media type of a file; browsers must not guess it (`nosniff`).
fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript",
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
