//! Decides who comes in, and sees to it that those leave whose time is over.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Identity;
use crate::{
    access::{
        authn::{Claims, Credential, PageOrigin, StartSecret, TokenId, Tokens},
        authz::{
            Blocklist, Connection, DisconnectReason, Meter, Origin, Permissions, Policy, Rates,
            SessionGuard, Sessions, TooMuch, Who, check_room,
        },
    },
    config::Role,
    error::Error,
    event::Kind,
    ledger::Homes,
    observe::Metrics,
};

/// The authenticator's part of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatorOptions {
    /// Nobody comes in without a valid token.
    pub required: bool,
    /// A token that is given although none is needed must be valid; else it counts as one that claims nothing.
    pub validate: bool,
    /// How long a session lives without a fresh token.
    pub session: Duration,
    /// How long somebody is kept out who doesn't heed the limits.
    pub ban: Duration,
}

/// Who is at the door, and what it says of itself.
#[derive(Debug)]
pub struct Peer<'a> {
    /// What it shows.
    pub credential: Option<&'a Credential>,
    /// The address that it comes from.
    pub address: IpAddr,
    /// The role that it has while nobody has to prove anything.
    pub role: Role,
    /// What it calls itself.
    pub name: Option<Arc<str>>,
    /// The page that it comes from.
    pub page: PageOrigin,
}

/// The one who decides.
#[derive(Debug)]
pub struct Authenticator {
    /// What the settings demand of whoever comes.
    options: AuthenticatorOptions,
    /// The secret of this start; none where tokens are required.
    start_secret: Option<StartSecret>,
    /// What says whether a token is to be believed.
    tokens: Arc<Tokens>,
    /// The rules and owners that permissions are made of.
    policy: Arc<Policy>,
    /// Who is kept out, whatever its token says.
    blocklist: Blocklist,
    /// Whom to end when a token does, or an admin says so.
    sessions: Arc<Sessions>,
    /// How much each may send.
    rates: Rates,
    /// Clients that are kept out are counted.
    metrics: Arc<Metrics>,
}

/// Said to those who would be admins without a proof.
pub const ADMIN_NEEDS: &str = "the role admin takes a token of that role, or the secret that the start prints in its log, \
     given like a token: as auth.token, as Authorization: Bearer, or as ?token=";

/// How often used up budgets that are whole again are forgotten.
const BUDGET_SWEEP_INTERVAL: Duration = Duration::from_secs(60);

impl Authenticator {
    /// An authenticator before anybody came.
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
            sessions: Arc::default(),
            rates,
            metrics,
        })
    }

    /// Whether a token is needed.
    pub fn is_required(&self) -> bool {
        self.options.required
    }

    /// Who somebody is.
    ///
    /// # Errors
    /// `unauthorized`, `token_expired`, `unavailable`, `banned`.
    pub async fn identify(&self, peer: Peer<'_>) -> Result<Identity, Error> {
        if self.is_starter(peer.credential) {
            return Ok(Identity::starter(peer.name, peer.page));
        }
        let who = match peer.credential {
            None if self.options.required => {
                return Err(Error::new(
                    "unauthorized",
                    "this server asks for a token: give it as auth.token, as Authorization: Bearer, or as ?token=",
                ));
            }
            None => unproven(&peer)?,
            // Nothing to hold it against: front-ends that bring one of another server's are let in like all others.
            Some(_) if self.tokens.is_empty() && !self.options.required => unproven(&peer)?,
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

    fn believe(&self, claims: Claims, peer: &Peer<'_>) -> Result<Identity, Error> {
        let permissions = if claims.role == Role::Admin {
            Permissions::everything()
        } else {
            let patterns = (claims.rooms, claims.projects);
            self.permissions(claims.user.clone(), patterns)?
        };
        // A key that is valid for good has nothing fresher to show.
        let longest = (!claims.api_key).then(|| SystemTime::now() + self.options.session);
        Ok(Identity {
            role: claims.role,
            user: claims.user,
            name: peer.name.clone().or(claims.name),
            permissions,
            agents: claims.agents.map(Into::into),
            token: Some(claims.id),
            doubted: false,
            start_secret: false,
            page: peer.page,
            issued: claims.issued,
            expires: [claims.expires, longest].into_iter().flatten().min(),
        })
    }

    /// Somebody whose token is not believed where none is needed: as with one that claims nothing. Its holder may have been
    /// given little by it, and must not get more by spoiling it.
    fn doubted(&self, peer: &Peer<'_>) -> Result<Identity, Error> {
        Ok(Identity {
            name: peer.name.clone(),
            page: peer.page,
            permissions: self.permissions(None, (None, None))?,
            doubted: true,
            ..Identity::default()
        })
    }

    /// What these claims let somebody see: the user, and the patterns of rooms and of projects.
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

    /// Lists a connection; what somebody did meanwhile to keep it out counts.
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
        self.blocklist.check(who, address)?;
        Ok(guard)
    }

    /// What a token is called in lists and logs.
    ///
    /// # Errors
    /// It is none of ours, or it is over anyway.
    pub async fn name_of(&self, token: &Credential) -> Result<TokenId, Error> {
        self.tokens
            .verify(token.token())
            .await
            .map(|claims| claims.id)
    }

    /// Whether somebody who was let in may go on: what takes long must not outlive a ban, a revocation or the token.
    ///
    /// # Errors
    /// `token_expired`, `unauthorized`, `banned`.
    pub fn check_again(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        if who.expires.is_some_and(|end| end <= SystemTime::now()) {
            return Err(DisconnectReason::Expired.refusal());
        }
        self.blocklist.check(who, address)
    }

    /// Whether somebody may be in all of these rooms; `own` are those that belong to the client alone.
    ///
    /// # Errors
    /// As [`check_room`].
    pub fn check_rooms<'r>(
        &self,
        mut rooms: impl Iterator<Item = &'r str>,
        who: &Identity,
        (default_room, own): (&str, &[&str]),
    ) -> Result<(), Error> {
        rooms.try_for_each(|room| {
            check_room(room, who, default_room, own).map_err(|why| why.about_room(room))
        })
    }

    /// In which projects an agent is known, and who said so.
    pub fn homes_of(&self, agent: &str) -> Homes {
        self.policy.ledger.homes(Kind::Agent, agent)
    }

    /// The connections.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What tokens are verified with.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// What admins do is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Who is kept out.
    pub fn blocklist(&self) -> &Blocklist {
        &self.blocklist
    }

    /// A new connection's budget of messages.
    pub fn meter(&self, who: &Identity, address: IpAddr) -> Meter {
        self.rates.meter(who, address)
    }

    /// Counts a message of a client that only watches; whether it `joins` a room. `Err` is not to be handled.
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

    /// Counts a request of somebody who only watches, or who reads what all may read.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn request(&self, who: &Identity, address: IpAddr, reads: bool) -> Result<(), Error> {
        if who.role.may_publish() {
            // A producer's events are what the server is for; to read is work for whatever role.
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

    /// How many events a producer may publish at once.
    pub fn events_at_once(&self) -> usize {
        self.rates.events_at_once()
    }

    /// By what somebody is kept out: a client that is known by its user or its token is kept out by that, since others may
    /// share the address. `None` where nothing but an address is known that many share.
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

    /// Ends somebody's connections, and lets it in again after a while.
    fn keep_out(&self, whom: &Who) -> Error {
        self.blocklist.ban_for(whom.clone(), self.options.ban);
        self.metrics.banned();
        tracing::warn!(who = ?whom, seconds = self.options.ban.as_secs(), "kept out for too many messages");
        self.sessions.end(DisconnectReason::Banned, |session| {
            session.is(whom) && whom.is_reached_by_strikes(session.role, session.token_id.is_some())
        });
        crate::access::authz::blocklist::banned(Some(self.options.ban.as_secs()))
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
        tokio::join!(self.sessions.clone().end_in_time(), tidy, fresh);
    }
}

/// Somebody of whom nothing is proven. Anybody can ask for a role, so the one that may end and ban others is not for the
/// asking.
fn unproven(peer: &Peer<'_>) -> Result<Identity, Error> {
    if peer.role == Role::Admin {
        return Err(Error::new("unauthorized", ADMIN_NEEDS));
    }
    let name = peer.name.clone();
    Ok(Identity::unproven(peer.role, name, peer.page))
}
