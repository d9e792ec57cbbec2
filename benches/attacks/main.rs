//! Attacks whose harm is a figure: what each costs the server in memory, and what it does to a client that only watches.
//!
//! `cargo bench --bench attacks` runs all of them, `-- --only small-text` one, and `--slowest` says when the bystander waited longest. Every attack gets a server of its own at the
//! default limits. A bystander publishes and watches a few events a second, first alone and then beside the attack. Two
//! bounds hold: memory above idle, and the bystander's p99 against its own p99 before the attack (but not while nothing can
//! be kept at all: its own events wait then, as they must). `STOA_BIN` names another
//! server than the one built here. Ends with code 1 when a bound is broken.
//!
//! An attack is a file in this folder with a `pub(crate) const ATTACK: Attack`, and a line in [`ATTACKS`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod actions;
mod bystander;
mod filter_churn;
mod filters;
mod history;
mod normal_flood;
mod observers_filters;
mod one_entity;
mod small_text;
mod state;
mod target;
mod tenants;
mod urgent_flood;
mod writer_queue;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use bystander::Bystander;
use futures_util::future::BoxFuture;
use kit::{
    bench::argument,
    process::{Process, free_port},
};
use target::Target;

/// All of them.
const ATTACKS: &[Attack] = &[
    small_text::ATTACK,
    small_text::READINGS,
    history::ATTACK,
    writer_queue::ATTACK,
    filters::ATTACK,
    filter_churn::ATTACK,
    observers_filters::ATTACK,
    one_entity::ATTACK,
    urgent_flood::ATTACK,
    normal_flood::ATTACK,
    tenants::ATTACK,
    state::ATTACK,
    actions::ATTACK,
];

/// Memory above idle that no attack may cost.
const MEMORY_KIB: u64 = 128 * 1_024;
/// The bystander's p99 may become so many times its own before the attack.
const TIMES: u32 = 5;
/// A time that is acceptable in any case.
const ALWAYS: Duration = Duration::from_millis(50);
/// The time for which the bystander is alone.
const ALONE: Duration = Duration::from_secs(3);
/// The time for which it goes on after the attack.
const AFTER: Duration = Duration::from_secs(2);
/// No attack lasts longer.
const LONGEST: Duration = Duration::from_secs(120);

/// One attack.
#[derive(Debug)]
pub(crate) struct Attack {
    /// Names it on the command line and in the table.
    name: &'static str,
    /// The attack, in a sentence.
    what: &'static str,
    /// Settings of its server, beside the defaults.
    settings: &'static [(&'static str, &'static str)],
    /// The preparation before the bystander begins: a journal that is filled, for example.
    prepare: Option<fn(Target) -> BoxFuture<'static, ()>>,
    /// Runs the attack; everything that it begins ends with it.
    run: fn(Target) -> BoxFuture<'static, ()>,
    /// Whether the server is killed and started again afterwards, which must be possible within the same memory.
    restarts: bool,
    /// Whether nothing can be kept for a while: then the bystander's own events have to wait too, and how long they do says
    /// nothing about the attack.
    waits: bool,
}

impl Attack {
    /// The values that most attacks have in common.
    const NONE: Self = Self {
        name: "",
        what: "",
        settings: &[],
        prepare: None,
        run: |_| Box::pin(async {}),
        restarts: false,
        waits: false,
    };
}

fn main() -> ExitCode {
    let only = std::env::args().skip_while(|a| a != "--only").nth(1);
    let chosen = |attack: &&Attack| only.as_ref().is_none_or(|name| name == attack.name);
    let scale = argument("--scale", 100);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "\n## Attacks at the default limits\n\n\
         Memory above idle may be {} MiB; a bystander's p99 at most {TIMES} times its own alone, or {} ms. Times in ms.\n",
        MEMORY_KIB >> 10,
        ALWAYS.as_millis()
    );
    println!(
        "| attack | idle MiB | peak above idle | after a restart | alone p50/p99 | beside p50/p99 | verdict |\n|---|--:|--:|--:|--:|--:|---|"
    );
    let mut good = true;
    for attack in ATTACKS.iter().filter(chosen) {
        good &= runtime.block_on(attack.measure(scale));
    }
    println!();
    for attack in ATTACKS.iter().filter(chosen) {
        println!("- `{}`: {}", attack.name, attack.what);
    }
    runtime.shutdown_background();
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Attack {
    /// Runs it and prints its line; whether its bounds held.
    async fn measure(&self, scale: usize) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let journal: PathBuf = folder.path().join("stoa.db");
        let settings = self.settings.iter();
        let settings: Vec<_> = settings
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect();
        let server = Process::start(&journal, free_port(), &settings).await;
        let target = Target {
            address: server.address,
            journal: journal.clone(),
            scale,
        };
        if let Some(prepare) = self.prepare {
            prepare(target.clone()).await;
        }
        let mut bystander = Bystander::begin(server.address);
        tokio::time::sleep(ALONE).await;
        let idle = server.memory("VmRSS").unwrap_or(0);
        let alone = bystander.figures();
        bystander.reset();
        let ended = tokio::time::timeout(LONGEST, (self.run)(target))
            .await
            .is_ok();
        tokio::time::sleep(AFTER).await;
        let peak = server.memory("VmHWM").unwrap_or(0);
        let beside = bystander.figures();
        if std::env::args().any(|a| a == "--slowest") {
            eprintln!("{}: {}", self.name, bystander.slowest(12));
        }
        bystander.end();
        server.kill();
        let again = if self.restarts {
            let server = Process::start(&journal, free_port(), &settings).await;
            let peak = server.memory("VmHWM").unwrap_or(0);
            server.kill();
            Some(peak)
        } else {
            None
        };
        let mut broken = Vec::new();
        if !ended {
            broken.push("it did not end".to_owned());
        }
        for (peak, when) in [(Some(peak), "memory"), (again, "memory at the start")] {
            if peak.is_some_and(|peak| peak.saturating_sub(idle) > MEMORY_KIB) {
                broken.push(when.to_owned());
            }
        }
        if !self.waits && beside.p99 > ALWAYS.max(alone.p99 * TIMES) {
            broken.push("the bystander waits".to_owned());
        }
        if beside.lost > 0 {
            broken.push(format!(
                "{} of the bystander's events never came",
                beside.lost
            ));
        }
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1_024.0);
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.name,
            mib(idle),
            mib(peak.saturating_sub(idle)),
            again.map_or_else(|| "–".into(), |peak| mib(peak.saturating_sub(idle))),
            alone.times(),
            beside.times(),
            if broken.is_empty() && self.waits {
                "holds (times are not judged: nothing can be kept meanwhile)".into()
            } else if broken.is_empty() {
                "holds".into()
            } else {
                format!("**{}**", broken.join(", "))
            },
        );
        broken.is_empty()
    }
}
