//! Who makes a request: its credential is taken off before anything else looks at it, and weighed before a handler runs.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::Response,
};
use http::{Extensions, Method, request::Parts};

use super::api::Api;
use crate::{
    access::{
        Identity, Peer,
        authn::{Credential, PageOrigin},
    },
    config::Role,
    error::Error,
    net::ClientAddress,
};

/// Takes the credential off a request, into its extensions: neither handlers nor the log see it in its place.
pub(super) async fn take_credential(mut request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(credential) = Credential::take(&mut parts.uri, &mut parts.headers) {
        parts.extensions.insert(credential);
    }
    request = Request::from_parts(parts, body);
    next.run(request).await
}

/// Where a request comes from.
pub(super) fn address(extensions: &Extensions) -> IpAddr {
    ClientAddress::of(extensions)
}

/// Somebody who makes a request.
#[derive(Debug)]
pub(super) struct Caller {
    /// Its identity.
    pub(super) who: Identity,
    /// The address that it comes from.
    pub(super) address: IpAddr,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let address = address(&parts.extensions);
        let peer = Peer {
            credential: parts.extensions.get::<Credential>(),
            address,
            // A request that need not prove anything publishes and observes.
            role: Role::Producer,
            name: None,
            page: parts
                .extensions
                .get::<PageOrigin>()
                .copied()
                .unwrap_or_default(),
        };
        let count = |refusal: &Error| api.metrics.refused("http", refusal.code);
        let who = api.authenticator.identify(peer).await.inspect_err(count)?;
        let reads = parts.method == Method::GET;
        api.authenticator
            .request(&who, address, reads)
            .inspect_err(count)?;
        Ok(Self { who, address })
    }
}

impl Caller {
    /// Whether it may do what takes a role.
    ///
    /// # Errors
    /// `forbidden`.
    pub(super) fn must(&self, may: fn(Role) -> bool, what: &str) -> Result<(), Error> {
        if may(self.who.role) {
            Ok(())
        } else {
            Err(Error::forbidden(what))
        }
    }

    /// The same, for a stream: one that nobody vouches for watches and does nothing else.
    pub(super) fn watching(mut self) -> Self {
        if self.who.token.is_none() {
            self.who.role = Role::Observer;
        }
        self
    }

    /// The statistics are for operators; while nobody has to prove anything, for all.
    pub(super) fn must_see_stats(&self) -> Result<(), Error> {
        if self.who.token.is_none() && !self.who.doubted {
            return Ok(());
        }
        self.must(
            Role::may_see_stats,
            "statistics and rooms take the role operator or admin",
        )
    }

    /// What is gathered from all projects is only for those who see everything.
    pub(super) fn must_see_everything(&self) -> Result<(), Error> {
        if self.who.permissions.is_everything() {
            return Ok(());
        }
        Err(Error::forbidden(
            "this is gathered from all projects: it takes a token with the role admin",
        ))
    }
}
