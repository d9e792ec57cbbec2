//! The pages for people, the demo page and the operator's page: those inside the program, or the built files of a
//! folder; without either, a page that says how to get one.

use std::path::Path;

use aws_lc_rs::digest;
use axum::{
    Router,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::services::ServeDir;

use super::{api::Api, headers, nowhere::nothing_here};

/// The files of the page that was built before the program: names as in a URL, and contents. `build.rs` makes the
/// table.
const INSIDE: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page that is shown where there is none.
const NOT_BUILT: &str = include_str!("page_not_built.html");

/// The file of the demo page, which a folder must have.
const INDEX: &str = "index.html";
/// The pages: the path of each, and its file.
const PAGES: [(&str, &str); 2] = [("/", INDEX), ("/operator", "operator.html")];
/// The folder of scripts, styles and fonts.
const ASSETS: &str = "assets/";

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
    (!root.join(INDEX).is_file()).then(|| {
        format!(
            "[server] web_root: there is no index.html in {}; leave it empty for the page inside the program",
            root.display()
        )
    })
}

/// Whether a path is one of the pages or of their files, which are public.
pub(super) fn is_own(path: &str) -> bool {
    let is_page = PAGES.iter().any(|(page, _)| path == *page) || path == "/operator/";
    let name = path.strip_prefix('/').unwrap_or(path);
    is_page || name.starts_with(ASSETS) || INSIDE.iter().any(|(inside, _)| *inside == name)
}

/// The routes of the pages and of their assets: from the folder `root`, or from the program itself if that is empty. A
/// page that the folder does not have is the one of the program.
pub(super) fn routes(root: &Path) -> Router<Api> {
    let router = if root.as_os_str().is_empty() {
        inside()
    } else {
        of_folder(root)
    };
    router
        // The page's own addresses are relative, so they are right without the slash only; a proxy may add a path.
        .route(
            "/operator/",
            get(async || Redirect::permanent("../operator")),
        )
        .fallback(nothing_here)
}

/// The pages of a folder, and the assets of both the folder and the program.
fn of_folder(root: &Path) -> Router<Api> {
    let assets = ServeDir::new(root.join("assets")).fallback(assets_inside());
    let assets = ServiceBuilder::new()
        .map_response(|mut response: Response<_>| {
            // A name that is not there today may be there after the next build.
            if response.status() != StatusCode::NOT_FOUND {
                let headers = response.headers_mut();
                headers.entry(header::CACHE_CONTROL).or_insert(FOREVER);
            }
            response
        })
        .service(assets);
    let mut router = Router::new().nest_service("/assets", assets);
    for (path, name) in PAGES {
        let file = root.join(name);
        let inside = INSIDE.iter().find(|(inside, _)| *inside == name);
        // The page at `/` is what the folder is for: without it, the folder is not built yet.
        let inside = inside.filter(|_| name != INDEX);
        let inside = inside.map(|&(name, content)| File::new(name, content));
        router = router.route(
            path,
            get(async move |asked: HeaderMap| from_folder(&file, inside.as_ref(), &asked).await),
        );
    }
    router
}

/// A page of a folder, read at each request, since it may be built while the server runs.
async fn from_folder(file: &Path, inside: Option<&File>, asked: &HeaderMap) -> Response {
    match (tokio::fs::read_to_string(file).await, inside) {
        (Ok(html), _) => {
            let headers = [
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
                (header::CONTENT_SECURITY_POLICY, headers::PAGE),
            ];
            (headers, Html(html)).into_response()
        }
        (Err(_), Some(inside)) => inside.answer(asked),
        (Err(_), None) => not_built(),
    }
}

fn not_built() -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, headers::WORD)];
    (headers, Html(NOT_BUILT)).into_response()
}

/// The routes of the pages inside the program, made once with the tag of each file.
fn inside() -> Router<Api> {
    let mut router = Router::new();
    for &(name, content) in INSIDE {
        let page = PAGES.iter().find(|(_, page)| *page == name);
        let path = page.map_or_else(|| format!("/{name}"), |(path, _)| (*path).to_owned());
        router = router.route(&path, serve(File::new(name, content)));
    }
    for (path, name) in PAGES {
        if !INSIDE.iter().any(|(inside, _)| *inside == name) {
            router = router.route(path, get(async || not_built()));
        }
    }
    router
}

/// The assets inside the program, by the names that stand behind `/assets/`.
fn assets_inside() -> Router {
    let mut router = Router::new();
    for &(name, content) in INSIDE {
        if let Some(path) = name.strip_prefix(ASSETS) {
            router = router.route(&format!("/{path}"), serve(File::new(name, content)));
        }
    }
    router.fallback(nothing_here)
}

/// The route of one file.
fn serve<S: Clone + Send + Sync + 'static>(file: File) -> MethodRouter<S> {
    get(async move |asked: HeaderMap| file.answer(&asked))
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
            named_by_content: name.starts_with(ASSETS),
            is_page: PAGES.iter().any(|(_, page)| *page == name),
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
