//! The live connections. They are listed so that they can be ended when their time is over, or when an admin says so.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{
    connection::{Connection, DisconnectReason},
    movable::Movable,
};
use crate::{
    access::Identity,
    config::Role,
    decision::{Revoked, Who},
    observe::{
        Metrics,
        usage::{Activity, Opening},
    },
    timestamp::Timestamp,
};

/// The interval at which expired sessions are looked for: they may end so much too late.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// One connection, as admins see it.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The public id.
    pub client_id: Arc<str>,
    /// The user.
    pub user: Option<Arc<str>>,
    /// The name that the client gives itself.
    pub name: Option<Arc<str>>,
    /// The role.
    pub role: Role,
    /// `socketio` or `sse`.
    pub transport: &'static str,
    /// The namespace that the client is on.
    pub namespace: &'static str,
    /// The address that the client comes from.
    pub address: IpAddr,
    /// The time at which it connected.
    pub connected_at: Timestamp,
    /// The time at which it will be ended.
    pub expires_at: Option<Timestamp>,
    /// The id of its token.
    pub token_id: Option<String>,
}

/// The facts about a connection beside its identity.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The public id.
    pub client_id: Arc<str>,
    /// `socketio` or `sse`.
    pub transport: &'static str,
    /// The namespace that the client is on.
    pub namespace: &'static str,
    /// The address that the client comes from.
    pub address: IpAddr,
}

/// All connections.
#[derive(Debug)]
pub struct Sessions {
    live: Mutex<Live>,
    /// Counts each session, whatever door it comes by.
    metrics: Arc<Metrics>,
}

/// An entry of the list.
type Listed = (Session, Weak<dyn Connection>, Arc<Activity>);

#[derive(Debug, Default)]
struct Live {
    /// Entries by public id. They don't keep a connection alive that is gone.
    by_id: HashMap<Arc<str>, Listed>,
    /// The ends of sessions, soonest first.
    ends: BTreeSet<(SystemTime, Arc<str>)>,
    /// The end of each session by id, to find it in `ends`.
    end_of: HashMap<Arc<str>, SystemTime>,
}

/// A connection's entry in the list, which is removed when this is dropped.
#[derive(Debug)]
pub struct SessionGuard {
    sessions: Arc<Sessions>,
    id: Arc<str>,
    activity: Arc<Activity>,
}

impl SessionGuard {
    /// The client sent a message that uses a feature.
    pub fn message(&self, feature: &str) {
        self.activity.touch();
        self.sessions.metrics.usage.message(feature);
    }

    /// The client sent a message.
    pub fn touch(&self) {
        self.activity.touch();
    }

    /// The session ends because its client or the server wants it to: the connection was not lost.
    pub fn goodbye(&self) {
        self.activity.goodbye();
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
        self.sessions.metrics.usage.end(&self.id);
    }
}

impl Sessions {
    /// No sessions yet; each is counted in the metrics.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            live: Mutex::default(),
            metrics,
        })
    }

    /// Lists a connection.
    pub fn begin(
        self: &Arc<Self>,
        origin: &Origin,
        who: &Identity,
        connection: Weak<dyn Connection>,
    ) -> SessionGuard {
        let id = origin.client_id.clone();
        let usage = &self.metrics.usage;
        let activity = usage.begin(Opening {
            id: &id,
            address: origin.address,
            user: who.user.as_deref(),
            name: who.name.as_deref(),
        });
        let session = Session {
            client_id: id.clone(),
            user: None,
            name: None,
            role: Role::default(),
            transport: origin.transport,
            namespace: origin.namespace,
            address: origin.address,
            connected_at: Timestamp::now(),
            expires_at: None,
            token_id: None,
        };
        let mut live = self.lock();
        live.by_id
            .insert(id.clone(), (session, connection, activity.clone()));
        live.set(&id, who);
        drop(live);
        SessionGuard {
            sessions: self.clone(),
            id,
            activity,
        }
    }

    /// Gives a connection a new identity, or a later end.
    pub fn renew(&self, id: &Arc<str>, who: &Identity) {
        self.lock().set(id, who);
        self.metrics.usage.renew(id, who.user.as_deref());
    }

    /// The number of connections.
    pub fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// The names and the roles of these clients, as far as they are connected.
    pub fn named(
        &self,
        ids: &[Arc<str>],
    ) -> impl Iterator<Item = (Arc<str>, (Option<Arc<str>>, Role))> + use<> {
        let live = self.lock();
        let of = |id: &Arc<str>| {
            let (session, ..) = live.by_id.get(id)?;
            Some((id.clone(), (session.name.clone(), session.role)))
        };
        let named: Vec<_> = ids.iter().filter_map(of).collect();
        named.into_iter()
    }

    /// The connections that `wanted` accepts, at most `limit` of them, and how many it accepts in all.
    pub fn list(&self, limit: usize, wanted: impl Fn(&Session) -> bool) -> (Vec<Session>, usize) {
        let live = self.lock();
        let mut found: Vec<Session> = live
            .by_id
            .values()
            .map(|(session, _, _)| session)
            .filter(|session| wanted(session))
            .cloned()
            .collect();
        let total = found.len();
        found.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
        found.truncate(limit);
        (found, total)
    }

    /// Ends the connections that `chosen` accepts, and says how many.
    pub fn end(&self, why: DisconnectReason, chosen: impl Fn(&Session) -> bool) -> usize {
        let found: Vec<_> = {
            let live = self.lock();
            let found = live
                .by_id
                .values()
                .filter(|(session, _, _)| chosen(session));
            found.filter_map(Live::ending).collect()
        };
        // Connections are ended outside the lock, since each takes itself off the list.
        found.iter().for_each(|connection| connection.end(why));
        found.len()
    }

    /// The connections that `chosen` accepts, to be moved.
    pub fn movable(&self, chosen: impl Fn(&Session) -> bool) -> Vec<Movable> {
        let live = self.lock();
        let chosen = live.by_id.values().filter(|(session, ..)| chosen(session));
        chosen
            .map(|(_, connection, activity)| Movable::new(connection.clone(), activity.clone()))
            .collect()
    }

    /// Ends each session when its time is over. Never returns.
    pub async fn end_in_time(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EXPIRY_CHECK_INTERVAL).await;
            for connection in self.over(SystemTime::now()) {
                connection.end(DisconnectReason::Expired);
            }
        }
    }

    fn over(&self, now: SystemTime) -> Vec<Arc<dyn Connection>> {
        let mut live = self.lock();
        let mut over = Vec::new();
        while live.ends.first().is_some_and(|(end, _)| *end <= now) {
            let Some((_, id)) = live.ends.pop_first() else {
                break;
            };
            live.end_of.remove(&id);
            over.extend(live.by_id.get(&id).and_then(Live::ending));
        }
        over
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// The connection of an entry, to be ended: that is no loss.
    fn ending((_, connection, activity): &Listed) -> Option<Arc<dyn Connection>> {
        activity.goodbye();
        connection.upgrade()
    }

    fn set(&mut self, id: &Arc<str>, who: &Identity) {
        let Some((session, _, _)) = self.by_id.get_mut(id) else {
            return;
        };
        session.user = who.user.clone();
        session.name = who.name.clone();
        session.role = who.role;
        session.token_id = who.token.as_ref().map(ToString::to_string);
        session.expires_at = who.expires.map(Timestamp::from);
        if let Some(end) = self.end_of.remove(id) {
            self.ends.remove(&(end, id.clone()));
        }
        if let Some(end) = who.expires {
            self.ends.insert((end, id.clone()));
            self.end_of.insert(id.clone(), end);
        }
    }

    fn remove(&mut self, id: &Arc<str>) {
        self.by_id.remove(id);
        if let Some(end) = self.end_of.remove(id) {
            self.ends.remove(&(end, id.clone()));
        }
    }
}

impl Session {
    /// Whether a ban applies to this client.
    pub fn is(&self, who: &Who) -> bool {
        match who {
            Who::User(user) => self.user.as_deref() == Some(user),
            Who::Address(address) => self.address == *address,
            Who::Token(token) => self.token_id.as_ref() == Some(token),
        }
    }

    /// Whether a revocation made now applies to this client.
    pub fn has(&self, revoked: &Revoked) -> bool {
        match revoked {
            Revoked::User(user) => self.user.as_deref() == Some(user),
            Revoked::Token(token) => self.token_id.as_ref() == Some(token),
        }
    }
}
