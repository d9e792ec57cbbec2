//! The bounds of every run.

/// The longest run and the longest warm-up, in seconds.
pub(super) const MAX_SECONDS: u64 = 3_600;
/// The most clients.
pub(super) const MAX_CLIENTS: u64 = 200_000;
/// The most updates of a closed loop that are on their way.
pub(super) const MAX_IN_FLIGHT: u64 = 4_096;
/// The most updates or events a second.
pub(super) const MAX_RATE: f64 = 1_000_000.0;
/// The most updates that clients miss.
pub(super) const MAX_MISSED: u64 = 100_000;
/// The most events of one request.
pub(super) const MAX_BATCH: u64 = 1_000;
/// The largest update.
pub(super) const MAX_SIZE: u64 = 8 * 1024 * 1024;
/// The most connections that are being opened at a time.
pub(super) const MAX_CONCURRENCY: u64 = 10_000;
/// The most threads.
pub(super) const MAX_THREADS: u64 = 64;
/// Connections from one address of this machine: below the ports that systems give out by themselves (28,232 on Linux).
pub(super) const PER_ADDRESS: usize = 20_000;
