//! Allocations on the way in, counted: a copy that nobody needs shows here, on any machine.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use allocation_counter::measure;
use bytes::Bytes;
use serde_json::json;
use stoa::{
    access::authz::Permissions,
    backlog::Backlog,
    intake::{Intake, IntakeLimits, PipelineLimits, Producer, Raw, Refusing},
    journal::{FlowId, MemoryJournal, Retention},
    ledger::Ledger,
    observe::Metrics,
    update::{Table, TransformOptions},
};

/// Events that are counted, after as many that make the tables grow.
const EVENTS: usize = 1_024;

fn intake() -> Intake {
    let retention = Retention {
        max_events: 1 << 20,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
    };
    let limits = IntakeLimits {
        max_lag: 1 << 20,
        max_waiting: 1 << 30,
        max_batch: 1_000,
        max_event: 1 << 20,
        max_depth: 32,
        max_elements: 1_000,
        max_id: 512,
        max_in_flight: 1 << 20,
        unanswered: PipelineLimits {
            calls: 1_024,
            bytes: 1 << 20,
        },
        validate: true,
    };
    let table = Table::new(TransformOptions {
        throttle: Duration::from_millis(100),
        text_throttle: Duration::from_millis(33),
        usage_throttle: Duration::from_secs(1),
        rules: Vec::new(),
    });
    Intake::new(
        Arc::new(MemoryJournal::new(retention)),
        Arc::new(Ledger::new(10_000)),
        limits,
        Backlog::new(1 << 20),
        Metrics::new(),
        Refusing {
            degradation: Arc::default(),
            table: Arc::new(table),
        },
    )
}

/// 250 bytes, as agents report their progress.
fn event(n: usize) -> Raw {
    let event = json!({
        "type": "task.progress", "id": format!("e{n}"), "source": format!("agent_{}", n % 20),
        "data": {
            "task_id": format!("task_{}", n % 50), "agent_id": format!("agent_{}", n % 20), "progress": n % 101,
            "message": "Implementing the authentication endpoints and their tests",
        },
    });
    Raw::Text(Bytes::from(event.to_string()))
}

/// Allocations for an event, in calls of so many.
fn counted(in_a_call: usize) -> u64 {
    let intake = intake();
    let (permissions, verified) = (Permissions::everything(), Arc::from(""));
    let producer = Producer {
        name: "test",
        door: "http",
        permissions: &permissions,
        verified: &verified,
        trace: None,
        flow: FlowId::default(),
        connection: None,
        within: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let publish = |calls: Vec<Vec<Raw>>| {
        for raws in calls {
            let receipt = runtime.block_on(intake.publish(raws, producer));
            assert_eq!(receipt.expect("it is kept").accepted, in_a_call);
        }
    };
    let calls = |from: usize| -> Vec<Vec<Raw>> {
        (from..from + EVENTS)
            .step_by(in_a_call)
            .map(|n| (n..n + in_a_call).map(event).collect())
            .collect()
    };
    publish(calls(0));
    let measured = calls(EVENTS);
    let info = measure(|| publish(measured));
    info.count_total / EVENTS as u64
}

/// The parsed text alone is some sixteen pieces of memory, its keys, texts and maps; names, ids, the stored text and the record
/// are the rest of what an event is made of.
#[test]
fn an_event_costs_few_allocations_beyond_what_it_is_made_of() {
    let (alone, of_many) = (counted(1), counted(128));
    assert!(alone <= 64, "{alone} for an event in a call of its own");
    assert!(of_many <= 46, "{of_many} for an event among many");
}
