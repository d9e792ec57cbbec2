//! The recovery of a client's session, as Socket.IO's own client asks for it: it shows the secret that it was told, and the
//! last place that it was told.
//!
//! A session is recovered if it is whole: the same identity, all of its rooms by its present rights, and a place from which
//! everything after it can be sent. Otherwise the client is let in anew, and told why.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use socketioxide::socket::DisconnectReason;
use tokio::sync::OnceCell;

use super::{
    admission::{Admission, Requested},
    application::left,
    client::Client,
    hello::Hello,
    welcome,
};
use crate::{
    access::{Identity, authn::PageOrigin, authz::Filter},
    channel::Namespace,
    config::Offsets,
    delivery::Cursor,
    doors::socketio::engine::{CloseReason, ExpressLane},
    hub::Standing,
    recovery::{Pid, Session, Sessions},
};

/// The settings of recovery.
#[derive(Debug, Clone)]
pub struct RecoveryOptions {
    /// The clients whose updates carry their place.
    pub offsets: Offsets,
    /// The sessions to come back to.
    pub sessions: Arc<Sessions>,
}

/// The clients that are here, by their sessions' secrets.
#[derive(Debug, Default)]
pub(super) struct Here(Mutex<HashMap<Pid, Weak<Client>>>);

impl Here {
    fn get(&self, pid: Pid) -> Option<Arc<Client>> {
        self.lock().get(&pid)?.upgrade()
    }

    fn left(&self, pid: Pid, client: &Client) {
        let mut here = self.lock();
        if here
            .get(&pid)
            .is_some_and(|one| std::ptr::eq(one.as_ptr(), client))
        {
            here.remove(&pid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Weak<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's way back to its session.
#[derive(Debug)]
pub(super) struct WayBack {
    pid: Pid,
    /// A hash of what the client asked for.
    asked: u64,
    /// Whether its session outlives the process: only with the places that it is told it can be recovered then.
    is_kept: bool,
    /// The session that it came back to, until it is introduced.
    former: Mutex<Option<Arc<Session>>>,
    /// Whether its session is left, so that it is not noted as a live one again.
    is_left: Mutex<bool>,
    departed: OnceCell<()>,
    sessions: Arc<Sessions>,
}

/// The session of a client that comes.
#[derive(Debug, Default)]
pub(super) struct Coming {
    pub(super) way_back: Option<Box<WayBack>>,
    /// The session that it is given back, and the cursor from which it goes on.
    pub(super) recovered: Option<(Arc<Session>, String)>,
    /// The reason why it is given back none, although it asked for it.
    pub(super) refused: Option<&'static str>,
}

impl WayBack {
    fn new(
        pid: Pid,
        asked: u64,
        is_kept: bool,
        former: Option<Arc<Session>>,
        sessions: &Arc<Sessions>,
    ) -> Box<Self> {
        Box::new(Self {
            sessions: sessions.clone(),
            pid,
            asked,
            is_kept,
            former: Mutex::new(former),
            is_left: Mutex::default(),
            departed: OnceCell::new(),
        })
    }

    /// The secret's text, for the client alone.
    pub(super) fn pid(&self) -> String {
        self.pid.text()
    }
}

/// A client that was not let in after all leaves the session where it was.
impl Drop for WayBack {
    fn drop(&mut self) {
        let is_left = *lock(&self.is_left);
        if let Some(former) = lock(&self.former).take().filter(|_| !is_left) {
            self.sessions.put(self.pid, Session::clone(&former));
        }
    }
}

impl Coming {
    /// The public id of the client that it was.
    pub(super) fn id(&self) -> Option<Arc<str>> {
        let (session, _) = self.recovered.as_ref()?;
        Some(session.client.clone())
    }
}

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
        if self.namespace != Namespace::Root
            || options.offsets == Offsets::Off
            || request.is_first_protocol
        {
            return Coming::default();
        }
        let is_page = request.page != PageOrigin::NoPage;
        let sends_offsets = hello.recovery || (options.offsets == Offsets::Browsers && is_page);
        if sends_offsets {
            lane.send_offsets();
        }
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
        if let Some(before) = context.here.get(pid) {
            if before.who().verified() != who.verified() {
                return Err("identity");
            }
            if Arc::ptr_eq(&before.lane, lane) {
                return Err("unknown");
            }
            before.give_way().await;
        }
        let (session, is_over) = sessions.get(pid).ok_or("unknown")?;
        if session.owner != who.verified() {
            return Err("identity");
        }
        if is_over {
            return Err("expired");
        }
        match session.bar.as_deref() {
            None => {}
            Some("placed") => return Err("placed"),
            Some(_) => return Err("subscriptions"),
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
        let asked = session.rooms.iter().filter(|room| !own.contains(room));
        let asked = asked.map(|room| &**room);
        let fixed = (default_room.as_str(), &[][..]);
        let authenticator = &self.context.authenticator;
        authenticator.check_rooms(asked, who, fixed).is_ok()
            && Filter::parse(&session.filter).is_ok()
    }
}

impl Client {
    /// Lists the client as one that is here.
    pub(super) fn is_here(self: &Arc<Self>) {
        if let Some(way_back) = &self.way_back {
            let mut here = self.context.here.lock();
            here.insert(way_back.pid, Arc::downgrade(self));
        }
    }

    /// Notes that the hub knows the client: from now on its place is its own.
    pub(super) fn is_introduced(&self) {
        if let Some(way_back) = &self.way_back
            && self.member().is_some()
        {
            lock(&way_back.former).take();
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
            let is_left = lock(&way_back.is_left);
            if *is_left {
                return;
            }
            sessions.put(way_back.pid, self.session(way_back, standing, None));
        }
        sessions.kept().await;
    }

    /// Leaves the client's session to whom comes back to it, once: its membership ends, and its place is noted.
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
        *lock(&way_back.is_left) = true;
        let former = lock(&way_back.former).take();
        let session = match (standing, former) {
            (Ok(Some(standing)), _) => Some(self.session(way_back, standing, Some(now()))),
            // It was not introduced yet, so it got nothing.
            (_, Some(former)) => Some(Session::clone(&former)),
            // Only what was noted is known of it.
            (_, None) => sessions.get(way_back.pid).map(|(noted, _)| Session {
                ended: noted.ended.or_else(|| Some(now())),
                ..Session::clone(&noted)
            }),
        };
        if let Some(session) = session {
            sessions.put(way_back.pid, session);
        }
        self.context.here.left(way_back.pid, self);
    }

    /// Ends the client's session: nobody comes back to it.
    fn forget(&self) {
        if let Some(way_back) = &self.way_back {
            *lock(&way_back.is_left) = true;
            self.context.here.left(way_back.pid, self);
            self.context.options.recovery.sessions.take(way_back.pid);
        }
    }

    /// Ends the connection, since its client has come by another one. Its own end, noticed later, changes nothing.
    async fn give_way(self: &Arc<Self>) {
        self.lane.kill(CloseReason::Replaced);
        left(self, DisconnectReason::TransportError);
        self.depart().await;
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
        let has_all = ended.is_some() && self.lane.has_all();
        Session {
            client: self.id.clone(),
            owner: self.who().verified(),
            rooms: standing.rooms,
            filter: standing.filter.to_value(),
            asked: way_back.asked,
            at: standing.cursor.filter(|_| has_all).map(Into::into),
            bar: standing.bar.map(Into::into),
            is_kept: way_back.is_kept,
            ended,
        }
    }
}

/// A hash of what a client asks for, the same in each process.
fn hash(hello: &Hello) -> u64 {
    let mut hasher = DefaultHasher::new();
    let filter = hello.filter.to_value().to_string();
    let role = hello.role.map(|role| role.as_str());
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
