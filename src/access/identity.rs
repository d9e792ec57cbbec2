//! The identity of a client, once it is settled.

use std::{sync::Arc, time::SystemTime};

use crate::{
    access::{
        authn::{PageOrigin, TokenId},
        authz::Permissions,
    },
    config::Role,
    error::Error,
};

/// The identity of a client: its role, its permissions, and how long they last.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The role.
    pub role: Role,
    /// The user, if a token names one; the user has the room `user:{id}`.
    pub user: Option<Arc<str>>,
    /// The name that the client gives itself: shown in logs, and the source of events that name none.
    pub name: Option<Arc<str>>,
    /// The permissions.
    pub permissions: Permissions,
    /// The agents whose actions the client may perform, where its token names some.
    pub agents: Option<Arc<[String]>>,
    /// The id of its token; none while authentication is off.
    pub token: Option<TokenId>,
    /// The client sent an invalid token but none is required, so it was admitted. It must not gain rights over a client
    /// whose token claims nothing, although others need no token.
    pub doubted: bool,
    /// The client has no token, and the application's own service decides: it observes, and is in no room of the
    /// application but where the service puts it.
    pub is_guest: bool,
    /// The client showed the start secret, so it is the person who started the server, and no ban applies.
    pub start_secret: bool,
    /// The page that the client comes from: without a token only the browser's word counts.
    pub page: PageOrigin,
    /// The time at which the token was made: later revocations apply to it.
    pub issued: Option<SystemTime>,
    /// The time at which the session ends: with its token, or after the longest time for a session.
    pub expires: Option<SystemTime>,
}

impl Identity {
    /// Whether the client may perform the actions of an agent, as far as its token names agents.
    pub fn performs_for(&self, agent: &str) -> bool {
        let named = self.agents.as_deref();
        named.is_none_or(|agents| agents.iter().any(|one| one == "*" || one == agent))
    }

    /// Whether the client may perform an action in a project, or for an agent of none.
    pub fn performs_in(&self, project: Option<&str>) -> bool {
        match project {
            Some(project) => self.permissions.speaks_for(project),
            // A client that is limited to projects may not act where there is none.
            None => !self.permissions.is_limited(),
        }
    }

    /// Whether the client may see statistics: operators may, and everybody while no token is required, except guests.
    pub fn may_see_stats(&self) -> bool {
        (self.token.is_none() && !self.doubted && !self.is_guest) || self.role.may_see_stats()
    }

    /// The refusal of something that takes another role; `what` says which.
    pub fn lacks_role(&self, what: &str) -> Error {
        match self.is_guest {
            false => Error::forbidden(what),
            true => Error::forbidden(format!(
                "{what}; without a token clients only observe here, since the application's service decides ([backend] url)"
            )),
        }
    }

    /// The source of its events that name none.
    pub fn source(&self) -> Option<&str> {
        self.name.as_deref().or(self.user.as_deref())
    }

    /// The verified identity, which the client can't choose: its user, else its token; empty where no token was asked
    /// for.
    pub fn verified(&self) -> Arc<str> {
        match (&self.user, &self.token) {
            (Some(user), _) => format!("user:{user}").into(),
            (None, Some(token)) => format!("key:{token}").into(),
            (None, None) => "".into(),
        }
    }

    /// A client without a proof: it has the role that it asks for, and sees everything.
    pub fn unproven(role: Role, name: Option<Arc<str>>, page: PageOrigin) -> Self {
        Self {
            role,
            name,
            page,
            ..Self::default()
        }
    }

    /// A client without a proof while the application's own service decides; `permissions` say whether free rooms are
    /// open to it.
    pub fn guest(permissions: Permissions, name: Option<Arc<str>>, page: PageOrigin) -> Self {
        Self {
            name,
            permissions,
            page,
            is_guest: true,
            ..Self::default()
        }
    }

    /// The client of the person who started the server.
    pub fn starter(name: Option<Arc<str>>, page: PageOrigin) -> Self {
        Self {
            role: Role::Admin,
            name,
            permissions: Permissions::everything(),
            token: Some(TokenId::from("start-secret")),
            start_secret: true,
            page,
            ..Self::default()
        }
    }

    /// Whether the client has a valid token, or comes from no page of another origin. A page that may connect (any of
    /// this machine, by default) may observe and publish without a token, but may not make agents act.
    pub fn is_trusted_to_act(&self) -> bool {
        self.token.is_some() || self.page != PageOrigin::Other
    }
}
