//! The server's tests over its wire, one module for each matter. They are one program, since linking the server and all
//! that it uses takes longer than compiling a module; the runner gives each test a process of its own.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub
)]

mod alerts;
mod analytics;
mod attacks;
mod backend;
mod backups;
mod bad_input;
mod bans;
mod bench_command;
mod breakers;
mod bus;
mod catalogue;

mod clock;
mod cluster;
mod compression;
mod content;
mod contract;
mod counters;
mod crash;
mod degrade;
mod deploy;
mod doors;
mod drain;
mod emit;
mod engine;
mod fair;
mod figures;
mod files;
mod filters;
mod free_rooms;
mod guard;
mod held;
mod inputs;
mod journal;
mod leak;
mod lean;
mod leaving;
mod life;
mod load;
mod namespaces;
mod odd_input;
mod packed;
mod page;
mod pages;
mod pipelined;
mod presence;
mod replay;
mod requests;
mod resume;
mod room_names;
mod rooms;
mod said;
mod sessions;
mod settled;
mod shapes;
mod slow;
mod strain;
mod stream;
mod texts;
mod tls;
mod token;
mod traces;
mod translated;
mod usage;
mod vocabulary;
mod watched;
