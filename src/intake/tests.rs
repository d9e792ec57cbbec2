//! The intake's answers, and the bytes that it holds meanwhile.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::journal::{FlowId, MemoryJournal, Retention};

fn journal() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new(Retention {
        max_events: 100,
        max_age: Duration::from_secs(60),
        max_bytes: 1 << 30,
    }))
}

fn limits() -> IntakeLimits {
    IntakeLimits {
        max_lag: 3,
        max_waiting: 150_000,
        max_batch: 10,
        max_event: 1_000,
        max_depth: 8,
        max_id: 512,
        max_elements: 100,
        max_in_flight: 1 << 20,
        unanswered: PipelineLimits {
            calls: 1_024,
            bytes: 1 << 20,
        },
        validate: true,
    }
}

/// A producer who may publish for everything.
fn producer<'p>(permissions: &'p Permissions, verified: &'p Arc<str>) -> Producer<'p> {
    Producer {
        name: "test",
        door: "http",
        permissions,
        within: None,
        verified,
        trace: None,
        flow: FlowId::default(),
        connection: None,
    }
}

#[tokio::test(start_paused = true)]
async fn producers_wait_for_the_observers_side_and_are_then_told_to_come_back() {
    let journal = journal();
    let limits = limits();
    let backlog = Backlog::new(1_000);
    let ledger = Arc::new(Ledger::new(10));
    let intake = Intake::new(
        journal,
        ledger,
        limits,
        backlog.clone(),
        Metrics::new(),
        Refusing::default(),
    );
    let (permissions, name) = (Permissions::everything(), Arc::from(""));
    let producer = producer(&permissions, &name);
    let event = || vec![Raw::Json(json!({ "type": "a.b" }), None)];
    for _ in 0..4 {
        assert_eq!(
            intake.publish(event(), producer).await.map(|r| r.accepted),
            Ok(1)
        );
    }
    // The first may wait; together with the second it would be too much.
    let large = || {
        let event = json!({ "type": "a.b", "data": { "text": "x".repeat(900) } });
        let raws = std::iter::repeat_with(|| Raw::Json(event.clone(), None));
        raws.take(40).collect()
    };
    let began = tokio::time::Instant::now();
    let second = async {
        let refused = intake.publish(large(), producer).await;
        (refused.map_err(|r| r.code).err(), began.elapsed())
    };
    let first = intake.publish(large(), producer);
    let (first, (second, after)) = futures_util::future::join(first, second).await;
    assert_eq!(first.map_err(|r| r.code).err(), Some("overloaded"));
    assert_eq!(second, Some("overloaded"));
    assert!(after < MAX_WAIT && began.elapsed() >= MAX_WAIT, "{after:?}");
    let refused = intake.publish(event(), producer).await;
    assert_eq!(refused.map_err(|r| r.code).err(), Some("overloaded"));
    // A producer that waits is told as soon as there is room: it does not poll, so no time passes until then.
    let began = tokio::time::Instant::now();
    let told = async {
        tokio::task::yield_now().await;
        backlog.report(4, 0, vec![]);
    };
    let (taken, ()) = futures_util::future::join(intake.publish(event(), producer), told).await;
    assert_eq!(taken.map(|r| r.accepted), Ok(1));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn events_that_are_dear_to_hold_wait_as_text_and_are_kept_whole() {
    let journal = journal();
    let limits = IntakeLimits {
        max_lag: 100,
        max_waiting: 1 << 30,
        max_batch: 100,
        max_event: 65_536,
        max_depth: 32,
        max_id: 512,
        max_elements: 10_000,
        max_in_flight: 1 << 20,
        unanswered: PipelineLimits {
            calls: 1_024,
            bytes: 1 << 20,
        },
        validate: true,
    };
    let backlog = Backlog::new(1_000);
    let ledger = Arc::new(Ledger::new(10));
    let intake = Intake::new(
        journal,
        ledger,
        limits,
        backlog,
        Metrics::new(),
        Refusing::default(),
    );
    let (permissions, name) = (Permissions::everything(), Arc::from(""));
    let producer = producer(&permissions, &name);
    let maps = vec![json!({ "": 0 }); 4_900];
    let event = json!({ "type": "a.b", "data": { "task": { "id": "t" }, "l": maps } });
    let text = Bytes::from(event.to_string());
    let parsed = intake.parse(Raw::Text(text.clone()), producer).unwrap();
    assert!(parsed.held() > 3_000_000, "{}", parsed.held());
    let raws = vec![Raw::Text(text.clone()); 28];
    let mut rejected = Vec::new();
    let drafts = intake.drafts(raws, producer, &mut rejected).await;
    assert!(rejected.is_empty());
    let held: usize = drafts.iter().map(|(_, draft, _)| draft.held()).sum();
    assert!(held < 28 * (text.len() + 4_096), "{held}");
    for (_, draft, _) in drafts {
        assert_eq!(draft.event.task_id(), Some("t"));
        let kept = Event::from_stored(&draft.finish().text).unwrap();
        assert_eq!(kept.data, parsed.data);
    }
}

#[tokio::test]
async fn a_long_event_counts_more_of_what_its_producer_may_have_under_way() {
    let limits = IntakeLimits {
        max_lag: 1_000,
        max_batch: 100,
        max_event: 100_000,
        ..limits()
    };
    let (ledger, backlog) = (Arc::new(Ledger::new(10)), Backlog::new(1_000));
    let intake = Intake::new(
        journal(),
        ledger,
        limits,
        backlog.clone(),
        Metrics::new(),
        Refusing::default(),
    );
    let (permissions, name) = (Permissions::everything(), Arc::from(""));
    let producer = producer(&permissions, &name);
    let publish = async |len: usize, count: usize| {
        let text = json!({ "type": "a.b", "data": { "text": "x".repeat(len) } }).to_string();
        let raws = vec![Raw::Text(text.into()); count];
        intake.publish(raws, producer).await.expect("it is kept");
    };
    // Nobody reads, so all of it stays in flight.
    publish(10, 40).await;
    let flow = producer.flow;
    drop(backlog.take(flow, 960).expect("forty count forty"));
    assert!(backlog.take(flow, 961).is_err());
    publish(50 * 1_024, 10).await;
    drop(backlog.take(flow, 450).expect("ten count 51 each"));
    assert!(backlog.take(flow, 451).is_err());
}
