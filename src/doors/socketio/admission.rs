//! The admission of a client to a namespace, whoever speaks its protocol: the engine, or `websocket`.

use std::{
    net::IpAddr,
    sync::{Arc, Weak, atomic::Ordering},
    time::Instant,
};

use http::{Extensions, Uri};
use serde_json::{Value, value::RawValue};
use socketioxide::socket::Sid;

use super::{
    admin_ui,
    client::Client,
    context::DoorContext,
    entrance::{NotAdmitted, Shown},
    hello::Hello,
    way_back::Coming,
    welcome::{self, ConnectOptions},
};
use crate::{
    access::{
        self, Identity, Peer,
        authn::{Credential, PageOrigin, UiSession},
    },
    channel::Namespace,
    doors::socketio::engine::{Engine, ExpressLane, door::query},
    error::Error,
    net::ClientAddress,
};

/// The parts of a session's request that its CONNECT packets are judged by.
#[derive(Debug)]
pub(super) struct Requested {
    uri: Uri,
    credential: Option<Credential>,
    address: IpAddr,
    pub(super) page: PageOrigin,
    /// The headers that the application's service is shown.
    headers: Value,
    /// Whether the session began with polling.
    polls: bool,
    /// Whether the client speaks Engine.IO 3.
    pub(super) is_first_protocol: bool,
}

impl Requested {
    pub(super) fn of(uri: Uri, extensions: &Extensions, polls: bool, headers: Value) -> Self {
        Self {
            headers,
            polls,
            is_first_protocol: query(&uri, "EIO") == Some("3"),
            uri,
            credential: extensions.get().cloned(),
            address: ClientAddress::of(extensions),
            page: extensions.get().copied().unwrap_or_default(),
        }
    }
}

/// Lets clients onto one namespace.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pub(super) context: Arc<DoorContext>,
    pub(super) namespace: Namespace,
}

/// An accepted client, which is not told yet.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    hello: Arc<Hello>,
    pub(super) client: Arc<Client>,
    /// The login, if it is Socket.IO's Admin UI.
    ui: Option<UiSession>,
    /// The operations of the application's service.
    operations: Vec<Box<RawValue>>,
    /// The session that it is given back, or the reason why it is given none.
    coming: Arc<Coming>,
    /// Whether its session began with polling, and the time at which it asked.
    came: (bool, Instant),
}

impl Admission {
    /// Reads and checks the hello, and makes the client; an error becomes the CONNECT_ERROR.
    pub(super) async fn let_in(
        &self,
        sid: Sid,
        request: &Requested,
        lane: Arc<ExpressLane>,
        auth: &Value,
    ) -> Result<Admitted, NotAdmitted> {
        let requested = lane.requested();
        let query = lane.take_query(self.namespace);
        let (hello, who, ui) = self
            .check(request, auth, query.as_deref())
            .await
            .inspect_err(|refusal| self.context.metrics.turned_away("connect", refusal))?;
        let former = request.is_first_protocol.then(|| sid.to_string().into());
        let mut coming = self.recover(&hello, &who, request, &lane).await;
        // The service knows the client that left by its id: it is told of another one.
        let id = coming
            .id()
            .filter(|_| self.context.backend(self.namespace).is_none());
        let client = Client::new(
            (former, request.address),
            (id, coming.way_back.take()),
            self.namespace,
            who,
            lane.clone(),
            self.context.clone(),
        );
        let shown = Shown {
            auth,
            query: query.as_deref().or(request.uri.query()).unwrap_or_default(),
            headers: &request.headers,
        };
        let entry = client
            .ask_to_enter(shown, coming.session())
            .await
            .inspect_err(|why| why.count(&self.context.metrics))?;
        if let Some(word) = &entry.word {
            client.heed(word, &mut coming);
        }
        lane.admit();
        client
            .begin()
            .inspect_err(|refusal| self.context.metrics.turned_away("connect", refusal))?;
        let pid = client
            .way_back
            .as_ref()
            .map(|way_back| way_back.pid().text());
        client.lane.known_as(self.namespace, &client.id, pid);
        client.is_here();
        if coming.recovered.is_some() {
            let sessions = &self.context.options.recovery.sessions;
            sessions.metrics().came("recovered");
        }
        self.context.actions.listed(&client.performer);
        let weak: Weak<Client> = Arc::downgrade(&client);
        let clients = &self.context.options.operations.clients;
        clients.entered(weak, client.id.clone());
        Ok(Admitted {
            hello: Arc::new(hello),
            client,
            ui,
            operations: entry.operations,
            came: (request.polls, requested),
            coming: Arc::new(coming),
        })
    }

    async fn check(
        &self,
        request: &Requested,
        auth: &Value,
        query: Option<&str>,
    ) -> Result<(Hello, Identity, Option<UiSession>), Error> {
        let hello = match self.namespace.is_app() {
            true => Hello::of_application(auth, &request.uri, query)?,
            false => Hello::read(Some(auth), &request.uri, query)?,
        };
        let backend = self.context.backend(self.namespace);
        let peer = Peer {
            credential: hello.token.as_ref().or(request.credential.as_ref()),
            address: request.address,
            role: hello.role.unwrap_or_default(),
            name: hello.name.as_deref().map(Into::into),
            page: request.page,
            is_served: backend.is_some(),
            is_asked_about: backend.is_some_and(|backend| backend.is_asked()),
        };
        let login = match self.namespace {
            Namespace::Admin => self.context.admin_ui.login(auth, request.address).await?,
            _ => None,
        };
        let (who, ui) = match login {
            Some((who, session)) => (who, Some(session)),
            None => (self.context.authenticator.identify(peer).await?, None),
        };
        if self.namespace == Namespace::Admin && !who.role.may_see_stats() {
            return Err(Error::forbidden(
                "the namespace /admin is for operators and admins",
            ));
        }
        let max_rooms = self.context.options.max_rooms;
        if hello.rooms.len() > max_rooms {
            return Err(access::authz::too_many_rooms(max_rooms));
        }
        let rooms = hello.rooms.iter().map(String::as_str);
        let fixed = (self.context.options.default_room.as_str(), &[][..]);
        let authenticator = &self.context.authenticator;
        authenticator.check_rooms(rooms, &who, fixed)?;
        Ok((hello, who, ui))
    }

    /// Introduces a client that was told that it is in; `engine` is the engine's way to it.
    pub(super) fn enter(&self, admitted: &Admitted, engine: Arc<dyn Engine>) {
        let Admitted {
            hello,
            client,
            ui,
            operations,
            came,
            coming,
        } = admitted;
        client.stays(client.lane.connect(self.namespace, engine));
        let options = ConnectOptions::of(hello, self.namespace, *came, coming);
        if !client.count() {
            return;
        }
        tracing::debug!(client = %client.id, namespace = self.namespace.path(), role = client.who().role.as_str(), "connected");
        tokio::spawn(welcome::introduce(
            client.clone(),
            options,
            operations.clone(),
        ));
        if let Some(session) = ui {
            client.is_ui.store(true, Ordering::Relaxed);
            admin_ui::enter(client, session);
        }
    }
}
