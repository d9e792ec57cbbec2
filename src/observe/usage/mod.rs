//! The use that clients make of the server, as raw counts: sessions and their ends, messages by name, updates by type and
//! room. The analytics are made of them.
//!
//! Everything is bounded, whatever clients do, and users are counted by a hash that this process alone can make.

mod activity;
mod counts;
mod ends;
mod features;
mod handle;
mod hours;
mod now;
mod picture;
mod saved;
mod sessions;
mod top;
mod watched;

pub use activity::Activity;
pub use counts::{Counts, LONG, LastSeconds, MINUTE, SHORT};
pub use ends::{FLAPPING_ENDS, RECENT};
pub use handle::{Usage, UsageLimits};
pub use hours::{Hours, KEPT_HOURS};
pub use picture::Picture as UsagePicture;
pub use saved::Saved;
pub use sessions::{Came, LENGTHS, Opening, SessionTotals};
pub use top::Watch;
pub use watched::Watched;
