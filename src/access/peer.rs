//! A client at the door.

use std::{net::IpAddr, sync::Arc};

use super::authn::{Credential, PageOrigin};
use crate::config::Role;

/// A client that asks to be let in, and the claims that it makes without proof.
#[derive(Debug)]
pub struct Peer<'a> {
    /// The credential that the client shows.
    pub credential: Option<&'a Credential>,
    /// The address that the client comes from.
    pub address: IpAddr,
    /// The role that the client has while nobody has to prove anything.
    pub role: Role,
    /// The name that the client gives itself.
    pub name: Option<Arc<str>>,
    /// The page that the client comes from.
    pub page: PageOrigin,
    /// Whether the application's own service serves the client's namespace, if there is one.
    pub is_served: bool,
    /// Whether that service is asked next whether the client may come in: only then can it let in one without a token.
    pub is_asked_about: bool,
}
