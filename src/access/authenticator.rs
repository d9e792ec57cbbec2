//! Decides who may connect, and ends sessions whose time is over.

mod elsewhere;
mod everywhere;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

pub use everywhere::{Ended, Ending, Wanted};

use super::{Identity, Peer};
use crate::{
    access::{
        authn::{Claims, Credential, PageOrigin, StartSecret, TokenId, Tokens},
        authz::{
            Blocklist, Connection, DisconnectReason, Fixed, Meter, Origin, Permissions, Policy,
            Rates, SessionGuard, Sessions, TooMuch,
            blocklist::{banned, strikes_reach},
            check_room,
        },
    },
    cluster::Cluster,
    config::{FreeRooms, Role},
    decision::Who,
    error::Error,
    event::ThingKind,
    ledger::Homes,
    observe::Metrics,
};

/// The authenticator's part of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatorOptions {
    /// Nobody may connect without a valid token.
    pub required: bool,
    /// A token must be valid even where none is required; otherwise an invalid one counts as a token that claims
    /// nothing.
    pub validate: bool,
    /// The time that a session lives without a fresh token.
    pub session: Duration,
    /// The time for which a client is banned that exceeds its limits again and again.
    pub ban: Duration,
    /// The application's own service decides what clients may do: one without a token is a guest, except a program of
    /// this machine.
    pub has_service: bool,
    /// That service lets clients in without a token where others need one.
    pub service_admits: bool,
    /// Others than programs and pages of this machine reach the server, so nobody is trusted by its address.
    pub is_exposed: bool,
}

/// Identifies clients, and ends their sessions in time.
#[derive(Debug)]
pub struct Authenticator {
    options: AuthenticatorOptions,
    /// The secret of this start; none where tokens are required.
    start_secret: Option<StartSecret>,
    tokens: Arc<Tokens>,
    /// The rules and owners that permissions are made of.
    policy: Arc<Policy>,
    /// Bans and revocations hold against valid tokens, too.
    blocklist: Blocklist,
    /// Live connections, to end them when their token expires or an admin says so.
    sessions: Arc<Sessions>,
    rates: Rates,
    metrics: Arc<Metrics>,
    /// Reaches the sessions of other nodes.
    cluster: OnceLock<Cluster>,
}

/// The refusal of a client that asks for the role admin without a proof.
pub const ADMIN_NEEDS: &str = "the role admin takes a token of that role, or the secret that the start prints in its log, \
     given like a token: as auth.token, as Authorization: Bearer, or as ?token=";

/// The interval at which budgets that are full again are dropped.
const BUDGET_SWEEP_INTERVAL: Duration = Duration::from_secs(60);

impl Authenticator {
    /// An authenticator without sessions.
    pub fn new(
        options: AuthenticatorOptions,
        start_secret: Option<StartSecret>,
        tokens: Arc<Tokens>,
        policy: Arc<Policy>,
        blocklist: Blocklist,
        rates: Rates,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            options,
            start_secret,
            tokens,
            policy,
            blocklist,
            sessions: Sessions::new(metrics.clone()),
            rates,
            metrics,
            cluster: OnceLock::new(),
        })
    }

    /// Whether a token is needed.
    pub fn is_required(&self) -> bool {
        self.options.required
    }

    /// Identifies a client by its credential.
    ///
    /// # Errors
    /// `unauthorized`, `token_expired`, `unavailable`, `banned`.
    pub async fn identify(&self, peer: Peer<'_>) -> Result<Identity, Error> {
        if self.is_starter(peer.credential) {
            return Ok(Identity::starter(peer.name, peer.page));
        }
        let who = match peer.credential {
            None if self.options.required && self.options.service_admits && peer.is_asked_about => {
                self.admitted(&peer)?
            }
            None if self.options.required => {
                return Err(Error::new(
                    "unauthorized",
                    "this server asks for a token: give it as auth.token, as Authorization: Bearer, or as ?token=",
                ));
            }
            None => self.unproven(&peer)?,
            // No key can verify this token: front-ends that bring a token of another server are let in like all others.
            Some(_) if self.tokens.is_empty() && !self.options.required => self.unproven(&peer)?,
            Some(credential) => match self.tokens.examine(credential.token()).await {
                Ok(claims) => self.believe(claims, &peer)?,
                Err(denied) => {
                    self.metrics.token_denied(denied.reason());
                    if self.options.required || self.options.validate {
                        return Err(denied.into());
                    }
                    self.doubted(&peer)?
                }
            },
        };
        self.blocklist.check(&who, peer.address)?;
        Ok(who)
    }

    fn is_starter(&self, credential: Option<&Credential>) -> bool {
        let shown = credential.map(Credential::token);
        self.start_secret
            .as_ref()
            .zip(shown)
            .is_some_and(|(secret, shown)| secret.is(shown))
    }

    /// An identity without a proof. Any client can ask for a role, so the role that may end and ban others is not given
    /// on request; and none is where the application's own service decides.
    fn unproven(&self, peer: &Peer<'_>) -> Result<Identity, Error> {
        if peer.role == Role::Admin {
            return Err(Error::new("unauthorized", ADMIN_NEEDS));
        }
        let name = peer.name.clone();
        let is_trusted = !self.options.is_exposed && peer.page != PageOrigin::Other;
        if is_trusted || !self.options.has_service {
            return Ok(Identity::unproven(peer.role, name, peer.page));
        }
        let is_closed = peer.is_served && self.policy.rules.free_rooms == FreeRooms::Claim;
        let permissions = match is_closed {
            true => Permissions::guest(),
            false => Permissions::everything(),
        };
        Ok(Identity::guest(permissions, name, peer.page))
    }

    /// A client without a token where one is required, for which the application's own service vouches by letting it in: it
    /// may do what a token that claims nothing would allow, and no more.
    fn admitted(&self, peer: &Peer<'_>) -> Result<Identity, Error> {
        let permissions = self.permissions(None, (None, None))?;
        Ok(Identity::guest(permissions, peer.name.clone(), peer.page))
    }

    /// The identity of a client whose user the application's own service names. A token says by itself whose it is.
    ///
    /// # Errors
    /// `banned`, `unauthorized`.
    pub fn of_user(
        &self,
        who: &Identity,
        user: Arc<str>,
        address: IpAddr,
    ) -> Result<Identity, Error> {
        let mut named = who.clone();
        if who.token.is_none() && !who.doubted {
            if self.options.required {
                named.permissions = self.permissions(Some(user.clone()), (None, None))?;
            }
            named.user = Some(user);
        }
        self.blocklist.check(&named, address)?;
        Ok(named)
    }

    fn believe(&self, claims: Claims, peer: &Peer<'_>) -> Result<Identity, Error> {
        let permissions = if claims.role == Role::Admin {
            Permissions::everything()
        } else {
            let patterns = (claims.rooms, claims.projects);
            self.permissions(claims.user.clone(), patterns)?
        };
        // A key without expiry can't be replaced by a fresher one.
        let longest = (!claims.api_key).then(|| SystemTime::now() + self.options.session);
        Ok(Identity {
            role: claims.role,
            user: claims.user,
            name: peer.name.clone().or(claims.name),
            permissions,
            agents: claims.agents.map(Into::into),
            token: Some(claims.id),
            doubted: false,
            is_guest: false,
            start_secret: false,
            page: peer.page,
            issued: claims.issued,
            expires: [claims.expires, longest].into_iter().flatten().min(),
        })
    }

    /// A client whose token is invalid where none is required: it gets what a token that claims nothing would give. Its
    /// holder may have limited rights, and must not gain more by spoiling the token.
    fn doubted(&self, peer: &Peer<'_>) -> Result<Identity, Error> {
        Ok(Identity {
            name: peer.name.clone(),
            page: peer.page,
            permissions: self.permissions(None, (None, None))?,
            doubted: true,
            ..Identity::default()
        })
    }

    /// The permissions that these claims give: by user, patterns of rooms and patterns of projects.
    fn permissions(
        &self,
        user: Option<Arc<str>>,
        (rooms, projects): (Option<Vec<String>>, Option<Vec<String>>),
    ) -> Result<Permissions, Error> {
        Permissions::new(user, rooms, projects, self.policy.clone()).map_err(|error| {
            Error::new(
                "unauthorized",
                format!("the token's rooms or projects are no patterns: {error}"),
            )
        })
    }

    /// Lists a connection, after a second check: it may have been banned or revoked meanwhile.
    ///
    /// # Errors
    /// As [`Authenticator::identify`].
    pub fn begin(
        &self,
        origin: &Origin,
        who: &Identity,
        connection: &Arc<impl Connection>,
    ) -> Result<SessionGuard, Error> {
        let address = origin.address;
        let weak = Arc::downgrade(connection);
        let guard = self.sessions.begin(origin, who, weak);
        let refused = self.blocklist.check(who, address);
        refused.inspect_err(|_| guard.goodbye())?;
        Ok(guard)
    }

    /// The id of a token in lists and logs.
    ///
    /// # Errors
    /// The token is invalid or has expired.
    pub async fn name_of(&self, token: &Credential) -> Result<TokenId, Error> {
        self.tokens
            .verify(token.token())
            .await
            .map(|claims| claims.id)
    }

    /// Whether a client that was let in may go on: a long request must not outlive a ban, a revocation or the token.
    ///
    /// # Errors
    /// `token_expired`, `unauthorized`, `banned`.
    pub fn check_again(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        if who.expires.is_some_and(|end| end <= SystemTime::now()) {
            return Err(DisconnectReason::Expired.refusal());
        }
        self.blocklist.check(who, address)
    }

    /// Whether a client may be in all of these rooms; `fixed` are those that need no right.
    ///
    /// # Errors
    /// As [`check_room`].
    pub fn check_rooms<'r>(
        &self,
        mut rooms: impl Iterator<Item = &'r str>,
        who: &Identity,
        fixed: impl Into<Fixed<'r>>,
    ) -> Result<(), Error> {
        let fixed = fixed.into();
        rooms.try_for_each(|room| check_room(room, who, fixed).map_err(|why| why.about_room(room)))
    }

    /// The projects in which an agent is known, and who said so.
    pub fn homes_of(&self, agent: &str) -> Homes {
        self.policy.ledger.homes(ThingKind::Agent, agent)
    }

    /// The connections.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Everything that verifies tokens.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// The counters of admins' acts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The list of bans and revocations.
    pub fn blocklist(&self) -> &Blocklist {
        &self.blocklist
    }

    /// A new connection's budget of messages.
    pub fn meter(&self, who: &Identity, address: IpAddr) -> Meter {
        self.rates.meter(who, address)
    }

    /// Counts a message of a client that only observes, and says whether it `joins` a room. A message that gives `Err`
    /// must not be handled.
    ///
    /// # Errors
    /// `rate_limited`; or `banned`, and then all its connections are being ended.
    pub fn message(
        &self,
        meter: &Meter,
        who: &Identity,
        address: IpAddr,
        joins: bool,
    ) -> Result<(), Error> {
        if who.role.may_publish() {
            return Ok(());
        }
        match self.rates.message(meter, who, address, joins) {
            Ok(()) => Ok(()),
            Err(TooMuch::Refused(refusal)) => Err(refusal),
            Err(TooMuch::Enough) => Err(match self.known_by(who, address) {
                Some(whom) => self.keep_out(&whom),
                None => Error::new(
                    "rate_limited",
                    "too many messages; send fewer ([rate_limiting])",
                ),
            }),
        }
    }

    /// Counts a request of a client that only observes, or that reads.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn request(&self, who: &Identity, address: IpAddr, reads: bool) -> Result<(), Error> {
        if who.role.may_publish() {
            // Publishing has budgets of its own; reading is counted for every role.
            return if reads {
                self.rates.address(address)
            } else {
                Ok(())
            };
        }
        self.rates.request(who, address)
    }

    /// Counts a producer's events.
    ///
    /// # Errors
    /// `rate_limited`, and none of them may be taken.
    pub fn events(&self, who: &Identity, address: IpAddr, count: usize) -> Result<(), Error> {
        let token = || who.token.as_ref().map(|token| token.as_str().into());
        let key = who.user.clone().or_else(token);
        let key = key.unwrap_or_else(|| address.to_string().into());
        self.rates.events(&key, count)
    }

    /// The most events that a producer may publish in one call.
    pub fn events_at_once(&self) -> usize {
        self.rates.events_at_once()
    }

    /// The key of a ban for this client. A client with a user or a token is banned by that, since others may share its
    /// address. `None` where only an address is known, and many share it.
    fn known_by(&self, who: &Identity, address: IpAddr) -> Option<Who> {
        match (&who.user, &who.token) {
            (Some(user), _) => Some(Who::User(user.to_string())),
            (None, Some(token)) => Some(Who::Token(token.to_string())),
            (None, None) => {
                let is_shared = self.blocklist.spares(address) || self.rates.exempts(address);
                (!is_shared).then_some(Who::Address(address))
            }
        }
    }

    /// Ends a client's connections, and bans it for the configured time.
    fn keep_out(&self, whom: &Who) -> Error {
        self.blocklist.ban_for(whom.clone(), self.options.ban);
        self.metrics.banned();
        tracing::warn!(who = ?whom, seconds = self.options.ban.as_secs(), "kept out for too many messages");
        self.sessions.end(DisconnectReason::Banned, |session| {
            session.is(whom) && strikes_reach(whom, session.role, session.token_id.is_some())
        });
        banned(Some(self.options.ban.as_secs()))
    }

    /// Ends sessions in time, and keeps keys fresh and budgets tidy. Never returns.
    pub async fn watch(self: Arc<Self>) {
        let tidy = async {
            loop {
                tokio::time::sleep(BUDGET_SWEEP_INTERVAL).await;
                self.rates.tidy();
            }
        };
        let fresh = async {
            match self.tokens.keep_fresh() {
                Some(fresh) => fresh.await,
                None => std::future::pending().await,
            }
        };
        let decided = self.follow_decisions();
        tokio::join!(self.sessions.clone().end_in_time(), tidy, fresh, decided);
    }
}
