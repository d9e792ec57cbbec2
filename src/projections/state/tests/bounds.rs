//! The bounds of the state, in things and in bytes, also over a restart.

use super::*;

#[test]
fn bounded_and_the_finished_go_first() {
    let mut state = fresh(at_most(3));
    for n in 0..3 {
        state.apply(&event(
            json!({ "type": "task_created", "data": { "task_id": format!("t{n}") } }),
        ));
    }
    state.apply(&event(
        json!({ "type": "task_completed", "data": { "task_id": "t1" } }),
    ));
    state.apply(&event(
        json!({ "type": "task_created", "data": { "task_id": "t3" } }),
    ));
    let now = json_of(&state, None);
    assert!(
        now["tasks"]["t1"].is_null()
            && now["tasks"]["t0"].is_object()
            && now["tasks"]["t3"].is_object()
    );
    assert_eq!(now["counts"]["evicted"], 1);
    let wide: Value = (0..200)
        .map(|n| (format!("k{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    state.apply(&event(
        json!({ "type": "agent.moved", "data": { "agent_id": "a", "facts": wide } }),
    ));
}

#[test]
fn bytes_are_bounded_and_one_project_does_not_evict_another() {
    let max_bytes = 1024 * 1024;
    let limits = Limits {
        max_bytes,
        ..Limits::default()
    };
    let mut state = fresh(limits.clone());
    let text = "x".repeat(7_500);
    let quiet = (0..20).map(|n| {
        json!({ "type": "task.created", "project_id": "quiet", "data": { "task_id": format!("t{n}"), "name": "ours" } })
    });
    fold(&mut state, quiet);
    for n in 0..500 {
        let facts = (0..8).map(|k| (format!("k{k}"), json!(text)));
        let mut data: serde_json::Map<_, _> = facts.collect();
        data.insert("task_id".into(), json!(format!("f{n}")));
        fold(
            &mut state,
            [json!({ "type": "task.updated", "project_id": "loud", "data": data })],
        );
        assert!(state.bytes() <= max_bytes, "{} after {n}", state.bytes());
    }
    let now = json_of(&state, None);
    let of = |project: &str| {
        let tasks = now["tasks"].as_object().unwrap().values();
        tasks.filter(|t| t["project_id"] == project).count()
    };
    assert_eq!(of("quiet"), 20);
    assert!((5..20).contains(&of("loud")), "{}", of("loud"));
    let evicted: u64 = state.evicted().map(|e| e.entities).sum();
    assert_eq!(now["counts"]["evicted"], evicted);
    assert_eq!(evicted, 500 - of("loud") as u64);
    // One entity doesn't grow without end either.
    let dropped = state.dropped();
    for n in 0..200 {
        let data = json!({ "task_id": "one", format!("k{n}"): text });
        fold(
            &mut state,
            [json!({ "type": "task.updated", "project_id": "loud", "data": data })],
        );
    }
    assert!(state.dropped().full > dropped.full);
    let one = json_of(&state, None)["tasks"]["one"].to_string();
    assert!(one.len() < 80_000, "{}", one.len());
    // The bytes that a picture holds beside the state are counted.
    let replaced =
        |picture: &Picture| picture.age.replaced.load(Ordering::Relaxed) - picture.age.then;
    let picture = state.picture();
    fold(
        &mut state,
        [
            json!({ "type": "task.updated", "project_id": "loud", "data": { "task_id": "one", "a": 1 } }),
        ],
    );
    let first = replaced(&picture);
    assert!(first > 60_000, "{first}");
    fold(
        &mut state,
        [
            json!({ "type": "task.updated", "project_id": "loud", "data": { "task_id": "one", "a": 2 } }),
        ],
    );
    assert_eq!(replaced(&picture), first, "the picture holds one copy");
    assert!(!picture.is_outdated());
}

#[test]
fn a_checkpoint_is_held_to_the_limits_of_now() {
    let mut state = fresh(at_most(5_000));
    let tasks = |from: usize, to: usize| {
        (from..to).map(|n| json!({ "type": "task.created", "project_id": format!("p{}", n % 3), "data": { "task_id": format!("t{n}") } }))
    };
    fold(&mut state, tasks(0, 4_000));
    let saved = state.to_checkpoint();
    let count = |state: &State| json_of(state, None)["counts"]["tasks"].as_u64().unwrap();
    let mut lower = State::from_checkpoint(&saved, &at_most(100)).unwrap();
    assert!((80..=100).contains(&count(&lower)), "{}", count(&lower));
    fold(&mut lower, tasks(4_000, 4_500));
    assert!((80..=100).contains(&count(&lower)), "{}", count(&lower));
    let mut higher = State::from_checkpoint(&saved, &at_most(20_000)).unwrap();
    assert_eq!(count(&higher), 4_000);
    fold(&mut higher, tasks(4_000, 14_000));
    assert_eq!(count(&higher), 14_000);
    let small = Limits {
        max_bytes: 1024 * 1024,
        ..at_most(20_000)
    };
    let small = State::from_checkpoint(&higher.to_checkpoint(), &small).unwrap();
    assert!(small.bytes() <= 1024 * 1024 && count(&small) > 500);
}
