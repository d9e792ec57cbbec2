//! Builds the way to the application's own service, and what carries out its operations.

use std::sync::Arc;

use http::HeaderName;

use super::error::ServeError;
use crate::{
    access::authz::Sessions,
    breaker::{BreakerLimits, Breakers},
    cluster::Cluster,
    config::Config,
    doors::{
        backend::{Backend, BackendMetrics, BackendOptions, ServiceOptions, SessionBounds},
        operations::{Operations, OperationsContext},
    },
    drain::{Drain, DrainMetrics, DrainOptions},
    emitter::Emitter,
    hub::HubHandle,
    observe::Metrics,
    pattern::Patterns,
};

/// The parts that belong to an application.
#[derive(Debug, Clone)]
pub(super) struct Application {
    /// The application's service, if there is one.
    pub(super) backend: Option<Arc<Backend>>,
    pub(super) operations: Arc<Operations>,
    pub(super) drain: Arc<Drain>,
    pub(super) sessions: Arc<SessionBounds>,
}

/// Builds them.
pub(super) fn build(
    config: &Config,
    (hub, emitter): (HubHandle, Emitter),
    (sessions, cluster): (&Arc<Sessions>, Cluster),
    breakers: &Breakers,
    metrics: &Metrics,
) -> Result<Application, ServeError> {
    let settings = &config.backend;
    let counters = BackendMetrics::default();
    metrics.add(|registry| counters.register(registry));
    let moves = DrainMetrics::default();
    metrics.add(|registry| moves.register(registry));
    let drain = Drain::new(
        sessions.clone(),
        DrainOptions {
            time: config.server.drain_time.get(),
            cluster: cluster.clone(),
        },
        moves,
    );
    drain.serve();
    let sessions = SessionBounds::new(
        settings.max_session_bytes.into(),
        settings.max_sessions_bytes.into(),
        counters.clone(),
    );
    let operations = Operations::new(OperationsContext {
        hub,
        emitter,
        drain: drain.clone(),
        cluster,
        metrics: counters.clone(),
        max: settings.max_operations.into(),
        max_ask_time: settings.max_ask_time.get(),
        max_asked: settings.max_asked.into(),
    });
    let backend = match settings.is_on() {
        false => None,
        true => {
            let limits = BreakerLimits {
                open_for: settings.open_for.get(),
                ..breakers.limits()
            };
            let breaker = breakers.part_with("backend", limits);
            let options = options(config);
            Some(Backend::new(options, breaker, counters).map_err(ServeError::Backend)?)
        }
    };
    Ok(Application {
        backend,
        operations,
        drain,
        sessions,
    })
}

fn options(config: &Config) -> BackendOptions {
    let settings = &config.backend;
    let headers = settings.headers.iter();
    let headers = headers.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    BackendOptions {
        service: ServiceOptions {
            url: settings.url.to_string(),
            secret: settings.secret.as_bytes().to_vec(),
            connect_timeout: settings.connect_timeout.get(),
            idle_timeout: settings.idle_timeout.get(),
            max_calls: settings.max_calls.into(),
            max_answer: settings.max_answer_bytes.into(),
            max_operations: settings.max_operations.into(),
            max_depth: config.content_filtering.max_depth.into(),
            retries: (settings.retries.into(), settings.retry_delay_ms.get()),
        },
        events: patterns(&settings.events),
        overrides: patterns(&settings.overrides),
        namespaces: patterns(&settings.namespaces),
        connect: settings.connect,
        disconnect: settings.disconnect,
        disconnect_patience: settings.disconnect_patience.get(),
        headers: (headers.collect(), settings.max_header_bytes.into()),
        max_query: settings.max_query_bytes.into(),
        timeout: settings.timeout.get(),
        max_wait: settings.max_wait.get(),
        max_waiting: settings.max_waiting.into(),
        max_waiting_bytes: settings.max_waiting_bytes.into(),
    }
}

/// The patterns, which were checked when the configuration was read.
fn patterns(texts: &[String]) -> Patterns {
    Patterns::new(texts.iter().map(String::as_str)).unwrap_or_default()
}
