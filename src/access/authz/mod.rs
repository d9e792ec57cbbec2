//! Permissions: filters, rooms, budgets, sessions and bans decide what somebody may do and see.

mod audience;
pub(crate) mod blocklist;
mod connection;
mod filter;
mod movable;
mod permissions;
mod rates;
mod reach;
mod room;
mod room_kind;
pub mod room_name;
mod sessions;
mod verdicts;
pub use audience::Audience;
pub use blocklist::Blocklist;
pub use connection::{Connection, DisconnectReason};
pub use filter::{Filter, Subject};
pub use movable::Movable;
pub use permissions::Permissions;
pub use rates::{Meter, Rates, TooMuch};
pub use reach::{Policy, Reach};
pub use room::{Fixed, check_room, may_know_room, too_many_rooms, unlisted_rooms};
pub use room_kind::{GENERAL, OBSERVERS, OPERATORS, PRODUCERS, RoomKind};
pub use sessions::{Origin, Session, SessionGuard, Sessions};
