//! Puts the parts together, and takes them apart again in order.
//!
//! The server goes down in this order: readiness off, a notice to everybody, the hub's last flush, all lanes closed,
//! requests in flight ended. It waits for nothing longer than `[server] shutdown_timeout`, whatever a client does.

mod alerts;
mod announce;
mod application;
mod authenticator;
mod bus;
mod certificates;
mod check;
mod cluster;
mod error;
mod essential;
mod figures;
mod former_list;
mod fresh;
mod journal;
mod listen;
mod options;
mod play;
mod producers;
mod reload;
mod running;
mod stop;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use announce::warnings;
pub use check::check;
pub use error::ServeError;
pub use essential::Ended;
use essential::Essential;
use listen::listen;
#[cfg(test)]
pub(crate) use options::lane as lane_limits;
use reload::Asked;
pub use running::Running;
pub(crate) use stop::StopSignal;
use tokio::sync::watch;

use crate::{
    access::authn::StartSecret,
    breaker::Breakers,
    config::Config,
    doors::{
        actions::Actions,
        http::{self, Api, Hooks, Readiness, Spans},
        nodes::{AllNodes, NodeParts},
        socketio::{self, engine::Door},
        websocket,
    },
    emitter::Emitter,
    hub::Hub,
    intake::{Intake, Refusing},
    net::{Proxies, Quota, Server},
    observe::{Metrics, WatchedMetrics},
    pace::degradation::Degradation,
    projections::{analytics, state::checkpoint},
    recovery::{self, RecoveryMetrics, Sessions},
};

/// Starts everything and returns when connections are accepted.
///
/// # Errors
/// The address can't be listened on, or a rule of the configuration can't be used.
pub async fn start(config: &Config) -> Result<Running, ServeError> {
    listen::resolve(config)?;
    if let Some(why) = config.unsafe_combination() {
        return Err(ServeError::Unsafe(why));
    }
    if std::time::SystemTime::now() < std::time::SystemTime::UNIX_EPOCH {
        return Err(ServeError::Clock);
    }
    journal::check_former_list(config)?;
    let table = check::table(config)?;
    let certificates = certificates::load(&config.tls)?;
    let (listener, address) = listen(config, config.server.port, "--port or [server] port").await?;
    let own_port = match config.doors.visualization_port.to_listen_on() {
        Some(port) => Some(listen(config, port, "[doors] visualization_port").await?),
        None => None,
    };
    let metrics = Metrics::new();
    metrics.usage.bound((&config.analytics).into());
    let breakers = Breakers::new(options::breakers(config));
    metrics.add(|registry| breakers.register(registry));
    let opened = journal::open(config, &breakers)?;
    let journal = opened.journal.clone();
    let cluster = cluster::build(config, opened.engine.as_ref(), address, &metrics)?;
    metrics.add_journal(&journal.metrics());
    analytics::restore(&*journal, &metrics).await?;
    let degradation = Arc::<Degradation>::default();
    metrics.add(|registry| degradation.register(registry));
    let (mut hub, handle, backlog) = Hub::new(
        options::hub(config, degradation.clone()),
        journal.clone(),
        table,
        metrics.clone(),
    );
    let ledger = hub.restore().await?;
    metrics.add(|registry| ledger.metrics().register(registry));
    let start_secret = StartSecret::of(&config.authentication)?;
    let blocklist = authenticator::blocklist(config, opened).await?;
    let authenticator = authenticator::build(
        config,
        ledger.clone(),
        blocklist,
        start_secret.clone(),
        &breakers,
        metrics.clone(),
    )?;
    authenticator.link_with(&cluster);
    let essential = Essential::new();
    let refusing = Refusing {
        degradation: degradation.clone(),
        table: hub.table().clone(),
    };
    let hub = essential.spawn("loop that delivers events", hub.run());
    let writer = essential.spawn("journal's writer", journal.ended());
    let mut aside = vec![writer];
    if journal.keeps_checkpoints() {
        let hub = handle.clone();
        let keep = checkpoint::keep(
            journal.clone(),
            ledger.clone(),
            async move || {
                hub.picture()
                    .await
                    .ok()
                    .map(|(picture, seq, _)| (picture, seq))
            },
            backlog.clone(),
        );
        aside.push(essential.spawn("keeper of checkpoints", keep));
    }
    let max_analytics = config.analytics.max_bytes.into();
    let counting = analytics::keep(
        journal.clone(),
        metrics.clone(),
        max_analytics,
        config.analytics.save_interval.get(),
    );
    aside.push(essential.spawn("keeper of the analytics", counting));
    let intake = Arc::new(Intake::new(
        journal.clone(),
        ledger.clone(),
        options::intake(config),
        backlog,
        metrics.clone(),
        refusing,
    ));
    let emitter = Emitter::new(
        handle.clone(),
        intake.clone(),
        metrics.clone(),
        options::emitter(config),
        cluster.clone(),
    );
    aside.extend(cluster::carry(&cluster, &emitter, &essential));
    let quota = Quota::new(options::connections(config));
    let compression = options::compression(config, &metrics);
    let inputs = options::inputs(config, handle.clone(), intake.clone(), &metrics);
    let actions = Actions::new(options::actions(
        config,
        handle.clone(),
        authenticator.clone(),
        (metrics.clone(), inputs.clone()),
        cluster.clone(),
    ));
    let application = application::build(
        config,
        (handle.clone(), emitter.clone()),
        (authenticator.sessions(), cluster.clone()),
        &breakers,
        &metrics,
    )?;
    let drain = application.drain.clone();
    let nodes = AllNodes::new(NodeParts {
        cluster: cluster.clone(),
        hub: handle.clone(),
        intake: intake.clone(),
        sessions: authenticator.sessions().clone(),
        drain: drain.clone(),
        metrics: metrics.clone(),
        own: (config.cluster.node_id.clone(), address.to_string()),
    });
    let sessions = Sessions::new(options::recovery(config), RecoveryMetrics::default());
    metrics.add(|registry| sessions.metrics().register(registry));
    recovery::restore(&journal, &sessions, options::claims(config)).await?;
    let keeping = recovery::keep(journal.clone(), sessions.clone());
    aside.push(essential.spawn("keeper of sessions", keeping));
    let bus = bus::start(
        config,
        &essential,
        (&emitter, &intake, &application.operations),
        (&ledger, &breakers, &metrics),
    )?;
    let context = socketio::start(
        handle.clone(),
        (intake.clone(), emitter.clone()),
        authenticator.clone(),
        breakers.clone(),
        metrics.clone(),
        actions.clone(),
        options::sockets(
            config,
            quota.clone(),
            compression.clone(),
            (application.clone(), nodes.clone()),
            sessions,
        ),
    );
    let door = Door::new(context, options::door(config, &metrics));
    let readiness = Arc::new(Readiness::default());
    let alerts_hub = handle.clone();
    let depths = websocket::Depths::default();
    metrics.add(|registry| depths.register(registry));
    let long = config.doors.visualization_queue_warning.into();
    aside.push(essential.spawn(
        "monitor of the visualization's queues",
        websocket::watch_queues(depths.clone(), long),
    ));
    let alarm = alerts::Alarm::of(config, &metrics);
    let (figures, reader) = figures::start(
        config,
        &essential,
        (&intake, &authenticator, &quota),
        (&breakers, &metrics),
        figures::sources(degradation, alarm.as_ref()),
    );
    aside.push(reader);
    let doors = websocket::Context {
        depths,
        hub: handle.clone(),
        intake: intake.clone(),
        authenticator: authenticator.clone(),
        actions,
        metrics: metrics.clone(),
        figures: figures.clone(),
        drain: drain.clone(),
        breakers: breakers.clone(),
        options: options::doors(config, quota.clone(), compression),
    };
    let watched = WatchedMetrics::default();
    metrics.add(|registry| watched.register(registry));
    let spans = Spans::new(producers::spans(config), watched.clone());
    let api = Api {
        hub: handle,
        intake: intake.clone(),
        emitter: emitter.clone(),
        authenticator: authenticator.clone(),
        metrics: metrics.clone(),
        drain: drain.clone(),
        nodes: nodes.clone(),
        breakers: breakers.clone(),
        readiness: readiness.clone(),
        threads: producers::threads(config, &metrics),
        renderings: options::renderings(config, &metrics),
        stream: options::stream(config),
        body: options::body(config, &metrics),
        figures: figures.clone(),
        spans: spans.clone(),
        hooks: Hooks::new(producers::hooks(config), watched),
        bus: bus.as_ref().map(|(_, counters)| counters.clone()),
        cluster: cluster.clone(),
        inputs,
        operations: application.operations,
        backend: application.backend,
    };
    let routes = options::routes(config);
    let visualization = http::alone(
        websocket::visualization(doors.clone()),
        websocket::VISUALIZATION,
        metrics.clone(),
        &routes,
    );
    let router = http::router(api, door.clone(), websocket::routes(doors), &routes);
    let (stopping, stop) = watch::channel(false);
    let server = Server {
        timeouts: options::timeouts(config),
        quota,
        per_second: config.server.connections_per_second.into(),
        proxies: Proxies::new(config.server.trusted_proxies.clone()),
        tls: certificates
            .clone()
            .map(|certificates| (certificates, config.tls.handshake_timeout.get())),
        metrics: metrics.clone(),
        stopping: stop,
    };
    let server = server.prepare(router)?;
    aside.extend(cluster::start(&cluster, &essential).await?);
    let own_port = own_port.map(|(listener, address)| {
        let serving = server.beside(visualization).serve(listener);
        let serving = essential.spawn("listener of the visualization", serving);
        (address, serving)
    });
    let (visualization, own_port) = own_port.unzip();
    let mut serving = Vec::from_iter(own_port);
    serving.push(essential.spawn("listener", server.serve(listener)));
    let tokens = authenticator.tokens().clone();
    aside.push(essential.spawn("watch over sessions", authenticator.clone().watch()));
    let files = (certificates, tokens);
    aside.extend(fresh::keep(config, &essential, files, &metrics));
    aside.extend(bus.into_iter().flat_map(|(tasks, _)| tasks));
    let mut last_posts = None;
    if let Some(alarm) = alarm {
        let watched = (alerts_hub, journal.clone());
        let read = move || figures::readings(&figures);
        let (tasks, posts) = alerts::start(config, &essential, alarm, watched, &breakers, read)?;
        aside.extend(tasks);
        last_posts = posts;
    }
    Ok(Running {
        address,
        start_secret,
        metrics,
        readiness,
        spans,
        drain,
        door,
        stopping,
        visualization,
        serving,
        hub,
        essential,
        aside,
        last_posts,
        max_analytics,
        cluster,
        journal,
        demo: config
            .demo
            .enabled
            .then(|| tokio::spawn(play::play(config.demo.seed, config.demo.speed, intake))),
        shutdown_timeout: config.server.shutdown_timeout.get(),
    })
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// As [`start`]; [`ServeError::Ended`] when an essential task ended, after all else went down in order.
pub async fn run(config: Config) -> Result<(), ServeError> {
    // Signals are heard before the server is announced: an earlier one would end the process on the spot.
    let mut stop = StopSignal::listen();
    let asked = Asked::listen();
    let running = tokio::select! {
        running = start(&config) => running?,
        () = stop.received() => {
            tracing::info!("stopped before it listened");
            return Ok(());
        }
    };
    announce::started(
        running.address(),
        running.visualization,
        running.start_secret.as_ref(),
        &config,
    );
    let drain = running.drain().clone();
    let stop = async {
        tokio::select! {
            () = stop.received() => {}
            () = reload::heed(asked, &config) => {}
        }
        if config.server.drain_on_stop {
            stop.drains_first(&drain).await;
        }
    };
    until_the_end(running, stop).await
}

/// Goes down in order when it is told to, or when an essential task ends.
async fn until_the_end(
    mut running: Running,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let drain = running.drain().clone();
    let ended = tokio::select! {
        () = stop => {
            tracing::info!("going down");
            Ok(())
        }
        () = drain.wants_stop() => {
            tracing::info!("going down, since that was asked for after the drain");
            Ok(())
        }
        ended = running.ended() => {
            tracing::error!("{ended}");
            Err(ended.into())
        }
    };
    running.shutdown().await;
    tracing::info!("down");
    ended
}
