//! The HTTP side: the API, Seneca's REST, health, metrics and the demo page.

mod admin;
mod caller;
mod error;
mod events;
mod page;
mod probes;
mod seneca;
mod state;
mod stream;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware,
    routing::{any, get, post},
};
use http::{HeaderValue, Method, header};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};

use crate::{
    access::Porter,
    hub::HubHandle,
    intake::Intake,
    observe::Metrics,
    socketio::{self, Door},
};
pub use probes::Readiness;
pub use stream::StreamOptions;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct Api {
    /// The ordered loop.
    pub hub: HubHandle,
    /// The way in.
    pub intake: Arc<Intake>,
    /// For `/metrics`, and refusals are counted.
    pub metrics: Arc<Metrics>,
    /// Who comes in.
    pub porter: Arc<Porter>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// Limits on streams.
    pub stream: StreamOptions,
    /// The largest request body.
    pub max_body: usize,
}

/// What the router is told by the configuration.
#[derive(Debug, Clone)]
pub struct RouterOptions {
    /// Origins that pages may come from; `*` for any.
    pub origins: Vec<String>,
    /// Whether answers are compressed.
    pub compression: bool,
    /// Where the built demo page is.
    pub web_root: PathBuf,
}

/// All routes.
pub fn router(api: Api, door: Door, options: &RouterOptions) -> Router {
    let engine = any(move |request: Request<Body>| socketio::engine_door(door.clone(), request));
    let http = Router::new()
        .route("/api/v1/events", post(events::publish).get(events::history))
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/state", get(state::state))
        .route("/api/v1/ws/stats", get(state::stats))
        .route("/api/v1/ws/rooms", get(state::rooms))
        .route("/api/health/current", get(seneca::health_now))
        .route("/api/health/history", get(seneca::health_history))
        .route("/api/conversations/recent", get(seneca::conversations))
        .route("/api/pipeline/monitor/dashboard", get(seneca::dashboard))
        .merge(admin::routes())
        .route("/healthz", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .merge(page::routes(&options.web_root))
        .with_state(api);
    let http =
        if options.compression {
            http.layer(CompressionLayer::new().compress_when(
                SizeAbove::new(1_024).and(NotForContentType::new("text/event-stream")),
            ))
        } else {
            http
        };
    http.route("/socket.io", engine.clone())
        .route("/socket.io/", engine)
        .layer(middleware::from_fn(caller::take_credential))
        .layer(cors(&options.origins))
}

/// Browsers of these origins may read the answers; `*` gives each its own origin back, as Flask-SocketIO does, so that
/// clients with `withCredentials` work.
fn cors(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|o| o == "*") {
        AllowOrigin::mirror_request()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|o| HeaderValue::from_str(o).ok()))
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
}
