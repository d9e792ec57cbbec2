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
//! [`access`] alone decides which clients may connect, and what each may do and see.
//!
//! Every door in turns bytes into an [`event::Event`]. Every door out turns an update into its own wire format. Between
//! them there is one path, which never branches by door.
//!
//! | module | what is in it |
//! |---|---|
//! | [`event`] | the canonical event and its dialects |
//! | [`intake`], [`backlog`] | the one way in behind every door; the calls of producers that wait |
//! | [`ledger`] | the project and owner of each thing, settled when an event is accepted |
//! | [`journal`] | keeps events in order |
//! | [`hub`] | the ordered loop: reads the journal, owns rooms and windows |
//! | [`update`] | updates: the table, rules, rendering |
//! | [`pace`] | windows, coalescing, priorities |
//! | [`delivery`] | sent and unsent updates as plain data: cursors, wire messages, queues |
//! | [`projections`] | folds of the stream: the state, Seneca's dashboards |
//! | [`access`] | identities (`authn`) and permissions (`authz`) |
//! | [`alerts`] | what operators are told without asking |
//! | [`doors`] | Socket.IO, HTTP, and the acts of admins by either |
//! | [`net`] | listener, TLS, connections and bodies |
//! | [`recovery`] | sessions that clients come back to |
//! | [`history`] | events as they were, page by page |
//! | [`translate`] | what other systems tell of their agents, turned into events |
//! | [`config`], [`cli`], [`server`] | settings, commands, start and stop of all parts |
//! | [`demo`] | an invented team at work |
//! | [`breaker`] | circuit breakers around outside parts |
//! | [`cluster`], [`engine`] | the link between nodes; connections with Redis or Valkey |
//! | [`observe`] | counters, histograms, logs |
//! | [`channel`], `network`, [`pattern`], [`timestamp`], `msgpack`, [`error`], [`decision`], `private_file`, `backoff` | leaves that all others use |

pub mod access;
pub mod alerts;
pub mod backlog;
mod backoff;
pub mod breaker;
pub mod channel;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod decision;
pub mod delivery;
pub mod demo;
pub mod doors;
pub mod drain;
pub mod emission;
pub mod emitter;
pub mod engine;
pub mod error;
pub mod event;
mod fnv;
pub mod history;
pub mod hub;
pub mod intake;
pub mod journal;
pub mod ledger;
mod msgpack;
pub mod net;
mod network;
pub mod observe;
pub mod pace;
pub mod pattern;
mod private_file;
pub mod projections;
pub mod recovery;
pub mod server;
pub mod timestamp;
pub mod translate;
pub mod update;
