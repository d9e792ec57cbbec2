//! Stoa: a Socket.IO-compatible realtime server for multi-agent systems. The porch where anyone may watch them at work.
//!
//! Producers publish raw agent, task, project, workflow and system events. Stoa keeps them, folds them into the current
//! state, turns them into UI updates with animation hints, paces them, and delivers each to the rooms that may see it.
//!
//! ```text
//!  producers                                                                    observers
//!  socket.io publish ┐                                                       ┌ socket.io rooms
//!  POST /events      ├─▶ intake ─▶ journal ─▶ hub: state → plan → pace ─────▶┤
//!  demo team         ┘   (parse,   (order,    (one ordered loop)   render    └ (more doors here)
//!                         check)    keep)                          once
//! ```
//!
//! One place, [`access`], decides who comes in by any door, and what of all this they may do and see.
//!
//! Every door in does the same thing: bytes become one [`event::Event`]. Every door out does the same thing: one
//! update becomes its own wire shape. Between them there is one way, and it never branches by door.
//!
//! | module | what is in it |
//! |---|---|
//! | [`event`] | what comes in: the canonical event and its dialects |
//! | [`intake`], [`backlog`] | the one way in behind every door; whose calls wait |
//! | [`ledger`] | what is of which project, and whose: settled when an event is accepted |
//! | [`journal`] | keeps events in order |
//! | [`hub`] | the ordered loop: reads the journal, owns rooms and windows |
//! | [`update`] | what goes out: the table, rules, rendering |
//! | [`pace`] | windows, coalescing, priorities |
//! | [`delivery`] | what is sent and what is still owed: cursors, wire shapes, queues |
//! | [`projections`] | what the stream adds up to: the state, Seneca's dashboards |
//! | [`access`] | who somebody is (`authn`), and what they may do and see (`authz`) |
//! | [`doors`] | Socket.IO, HTTP, and what an admin can do by either |
//! | [`net`] | listener, TLS, connections and bodies |
//! | [`history`] | events as they were, page by page |
//! | [`config`], [`cli`], [`server`] | settings, commands, putting it together |
//! | [`demo`] | an invented team at work |
//! | [`observe`] | counters, histograms, logs |
//! | [`channel`], [`pattern`], [`timestamp`], [`error`], `private_file` | leaves that all others use |

pub mod access;
pub mod backlog;
pub mod channel;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod demo;
pub mod doors;
pub mod error;
pub mod event;
pub mod history;
pub mod hub;
pub mod intake;
pub mod journal;
pub mod ledger;
pub mod net;
pub mod observe;
pub mod pace;
pub mod pattern;
mod private_file;
pub mod projections;
pub mod server;
pub mod timestamp;
pub mod update;
