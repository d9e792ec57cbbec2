//! Socket.IO's own Admin UI (`@socket.io/admin-ui`) on `/admin`: its login, the figures that it is sent, and its acts.
//!
//! The UI shares the namespace with Stoa's own vocabulary for operators; no names collide. A client is the UI if it logged in as it;
//! all others are sent nothing of this.

mod acts;
mod figures;
mod login;
mod sending;
mod sockets;

pub(super) use acts::act;
pub(super) use login::AdminUi;
pub(super) use sending::enter;
