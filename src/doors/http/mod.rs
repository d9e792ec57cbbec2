//! The HTTP side: the API, Seneca's REST, health, metrics and the demo page.

mod admin;
mod api;
mod caller;
mod emit;
mod error;
mod events;
mod extract;
mod figures;
mod foreign;
mod headers;
mod hooks;
mod inputs;
mod lines;
mod nowhere;
mod operations;
mod otlp;
mod packed;
mod page;
mod policy;
mod presence;
mod probes;
mod producer;
mod rendering;
mod seneca;
mod state;
mod stream;
mod upload;
mod uploading;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware,
    routing::{any, get, post},
};
use http::{Method, Uri, header};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::{AllowHeaders, AllowOrigin, CorsLayer},
};

use crate::{
    doors::socketio::{self, engine::Door},
    observe::Metrics,
};
pub use api::{Api, Readiness, StreamOptions};
pub use foreign::{ThreadLimits, Threads};
pub use hooks::{Hooks, HooksOptions};
pub use otlp::{Spans, SpansOptions};
pub(crate) use page::missing as missing_page;
pub use policy::{Hosts, Origins, ProxiedRequests, RequestPolicy};
pub use rendering::Renderings;

/// The time for which a browser keeps the answer to a preflight: each preflight is one more round trip.
const PREFLIGHT_LIFETIME: Duration = Duration::from_secs(3_600);

/// The options of the router.
#[derive(Debug, Clone)]
pub struct RouterOptions {
    /// Decides which requests are let in.
    pub policy: RequestPolicy,
    /// Seconds for which browsers shall come by https only; 0 leaves the header out.
    pub hsts: u64,
    /// Whether answers are compressed.
    pub compression: bool,
    /// A folder with a built page to serve instead of the one inside the program; empty for that one.
    pub web_root: PathBuf,
}

/// The router with all routes: those of this door, the engine's, and `more` of other doors.
pub fn router(api: Api, door: Door, more: Router, options: &RouterOptions) -> Router {
    let checks = policy::Checks::new(options.policy.clone(), api.metrics.clone());
    let engine = any(move |request: Request<Body>| socketio::socketio_door(door.clone(), request));
    let counted = Router::new()
        .route(figures::EVENTS, post(events::publish).get(events::history))
        .route(figures::EMIT, post(emit::emit))
        .route(foreign::AG_UI, post(foreign::ag_ui))
        .route(foreign::VERCEL, post(foreign::vercel))
        .route(foreign::LANGGRAPH, post(foreign::langgraph))
        .route("/api/v1/operations", post(operations::perform))
        .route("/v1/traces", post(otlp::traces))
        .route("/v1/logs", post(otlp::logs))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/api/v1/otlp/v1/traces", post(otlp::traces))
        .route("/api/v1/otlp/v1/logs", post(otlp::logs))
        .route("/api/v1/otlp/v1/metrics", post(otlp::metrics))
        .route("/hooks/claude", post(hooks::claude))
        .route("/api/v1/state", get(state::state))
        .route("/api/v1/ws/stats", get(state::stats))
        .route("/api/v1/ws/rooms", get(state::rooms))
        .route("/api/v1/cluster", get(state::nodes))
        .route(
            "/api/v1/inputs/{request_id}",
            get(inputs::wait).post(inputs::answer),
        )
        .route("/api/v1/rooms/{room}/members", get(presence::members))
        .route("/api/v1/presence", post(presence::visit))
        .route("/api/health/current", get(seneca::health_now))
        .route("/api/health/history", get(seneca::health_history))
        .route("/api/conversations/recent", get(seneca::conversations))
        .route("/api/pipeline/monitor/dashboard", get(seneca::dashboard))
        .merge(admin::routes())
        .route_layer(middleware::from_fn_with_state(
            api.clone(),
            figures::count_answered,
        ));
    // A stream counts as a client that connects, and whoever asks for figures changes none.
    let http = counted
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/performance", get(figures::performance))
        .route("/api/v1/health", get(figures::health))
        .route("/api/v1/analytics", get(figures::analytics))
        .route("/api/v1/alerts", get(figures::alerts))
        .route("/healthz", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .merge(page::routes(&options.web_root))
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(api)
        .merge(more);
    let http =
        if options.compression {
            http.layer(CompressionLayer::new().compress_when(
                SizeAbove::new(1_024).and(NotForContentType::new("text/event-stream")),
            ))
        } else {
            http
        };
    // Polling is not compressed: its answers are many, small and for programs only.
    http.layer(middleware::from_fn_with_state(
        headers::Careful::new(options.hsts),
        headers::careful,
    ))
    .route("/socket.io", engine.clone())
    .route("/socket.io/", engine)
    .layer(middleware::from_fn(caller::take_credential))
    .layer(cors(options.policy.origins.clone()))
    .layer(middleware::from_fn_with_state(checks, policy::check))
}

/// The router of a port that is one door's: whatever path a request names, it asks for `path`. The same requests are let
/// in as everywhere.
pub fn alone(
    door: Router,
    path: &'static str,
    metrics: Arc<Metrics>,
    options: &RouterOptions,
) -> Router {
    let checks = policy::Checks::new(options.policy.clone(), metrics);
    let careful = headers::Careful::new(options.hsts);
    door.layer(middleware::from_fn_with_state(careful, headers::careful))
        .layer(middleware::from_fn(caller::take_credential))
        .layer(cors(options.policy.origins.clone()))
        .layer(middleware::from_fn_with_state(checks, policy::check))
        .layer(middleware::map_request(
            async move |mut request: Request<Body>| {
                lead_to(path, request.uri_mut());
                request
            },
        ))
}

/// Changes the path of a URI, and nothing else of it.
fn lead_to(path: &str, uri: &mut Uri) {
    let query = uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = format!("{path}{query}").parse().ok();
    // A URI that is too long with this path leads nowhere, and past no check of a door.
    *uri = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/ws/"));
}

/// The CORS layer: pages of these origins may read the answers. `*` returns each origin, as Flask-SocketIO does, so
/// that clients with `withCredentials` work. Pages may send any header that they ask for, since tracing libraries add
/// their own.
fn cors(origins: Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| {
            origins.may_read(origin)
        }))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_LIFETIME)
}
