//! The admin who acts.

use std::{net::IpAddr, sync::Arc};

use super::argument::INCLUDE_SELF;
use crate::{access::Identity, decision::Who, error::Error};

/// The admin who acts, and the door used.
#[derive(Debug)]
pub struct Actor {
    /// The admin's identity.
    pub who: Arc<Identity>,
    /// The address that the admin comes from.
    pub address: IpAddr,
    /// `socketio`, `http` or `admin_ui`.
    pub door: &'static str,
}

impl Actor {
    /// Refuses a ban of the admin who asks for it: nobody might be left to lift it.
    pub(super) fn is_not(&self, who: &Who) -> Result<(), Error> {
        let yours = match who {
            Who::User(user) if self.who.user.as_deref() == Some(user) => "this is your own user",
            Who::Address(address) if *address == self.address => {
                "this is the address that you come from yourself"
            }
            _ => return Ok(()),
        };
        Err(Error::bad_request(format!(
            "{yours}: you would be kept out with it. To end a connection of yours, disconnect it; \
             to ban it all the same, add \"{INCLUDE_SELF}\": true, and another admin must lift it, or its time must end"
        )))
    }
}
