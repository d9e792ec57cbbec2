//! Bytes in and out: the listener and its limits, the guard around an upgraded connection, and the express lane.

mod address;
mod batch;
mod body;
mod connection;
pub mod frame;
mod gate;
mod guard;
mod incoming;
mod kill;
mod lane;
mod listener;
mod parcel;
mod quota;
mod stream;
mod tls;
mod traffic;
mod turn_away;
mod under_way;
mod writer;

pub use address::{ClientAddress, Proxies, Secure, forwarded_for};
pub use body::{BodyLimits, Steady, read_body};
pub use connection::{Hangup, Peer, Presence};
pub use frame::Frame;
pub use gate::Engine;
pub use guard::{Counted, Guard};
pub use incoming::Bounds;
pub use kill::Kill;
pub(crate) use lane::Waiting;
pub use lane::{Lane, LaneLimits, Stay, Taken};
pub use listener::{Prepared, Server, SetupError};
pub use parcel::{Parcel, Tag};
pub use quota::{Arrival, Full, Quota, QuotaLimits, Slot};
pub use stream::Socket;
pub use tls::{Certificates, TlsError};
pub use traffic::Timeouts;
