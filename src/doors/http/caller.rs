//! The client behind a request: its credential is taken off before anything else reads the request, and checked before
//! a handler runs.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::Response,
};
use http::{Extensions, Method, request::Parts};

use super::api::Api;
use crate::{
    access::{Identity, authn::Credential},
    config::Role,
    doors::peer,
    error::Error,
    net::ClientAddress,
    observe::traces::TraceParent,
};

/// Moves the credential of a request into its extensions: neither handlers nor the log see it in its old place.
pub(super) async fn take_credential(mut request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(credential) = Credential::take(&mut parts.uri, &mut parts.headers) {
        parts.extensions.insert(credential);
    }
    request = Request::from_parts(parts, body);
    next.run(request).await
}

/// The address that a request comes from.
pub(super) fn address(extensions: &Extensions) -> IpAddr {
    ClientAddress::of(extensions)
}

/// The client that makes a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The client's identity.
    pub(super) who: Identity,
    /// The address that the client comes from.
    pub(super) address: IpAddr,
    /// The place of the request in the client's own trace.
    pub(super) trace: Option<TraceParent>,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let count = |refusal: &Error| api.metrics.refused("http", refusal);
        // Without a token, a request may publish and observe.
        let (who, address) = peer::identify(&api.authenticator, &parts.extensions, Role::Producer)
            .await
            .inspect_err(count)?;
        let reads = parts.method == Method::GET;
        api.authenticator
            .request(&who, address, reads)
            .inspect_err(count)?;
        let trace = TraceParent::of_headers(&parts.headers);
        Ok(Self {
            who,
            address,
            trace,
        })
    }
}

impl Caller {
    /// Checks that the client's role allows something.
    ///
    /// # Errors
    /// `forbidden`.
    pub(super) fn must(&self, may: fn(Role) -> bool, what: &str) -> Result<(), Error> {
        if may(self.who.role) {
            Ok(())
        } else {
            Err(self.who.lacks_role(what))
        }
    }

    /// The same for a stream: a client without a token observes and does nothing else.
    pub(super) fn watching(mut self) -> Self {
        if self.who.token.is_none() {
            self.who.role = Role::Observer;
        }
        self
    }

    /// Checks that the client may see statistics: operators may, and everybody while no token is required.
    pub(super) fn must_see_stats(&self) -> Result<(), Error> {
        if self.who.may_see_stats() {
            return Ok(());
        }
        Err(Error::forbidden(
            "statistics and rooms take the role operator or admin",
        ))
    }

    /// Checks that the client sees everything: aggregates over all projects are for such clients only.
    pub(super) fn must_see_everything(&self) -> Result<(), Error> {
        if self.who.permissions.is_everything() {
            return Ok(());
        }
        Err(Error::forbidden(
            "this is gathered from all projects: it takes a token with the role admin",
        ))
    }
}
