//! The recovery of a client's session, as Socket.IO's own client asks for it: it shows the secret that it was told, and the
//! last place that it was told.
//!
//! A session is recovered if it is whole: the same identity, all of its rooms by its present rights, and a place from which
//! everything after it can be sent. Otherwise the client is let in anew, and told why.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Weak, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use socketioxide::socket::DisconnectReason;

use super::{
    admission::{Admission, Requested},
    application::left,
    client::Client,
    hello::Hello,
    here::Replaceable,
    way_back::{Coming, WayBack, locked},
    welcome,
};
use crate::{
    access::{
        Identity,
        authn::PageOrigin,
        authz::{Filter, Fixed},
    },
    channel::Namespace,
    config::{Offsets, Role},
    delivery::Cursor,
    doors::socketio::engine::{CloseReason, ExpressLane},
    hub::Standing,
    recovery::{Pid, Session},
};

impl Admission {
    /// Finds the session of a client that may come in, and takes it if it can be recovered.
    pub(super) async fn recover(
        &self,
        hello: &Hello,
        who: &Identity,
        request: &Requested,
        lane: &Arc<ExpressLane>,
    ) -> Coming {
        let options = &self.context.options.recovery;
        let is_recovered = self.namespace == Namespace::Root || self.namespace.is_app();
        if !is_recovered || options.offsets == Offsets::Off || request.is_first_protocol {
            return Coming::default();
        }
        let is_page = request.page != PageOrigin::NoPage;
        let sends_offsets = hello.recovery || (options.offsets == Offsets::Browsers && is_page);
        let asked = hash(hello);
        let found = match hello.pid {
            None => None,
            Some(pid) => Some((pid, self.find(pid, asked, hello, who, lane).await)),
        };
        let counters = options.sessions.metrics();
        match found {
            Some((pid, Ok((session, from)))) => {
                let former = Some(session.clone());
                Coming {
                    way_back: Some(WayBack::new(
                        pid,
                        asked,
                        sends_offsets,
                        former,
                        &options.sessions,
                    )),
                    recovered: Some((session, from)),
                    refused: None,
                }
            }
            other => {
                let refused = other.and_then(|(_, found)| found.err());
                if let Some(reason) = refused {
                    counters.came(reason);
                }
                // Without random bytes there is no session to come back to.
                let pid = Pid::mint();
                Coming {
                    way_back: pid.map(|pid| {
                        WayBack::new(pid, asked, sends_offsets, None, &options.sessions)
                    }),
                    recovered: None,
                    refused,
                }
            }
        }
    }

    /// Takes the session of this secret, with the cursor to go on from; or says why it can't be recovered.
    async fn find(
        &self,
        pid: Pid,
        asked: u64,
        hello: &Hello,
        who: &Identity,
        lane: &Arc<ExpressLane>,
    ) -> Result<(Arc<Session>, String), &'static str> {
        let context = &self.context;
        let sessions = &context.options.recovery.sessions;
        let path = self.namespace.path();
        if let Some(before) = context.here.get(pid) {
            if before.path() != path {
                return Err("unknown");
            }
            if before.who().verified() != who.verified() {
                return Err("identity");
            }
            if before.is_by(lane) {
                return Err("unknown");
            }
            before.give_way().await;
        }
        sessions.claim(pid).await;
        let found = sessions.get(pid);
        let found = found.filter(|(session, _)| *session.namespace == *path);
        let (session, is_over) = found.ok_or("unknown")?;
        if session.owner != who.verified() {
            return Err("identity");
        }
        if is_over {
            return Err("expired");
        }
        if session.bar.is_some() {
            return Err("subscriptions");
        }
        let backend = context.backend(self.namespace);
        let is_asked = backend.is_some_and(|backend| backend.is_asked());
        // Nobody else can say whether its word still holds.
        if !session.placed.is_empty() && !is_asked {
            return Err("placed");
        }
        if session.asked != asked {
            return Err("changed");
        }
        if !self.may_enter_again(&session, who) {
            return Err("rights");
        }
        let place = |offset: &&String| offset.parse::<Cursor>().is_ok();
        let from = match (&hello.cursor, hello.offset.as_ref().filter(place)) {
            (Some(cursor), _) => cursor.clone(),
            (None, Some(offset)) => offset.clone(),
            (None, None) => session.at.as_deref().ok_or("no_offset")?.to_owned(),
        };
        match context.hub.can_resume(from.clone()).await {
            Ok(can) => can?,
            Err(_) => return Err("unknown"),
        }
        // Of two that come at once one is first.
        let session = sessions.take(pid).ok_or("unknown")?;
        Ok((session, from))
    }

    /// Whether a client may be in all rooms of a session now.
    fn may_enter_again(&self, session: &Session, who: &Identity) -> bool {
        let default_room = &self.context.options.default_room;
        let own = welcome::rooms(self.namespace, who, default_room, Vec::new());
        let others = session.rooms.iter().filter(|room| !own.contains(room));
        let asked = others.filter(|room| !session.placed.contains(room));
        let asked = asked.map(|room| &**room);
        let fixed = Fixed {
            default_room,
            own: &[],
            is_app: self.namespace.is_app(),
        };
        let authenticator = &self.context.authenticator;
        authenticator.check_rooms(asked, who, fixed).is_ok()
            && Filter::parse(&session.filter).is_ok()
    }
}

impl Client {
    /// Lists the client as one that is here.
    pub(super) fn is_here(self: &Arc<Self>) {
        if let Some(way_back) = &self.way_back {
            let client: Weak<Self> = Arc::downgrade(self);
            self.context.here.entered(way_back.pid(), client);
        }
    }

    /// Notes that the hub knows the client: from now on its place is its own.
    pub(super) fn is_introduced(&self) {
        if let Some(way_back) = &self.way_back
            && self.member().is_some()
        {
            locked(&way_back.former).take();
        }
    }

    /// Notes the client as it stands, if its session outlives the process; returns when that is kept.
    pub(super) async fn remember(&self) {
        let Some(way_back) = self.way_back.as_ref().filter(|way_back| way_back.is_kept) else {
            return;
        };
        let Some(member) = self.member() else {
            return;
        };
        let Ok(Some(standing)) = self.context.hub.standing(member, false).await else {
            return;
        };
        let sessions = &self.context.options.recovery.sessions;
        {
            let is_left = locked(&way_back.is_left);
            if *is_left {
                return;
            }
            sessions.put(way_back.pid(), self.session(way_back, standing, None));
        }
        sessions.kept().await;
    }

    /// Leaves the client's session to be recovered, once: its membership ends, and its place is noted.
    pub(super) async fn depart(&self) {
        let Some(way_back) = &self.way_back else {
            return;
        };
        way_back
            .departed
            .get_or_init(|| self.leave_session(way_back))
            .await;
    }

    async fn leave_session(&self, way_back: &WayBack) {
        let sessions = &self.context.options.recovery.sessions;
        let membership = self.place().take();
        let standing = match &membership {
            Some(membership) => self.context.hub.standing(membership.id(), true).await,
            None => Ok(None),
        };
        if self.is_moving.load(Ordering::Acquire) {
            self.takes_all().await;
        }
        *locked(&way_back.is_left) = true;
        let former = locked(&way_back.former).take();
        let session = match (standing, former) {
            (Ok(Some(standing)), _) => Some(self.session(way_back, standing, Some(now()))),
            // The client was not introduced yet, so it got nothing.
            (_, Some(former)) => Some(Session::clone(&former)),
            // Only what was noted is known of it.
            (_, None) => sessions.get(way_back.pid()).map(|(noted, _)| Session {
                ended: noted.ended.or_else(|| Some(now())),
                ..Session::clone(&noted)
            }),
        };
        if let Some(session) = session {
            sessions.put(way_back.pid(), session);
        }
        self.context.here.left(way_back.pid(), self);
    }

    /// Ends the client's session: nobody comes back to it.
    fn forget(&self) {
        if let Some(way_back) = &self.way_back {
            *locked(&way_back.is_left) = true;
            self.context.here.left(way_back.pid(), self);
            self.context.options.recovery.sessions.take(way_back.pid());
        }
    }

    /// Decides what becomes of the session of a client that left. Returns whether its membership is still to be ended with
    /// that.
    pub(super) fn leaves_session(self: &Arc<Self>, reason: DisconnectReason) -> bool {
        if self.way_back.is_none() {
            return false;
        }
        let is_meant = matches!(
            reason,
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect
        );
        let is_thrown_out = matches!(
            self.lane.killed(),
            Some(CloseReason::Revoked | CloseReason::Banned | CloseReason::Disconnected)
        );
        if is_meant || is_thrown_out {
            self.forget();
            return false;
        }
        let client = self.clone();
        tokio::spawn(async move { client.depart().await });
        true
    }

    fn session(&self, way_back: &WayBack, standing: Standing, ended: Option<u64>) -> Session {
        let has_all = ended.is_some() && self.lane.has_all(self.namespace);
        Session {
            client: self.id.clone(),
            namespace: self.namespace.path().into(),
            owner: self.who().verified(),
            address: Some(self.address),
            rooms: standing.rooms,
            placed: standing.placed,
            data: self.data.get().map(|data| data.get().into()),
            word: way_back.word.get().copied(),
            filter: standing.filter.to_value(),
            asked: way_back.asked,
            at: standing.cursor.filter(|_| has_all).map(Into::into),
            bar: standing.bar.map(Into::into),
            is_kept: way_back.is_kept,
            ended,
        }
    }
}

impl Replaceable for Client {
    fn who(&self) -> Arc<Identity> {
        self.performer.who()
    }

    fn path(&self) -> &'static str {
        self.namespace.path()
    }

    fn is_by(&self, lane: &Arc<ExpressLane>) -> bool {
        Arc::ptr_eq(&self.lane, lane)
    }

    fn give_way(self: Arc<Self>) -> BoxFuture<'static, ()> {
        self.lane.kill(CloseReason::Replaced);
        left(&self, DisconnectReason::TransportError);
        Box::pin(async move { self.depart().await })
    }
}

/// A hash of what a client asks for, the same in each process.
fn hash(hello: &Hello) -> u64 {
    let mut hasher = DefaultHasher::new();
    let filter = hello.filter.to_value().to_string();
    let role = hello.role.map(Role::as_str);
    let shape = hello.shape.as_str();
    (&hello.rooms, filter, hello.batch, shape, role).hash(&mut hasher);
    hasher.finish()
}

/// The time in milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
