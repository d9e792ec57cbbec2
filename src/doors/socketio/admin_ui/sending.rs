//! The greeting of the UI, and the figures that it is sent while somebody looks at them.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    acts,
    figures::Figures,
    login::{AdminUi, Watcher},
    sockets::Shown,
};
use crate::{
    access::authn::UiSession,
    config::AdminUiMode,
    delivery::Tag,
    doors::socketio::{client::Client, context::DoorContext, engine::Frame},
};

/// The interval of the figures: the UI takes a server for dead after ten seconds of silence.
const INTERVAL: Duration = Duration::from_secs(2);

/// Greets a client that logged in as the UI; it is sent figures from now on.
pub(in crate::doors::socketio) fn enter(client: &Arc<Client>, session: &UiSession) {
    let ui = &client.context.admin_ui;
    if session.is_new {
        Watcher::emit(&**client, "session", &json!([session.id]));
    }
    let mut features = vec!["AGGREGATED_EVENTS"];
    if ui.mode == AdminUiMode::Development {
        features.push("ALL_EVENTS");
    }
    if !ui.is_readonly() {
        features.extend(acts::FEATURES);
    }
    Watcher::emit(
        &**client,
        "config",
        &json!([{ "supportedFeatures": features }]),
    );
    let mut watchers = ui.watchers();
    let watcher: Arc<dyn Watcher> = client.clone();
    watchers.clients.push((Arc::downgrade(&watcher), false));
    if !std::mem::replace(&mut watchers.is_sending, true) {
        tokio::spawn(send(ui.clone(), client.context.clone()));
    }
}

/// Sends figures while somebody looks at them.
async fn send(ui: Arc<AdminUi>, context: Arc<DoorContext>) {
    let mut figures = Figures::new();
    let mut shown = Shown::default();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let stats = figures.take(&context).await;
        let sockets = match ui.mode {
            AdminUiMode::Development => shown.changes(&context, ui.max_sockets).await,
            AdminUiMode::Production => Vec::new(),
        };
        let mut watchers = ui.watchers();
        watchers.clients.retain_mut(|(client, knows)| {
            let Some(client) = client.upgrade().filter(|client| !client.is_over()) else {
                return false;
            };
            client.emit("server_stats", &json!([stats]));
            if std::mem::replace(knows, true) {
                for (name, arguments) in &sockets {
                    client.emit(name, arguments);
                }
            } else if ui.mode == AdminUiMode::Development {
                client.emit("all_sockets", &json!([shown.all()]));
            }
            true
        });
        if watchers.clients.is_empty() {
            watchers.is_sending = false;
            return;
        }
    }
}

impl Watcher for Client {
    fn emit(&self, name: &str, arguments: &Value) {
        let list = arguments.to_string();
        // The frame has the list's brackets itself.
        let inside = list
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'));
        let frame = Frame::event(self.namespace, name, inside.unwrap_or(&list), Tag::Aside);
        self.lane.send(&frame);
        self.lane.flush();
    }

    fn is_over(&self) -> bool {
        Client::is_over(self)
    }
}
