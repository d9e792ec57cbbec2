//! Who may do what, in terms that know no transport: roles, rooms, filters.

mod filter;
mod role;
mod room;

pub use filter::{Filter, Subject};
pub use role::{Identity, Role};
pub use room::{GENERAL, OBSERVERS, PRODUCERS, check_room, too_many_rooms};
