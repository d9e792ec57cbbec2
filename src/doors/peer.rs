//! The client behind a request, identified the same way at every door.

use std::net::IpAddr;

use http::Extensions;

use crate::{
    access::{
        Authenticator, Identity, Peer,
        authn::{Credential, PageOrigin},
    },
    config::Role,
    error::Error,
    net::ClientAddress,
};

/// Identifies the client of a request; without a token it has `role`, as far as anybody may have it.
///
/// # Errors
/// The credential is bad or missing, or the client is banned.
pub(super) async fn identify(
    authenticator: &Authenticator,
    extensions: &Extensions,
    role: Role,
) -> Result<(Identity, IpAddr), Error> {
    let address = ClientAddress::of(extensions);
    let peer = Peer {
        credential: extensions.get::<Credential>(),
        address,
        role,
        name: None,
        page: extensions.get::<PageOrigin>().copied().unwrap_or_default(),
        is_served: true,
        is_asked_about: false,
    };
    let who = authenticator.identify(peer).await?;
    Ok((who, address))
}
