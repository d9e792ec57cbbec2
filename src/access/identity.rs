//! Who a client is, once that is settled.

use std::{sync::Arc, time::SystemTime};

use crate::{
    access::{
        authn::{PageOrigin, TokenId},
        authz::Permissions,
    },
    config::Role,
};

/// Who a client is, what it may do and see, and for how long.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// What it may do.
    pub role: Role,
    /// The user behind it, if a token says who; names its `user:` room.
    pub user: Option<Arc<str>>,
    /// What it calls itself, for people: in logs, and as the source of events that name none.
    pub name: Option<Arc<str>>,
    /// What it may see.
    pub permissions: Permissions,
    /// The agents whose actions it may perform, where its token names some.
    pub agents: Option<Arc<[String]>>,
    /// The token that says so; none while authentication is off.
    pub token: Option<TokenId>,
    /// It showed a token that was not believed, and was let in all the same: it must not have more by that than by a token
    /// that says nothing, though nobody else need show one.
    pub doubted: bool,
    /// It showed the secret of the start: it is whoever started the server, and nothing keeps it out.
    pub start_secret: bool,
    /// The page that it came from: without a proof the browser's word is all there is.
    pub page: PageOrigin,
    /// When the token was made: what was revoked later than that is not valid any more.
    pub issued: Option<SystemTime>,
    /// When it ends: with its token, or because it has lasted as long as a session may.
    pub expires: Option<SystemTime>,
}

impl Identity {
    /// Whether it may perform the actions of an agent, as far as its token names agents.
    pub fn performs_for(&self, agent: &str) -> bool {
        let named = self.agents.as_deref();
        named.is_none_or(|agents| agents.iter().any(|one| one == "*" || one == agent))
    }

    /// Whether it may perform an action in a project, or for an agent of none.
    pub fn performs_in(&self, project: Option<&str>) -> bool {
        match project {
            Some(project) => self.permissions.speaks_for(project),
            // What belongs to no project is not for those who have been given some.
            None => !self.permissions.is_limited(),
        }
    }

    /// What stands as the source of its events that name none.
    pub fn source(&self) -> Option<&str> {
        self.name.as_deref().or(self.user.as_deref())
    }

    /// The verified identity, which it can't choose: its user, else its token; empty when nobody was asked.
    pub fn verified(&self) -> Arc<str> {
        match (&self.user, &self.token) {
            (Some(user), _) => format!("user:{user}").into(),
            (None, Some(token)) => format!("key:{token}").into(),
            (None, None) => "".into(),
        }
    }

    /// A client that nobody vouches for: it has the role that it asks for, and sees everything.
    pub fn unproven(role: Role, name: Option<Arc<str>>, page: PageOrigin) -> Self {
        Self {
            role,
            name,
            page,
            ..Self::default()
        }
    }

    /// The one who started the server.
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

    /// Whether somebody vouches for it, or it comes from no page of another origin. A page that may connect (any of this
    /// machine, unless changed) may watch and publish without a proof; it may not have agents do things.
    pub fn is_trusted_to_act(&self) -> bool {
        self.token.is_some() || self.page != PageOrigin::Other
    }
}
