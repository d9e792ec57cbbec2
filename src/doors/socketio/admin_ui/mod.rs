//! Socket.IO's own Admin UI (`@socket.io/admin-ui`) on `/admin`: its login, the figures that it is sent, and its acts.
//!
//! It shares the namespace with Stoa's own vocabulary for operators; no names collide. A client is the UI if it logged in as it;
//! all others are sent nothing of this.

mod acts;
mod figures;
mod sockets;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use serde_json::{Value, json};

use super::{client::Client, context::DoorContext, inbox::Inbound};
use crate::{
    access::{
        Identity,
        authn::{PageOrigin, TokenId, UiLogins, UiSession},
        authz::Permissions,
    },
    config::{AdminUi as Settings, AdminUiMode, Role},
    delivery::Tag,
    doors::socketio::engine::Frame,
    error::Error,
};
use figures::Figures;
use sockets::Shown;

/// The interval of the figures: the UI takes a server for dead after ten seconds of silence.
const INTERVAL: Duration = Duration::from_secs(2);

/// Everything that the clients which are the UI share.
#[derive(Debug)]
pub(super) struct AdminUi {
    /// The logins; none where nobody can log in.
    logins: Option<UiLogins>,
    mode: AdminUiMode,
    /// Sockets that are shown one by one.
    max_sockets: usize,
    watchers: Mutex<Watchers>,
}

#[derive(Debug, Default)]
struct Watchers {
    /// The clients, each with whether it knows the sockets that others were told of.
    clients: Vec<(Weak<Client>, bool)>,
    /// Whether a task sends them figures.
    is_sending: bool,
}

impl AdminUi {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            logins: UiLogins::new(settings),
            mode: settings.mode,
            max_sockets: settings.max_sockets.into(),
            watchers: Mutex::default(),
        }
    }

    /// The identity of a client that logs in as the UI; none for a client that shows neither a password nor a session.
    ///
    /// # Errors
    /// `invalid credentials`, in just these words: the UI shows its form again for no others.
    pub(super) async fn login(
        &self,
        auth: &Value,
        address: IpAddr,
    ) -> Result<Option<(Identity, UiSession)>, Error> {
        let Some(logins) = &self.logins else {
            return Ok(None);
        };
        let text = |key: &str| auth.get(key).and_then(Value::as_str);
        let session = match (text("sessionId"), text("username"), text("password")) {
            (Some(id), _, _) => logins.resume(id)?,
            (None, Some(user), Some(password)) => logins.open(user, password, address).await?,
            _ => return Ok(None),
        };
        let who = Identity {
            role: Role::Operator,
            name: Some("admin-ui".into()),
            permissions: Permissions::everything(),
            token: Some(TokenId::from("admin-ui")),
            page: PageOrigin::default(),
            expires: Some(session.expires),
            ..Identity::default()
        };
        Ok(Some((who, session)))
    }

    /// Greets a client that logged in as the UI; it is sent figures from now on.
    pub(super) fn enter(self: &Arc<Self>, client: &Arc<Client>, session: &UiSession) {
        if session.is_new {
            emit(client, "session", &json!([session.id]));
        }
        let mut features = vec!["AGGREGATED_EVENTS"];
        if self.mode == AdminUiMode::Development {
            features.push("ALL_EVENTS");
        }
        if !self.is_readonly() {
            features.extend(acts::FEATURES);
        }
        emit(
            client,
            "config",
            &json!([{ "supportedFeatures": features }]),
        );
        let mut watchers = self.lock();
        watchers.clients.push((Arc::downgrade(client), false));
        if !std::mem::replace(&mut watchers.is_sending, true) {
            tokio::spawn(self.clone().send(client.context.clone()));
        }
    }

    /// Carries out an act of the UI; false if the event is none of its.
    pub(super) async fn act(&self, client: &Client, inbound: &Inbound) -> bool {
        acts::act(self, client, inbound).await
    }

    fn is_readonly(&self) -> bool {
        self.logins.as_ref().is_none_or(UiLogins::is_readonly)
    }

    /// Sends figures while somebody looks at them.
    async fn send(self: Arc<Self>, context: Arc<DoorContext>) {
        let mut figures = Figures::new();
        let mut shown = Shown::default();
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let stats = figures.take(&context).await;
            let sockets = match self.mode {
                AdminUiMode::Development => shown.changes(&context, self.max_sockets).await,
                AdminUiMode::Production => Vec::new(),
            };
            let mut watchers = self.lock();
            watchers.clients.retain_mut(|(client, knows)| {
                let Some(client) = client.upgrade().filter(|client| !client.is_over()) else {
                    return false;
                };
                emit(&client, "server_stats", &json!([stats]));
                if std::mem::replace(knows, true) {
                    for (name, arguments) in &sockets {
                        emit(&client, name, arguments);
                    }
                } else if self.mode == AdminUiMode::Development {
                    emit(&client, "all_sockets", &json!([shown.all()]));
                }
                true
            });
            if watchers.clients.is_empty() {
                watchers.is_sending = false;
                return;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a client an event with these arguments, a list.
fn emit(client: &Client, name: &str, arguments: &Value) {
    let list = arguments.to_string();
    let inside = list.trim_start_matches('[').len();
    debug_assert!(inside < list.len(), "arguments are a list");
    let arguments = &list[1..list.len() - 1];
    let frame = Frame::event(client.namespace, name, arguments, Tag::Aside);
    client.lane.send(&frame);
    client.lane.flush();
}
