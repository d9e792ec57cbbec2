//! The logins of the UI, and the clients that are it. The file knows no client: the context of all of them holds it.

use std::{
    fmt,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use serde_json::Value;

use crate::{
    access::{
        Identity,
        authn::{PageOrigin, TokenId, UiLogins, UiSession},
        authz::Permissions,
    },
    config::{AdminUi as Settings, AdminUiMode, Role},
    error::Error,
};

/// A client that is the UI.
pub(super) trait Watcher: fmt::Debug + Send + Sync {
    /// Sends an event with these arguments, a list.
    fn emit(&self, name: &str, arguments: &Value);
    /// Whether it has left, or was told to.
    fn is_over(&self) -> bool;
}

/// Everything that the clients which are the UI share.
#[derive(Debug)]
pub(in crate::doors::socketio) struct AdminUi {
    /// The logins; none where nobody can log in.
    logins: Option<UiLogins>,
    pub(super) mode: AdminUiMode,
    /// Sockets that are shown one by one.
    pub(super) max_sockets: usize,
    watchers: Mutex<Watchers>,
}

#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// The clients, each with whether it knows the sockets that others were told of.
    pub(super) clients: Vec<(Weak<dyn Watcher>, bool)>,
    /// Whether a task sends them figures.
    pub(super) is_sending: bool,
}

impl AdminUi {
    pub(in crate::doors::socketio) fn new(settings: &Settings) -> Self {
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
    pub(in crate::doors::socketio) async fn login(
        &self,
        auth: &Value,
        address: IpAddr,
    ) -> Result<Option<(Identity, UiSession)>, Error> {
        let Some(logins) = &self.logins else {
            return Ok(None);
        };
        let text = |key: &str| auth.get(key).and_then(Value::as_str);
        let (act, session) = match (text("sessionId"), text("username"), text("password")) {
            (Some(id), _, _) => ("resume_session", logins.resume(id)),
            (None, Some(user), Some(password)) => {
                ("login", logins.open(user, password, address).await)
            }
            _ => return Ok(None),
        };
        audit(logins, act, address, session.as_ref().err());
        let session = session?;
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

    pub(super) fn is_readonly(&self) -> bool {
        self.logins.as_ref().is_none_or(UiLogins::is_readonly)
    }

    pub(super) fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the line of a login. Refused ones have a line a minute for each network, which says how many there were; names
/// that were tried are not written, since one may be a password in the wrong field.
fn audit(logins: &UiLogins, act: &'static str, address: IpAddr, refusal: Option<&Error>) {
    let count = match refusal {
        None => Some(1),
        Some(_) => logins.failed(address),
    };
    let Some(count) = count else { return };
    let code = refusal.map_or("ok", |refusal| refusal.code);
    tracing::info!(
        target: "stoa::audit",
        act,
        actor = "admin-ui",
        address = %address,
        door = "admin_ui",
        code,
        count,
        "a login of the Admin UI"
    );
}
