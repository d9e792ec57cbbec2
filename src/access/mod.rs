//! Who may do what, in terms that know no transport: roles, rooms, filters, tokens.

mod filter;
mod role;
mod room;
mod token;

pub use filter::{Filter, Subject};
pub use role::{Identity, Role};
pub use room::{GENERAL, OBSERVERS, PRODUCERS, check_room, too_many_rooms};
pub use token::{
    Claims, Denied, Grant, JwksState, NewApiKey, Signer, TokenId, TokenSetupError, Tokens,
};
