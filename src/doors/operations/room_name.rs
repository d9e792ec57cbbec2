//! Names of rooms, as operations have them.

use crate::{access::authz::room_name, error::Error};

/// A room's name, if a room can have it.
pub(super) fn checked_room(room: &str) -> Result<String, Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.:@/ -%".contains(&b);
    if room.is_empty() || room.len() > 128 || !room.bytes().all(plain) {
        return Err(Error::bad_request(
            "the name of a room is 1 to 128 of A-Z a-z 0-9 _ . : @ / - and space",
        ));
    }
    Ok(room_name::canonical(room).into_owned())
}
