//! Attacks that have hit servers of this kind, carried out over the wire against the real server, bounded in count and
//! time. Each asserts what became of the attacker, of the server's memory where that is the target, and of a good client
//! beside it. `docs/security.md` lists them.

mod attachments;
mod away;
mod bodies;
mod connections;
mod connects;
mod content;
mod flood;
mod frames;
mod http;
mod ids;
mod malformed;
mod names;
mod origins;
mod secrets;
mod sessions;
mod start_log;
mod unproven;
