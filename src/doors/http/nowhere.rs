//! The answer at an unknown path: it names the path that was probably meant, if one is similar.

use axum::response::{IntoResponse, Response};
use http::Uri;

use crate::error::Error;

/// The paths that programs ask for.
pub(super) const PATHS: &[&str] = &[
    "/api/v1/events",
    "/api/v1/emit",
    "/ag-ui/in",
    "/vercel/in",
    "/langgraph/in",
    "/api/v1/stream",
    "/api/v1/state",
    "/api/v1/operations",
    "/api/v1/inputs/{request_id}",
    "/api/v1/ws",
    "/api/v1/ws/stats",
    "/api/v1/ws/rooms",
    "/api/v1/cluster",
    "/api/v1/rooms/{room}/members",
    "/api/v1/presence",
    "/api/stream/projects/",
    "/api/v1/analytics",
    "/api/v1/performance",
    "/api/v1/health",
    "/api/v1/alerts",
    "/ws/visualization",
    "/api/v1/admin/connections",
    "/api/v1/admin/bans",
    "/api/v1/admin/revocations",
    "/api/v1/admin/breakers",
    "/api/v1/admin/drain",
    "/api/v1/admin/reconnect",
    "/v1/traces",
    "/v1/logs",
    "/v1/metrics",
    "/api/v1/otlp/v1/traces",
    "/api/v1/otlp/v1/logs",
    "/api/v1/otlp/v1/metrics",
    "/hooks/claude",
    "/healthz",
    "/readyz",
    "/metrics",
    "/socket.io/",
    "/ws/{app}/",
    "/ws/{app}/admin/",
    "/operator",
];
/// The least similarity at which a path counts as meant.
const LIKE: f64 = 0.9;
/// Bytes of a path that are compared.
const COMPARED: usize = 64;

pub(super) async fn nothing_here(uri: Uri) -> Response {
    let message = match meant(uri.path()) {
        Some(path) => format!("there is nothing here; did you mean {path}?"),
        None => "there is nothing here; see docs/protocol.md for what is".to_owned(),
    };
    Error::new("not_found", message).into_response()
}

/// The known path that an unknown one probably means: `/events` and `/api/v1/event` both mean the events.
fn meant(asked: &str) -> Option<&'static str> {
    let asked = asked.trim_end_matches('/').to_ascii_lowercase();
    if asked.is_empty() || asked.len() > COMPARED {
        return None;
    }
    // A program that asks whether the server is alive has no token for the figures of its health.
    if asked == "/health" {
        return Some("/healthz");
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let asked_name = name(&asked);
    let likeness = |path: &&str| {
        let path = path.trim_end_matches('/');
        let by_name = match asked_name == name(path) {
            true => 1.0,
            false => 0.0,
        };
        // Paths may end alike: the one that was asked for whole comes first.
        let whole = if asked == path { 2.0 } else { 0.0 };
        strsim::jaro_winkler(&asked, path).max(by_name).max(whole)
    };
    let nearest = PATHS.iter().map(|path| (likeness(path), *path));
    let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest
        .filter(|(likeness, _)| *likeness >= LIKE)
        .map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_the_path_that_was_meant() {
        for (asked, path) in [
            ("/api/v1/event", "/api/v1/events"),
            ("/api/v1/events/", "/api/v1/events"),
            ("/api/events", "/api/v1/events"),
            ("/events", "/api/v1/events"),
            ("/API/v1/Events", "/api/v1/events"),
            ("/api/v2/state", "/api/v1/state"),
            ("/stats", "/api/v1/ws/stats"),
            ("/api/analytics", "/api/v1/analytics"),
            ("/health", "/healthz"),
            ("/api/health", "/api/v1/health"),
            ("/performance", "/api/v1/performance"),
            ("/ready", "/readyz"),
            ("/metric", "/metrics"),
            ("/socketio/", "/socket.io/"),
            ("/Operators", "/operator"),
            ("/visualization", "/ws/visualization"),
        ] {
            assert_eq!(meant(asked), Some(path), "{asked}");
        }
        for path in PATHS {
            assert_eq!(meant(path), Some(*path));
        }
    }

    #[test]
    fn what_is_like_nothing_is_told_nothing() {
        for asked in [
            "/",
            "//",
            "/favicon.ico",
            "/robots.txt",
            "/api",
            "/wp-login.php",
            "/assets/x.js",
        ] {
            assert_eq!(meant(asked), None, "{asked}");
        }
        assert_eq!(meant(&"/api/v1/events".repeat(100)), None);
    }
}
