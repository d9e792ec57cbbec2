//! The report on a run, and its faults.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use super::clients::{Good, Shared, Slow};
use kit::{
    crowd::{self, PRIORITIES, Packet, Place, Progress},
    metrics::sum,
    process,
};

pub(crate) const STALL: u64 = 10;
/// Beyond the stall timeout: the time of a look, of a task to be woken on a busy machine.
const GRACE: Duration = Duration::from_secs(4);
/// By [`PRIORITIES`], in milliseconds (p99).
const BUDGETS: [u64; 4] = [50, 50, 100, 500];

/// One look at the server.
#[derive(Debug)]
pub(crate) struct Look {
    at: Duration,
    rss: u64,
    connections: u64,
    parked: u64,
    stalled: u64,
}

pub(crate) async fn look(server: u32, shared: Arc<Shared>) -> Vec<Look> {
    let mut looks = Vec::new();
    while !shared.done.load(Ordering::Relaxed) {
        let stats = process::json(shared.address, "/api/v1/ws/stats")
            .await
            .unwrap_or_default();
        let metrics = process::text(shared.address, "/metrics")
            .await
            .unwrap_or_default();
        looks.push(Look {
            at: shared.began.elapsed(),
            rss: process::memory(server, "VmRSS").unwrap_or(0),
            connections: stats["total_connections"].as_u64().unwrap_or(0),
            parked: sum(&metrics, "stoa_observers_parked_total"),
            stalled: sum(&metrics, "stoa_connections_killed_total{reason=\"stalled\""),
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    looks
}

pub(crate) fn judge_good(
    shared: &Shared,
    seen: &[Good],
    published: &[Duration],
    events: u64,
    faults: &mut Vec<String>,
) {
    let packets = std::mem::take(&mut *shared.packets.lock().expect("no panic"));
    let mut known = vec![Packet::Other(String::new()); packets.len()];
    let (mut bytes, mut updates) = (0, 0);
    for (number, text) in packets.into_values() {
        let packet = crowd::read(&text);
        if matches!(packet, Packet::Update(_)) {
            (bytes, updates) = (bytes + text.len(), updates + 1);
        }
        known[number as usize] = packet;
    }
    let mut sequences: HashMap<u64, usize> = HashMap::new();
    let mut latencies: [[Vec<u32>; 4]; 2] = Default::default();
    let (mut deliveries, mut parked) = (0_usize, 0);
    for (number, good) in seen.iter().enumerate() {
        if let Some(lost) = &good.lost {
            faults.push(format!(
                "good observer {number} lost its connection: {lost}"
            ));
        }
        let mut sequence = Vec::with_capacity(good.packets.len());
        for &(packet, at) in &good.packets {
            match &known[packet as usize] {
                Packet::Update(update) => {
                    sequence.push(packet);
                    let sent = published[update.first as usize].as_micros() as u32;
                    // One that is alone in its window has waited for its end as well.
                    let coalesced = usize::from(matches!(update.place, Place::Progress { .. }));
                    latencies[coalesced][update.priority].push(at.saturating_sub(sent));
                }
                Packet::Other(name) => parked += usize::from(name == "parked"),
            }
        }
        deliveries += sequence.len();
        let hash = crowd::hash(
            &sequence
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect::<Vec<_>>(),
        );
        if sequences.insert(hash, number).is_some() {
            continue;
        }
        let mut progress = Progress::default();
        for packet in &sequence {
            if let Packet::Update(update) = &known[*packet as usize] {
                progress.take(*update);
            }
        }
        faults.extend(
            progress
                .faults
                .iter()
                .map(|fault| format!("good observer {number}: {fault}")),
        );
        if !progress.is_complete(events) {
            faults.push(format!("good observer {number} didn't get everything"));
        }
    }
    println!(
        "The good ones got {deliveries} updates ({:.0}/s in all), in {} different sequences, each checked: every event once and in order. Parked: {parked}. An update has {} bytes on average.\n",
        deliveries as f64 / (published[published.len() - 1] - published[0]).as_secs_f64(),
        sequences.len(),
        bytes / updates.max(1)
    );
    println!("Milliseconds from the publishing call of an update's first event to its receipt:\n");
    println!(
        "| priority | deliveries | p50 | p99 | max | budget (p99) | |\n|---|--:|--:|--:|--:|--:|---|"
    );
    for (coalesced, latencies) in latencies.iter_mut().enumerate() {
        for (priority, all) in latencies.iter_mut().enumerate() {
            if all.is_empty() {
                continue;
            }
            all.sort_unstable();
            let at = |share: usize| f64::from(all[(all.len() - 1) * share / 100]) / 1e3;
            let name = PRIORITIES[priority];
            let (p50, p99, max, len) = (at(50), at(99), at(100), all.len());
            if coalesced == 1 {
                println!(
                    "| {name}, progress (with its window of 100) | {len} | {p50:.1} | {p99:.1} | {max:.1} | | |"
                );
                continue;
            }
            let budget = BUDGETS[priority];
            let within = p99 <= budget as f64;
            let verdict = if within { "within" } else { "**over**" };
            println!("| {name} | {len} | {p50:.1} | {p99:.1} | {max:.1} | {budget} | {verdict} |");
            if !within {
                faults.push(format!("{name}: p99 {p99:.1} ms is over {budget} ms"));
            }
        }
    }
}

pub(crate) fn judge_memory(
    looks: &[Look],
    base: u64,
    connections: usize,
    buffer: usize,
    faults: &mut Vec<String>,
) {
    let peak = looks.iter().map(|look| look.rss).max().unwrap_or(0);
    let bound = base + (connections * buffer * 2) as u64 / 1_024;
    println!(
        "\n| seconds | RSS, MiB | connections | parked so far | stalled so far |\n|--:|--:|--:|--:|--:|"
    );
    for look in looks.iter().step_by((looks.len() / 12).max(1)) {
        println!(
            "| {:.0} | {:.1} | {} | {} | {} |",
            look.at.as_secs_f64(),
            look.rss as f64 / 1_024.0,
            look.connections,
            look.parked,
            look.stalled
        );
    }
    println!(
        "\nMemory: {:.1} MiB when all were connected, {:.1} MiB at most. {connections} connections × 2 × {buffer} bytes more would be {:.1} MiB.",
        base as f64 / 1_024.0,
        peak as f64 / 1_024.0,
        bound as f64 / 1_024.0
    );
    // The state, the newest records and the allocator's own share are no client's.
    if peak > bound + 64 * 1_024 {
        faults.push("more memory than the limits allow".into());
    }
}

pub(crate) fn judge_stuck(cut: &[Option<Duration>], looks: &[Look], faults: &mut Vec<String>) {
    let gone: Vec<Duration> = cut.iter().filter_map(|at| *at).collect();
    if gone.len() < cut.len() {
        faults.push(format!(
            "{} of {} that read nothing are still connected",
            cut.len() - gone.len(),
            cut.len()
        ));
    }
    // Only when the kernel takes nothing more does anything wait in the server, and the stall begins.
    let full = looks
        .iter()
        .find(|look| look.parked >= cut.len() as u64)
        .map(|look| look.at);
    let (Some(first), Some(last)) = (gone.iter().min(), gone.iter().max()) else {
        return;
    };
    println!(
        "\nThose that read nothing were cut off between {:.1} and {:.1} s; as many had been parked by {:.1} s, and the limit is {STALL} s + {} s after that.",
        first.as_secs_f64(),
        last.as_secs_f64(),
        full.unwrap_or_default().as_secs_f64(),
        GRACE.as_secs()
    );
    if full.is_none_or(|full| *last > full + Duration::from_secs(STALL) + GRACE) {
        faults.push("those that read nothing were cut off too late".into());
    }
}

pub(crate) fn judge_slow(slow: &[Arc<Mutex<Slow>>], ended: Duration, faults: &mut Vec<String>) {
    let (mut connections, mut bytes, mut notices) = (0, 0, BTreeMap::<String, usize>::new());
    let mut complete = Vec::new();
    for (number, seen) in slow.iter().enumerate() {
        let seen = seen.lock().expect("no panic");
        connections += seen.connections;
        bytes += seen.bytes;
        for (name, count) in &seen.notices {
            *notices.entry(name.clone()).or_default() += count;
        }
        complete.extend(seen.complete_at);
        faults.extend(
            seen.progress
                .faults
                .iter()
                .map(|fault| format!("slow observer {number}: {fault}")),
        );
    }
    complete.sort_unstable();
    let last = complete
        .last()
        .map_or(0.0, |at| at.as_secs_f64() - ended.as_secs_f64());
    println!(
        "\nOf {} slow ones, {} ended with the last value of every task and every blocked task, the last of them {last:.1} s after the last event. They connected {connections} times and read {} KiB in all. Beside updates: {notices:?}",
        slow.len(),
        complete.len(),
        bytes >> 10
    );
    if complete.len() < slow.len() {
        faults.push(format!(
            "{} slow ones didn't end with the right state",
            slow.len() - complete.len()
        ));
    }
    if connections > slow.len() {
        faults.push(format!(
            "slow ones were sent away {} times although they read",
            connections - slow.len()
        ));
    }
}
