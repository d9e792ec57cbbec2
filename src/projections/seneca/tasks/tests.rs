//! Counts of tasks, and the order in which tasks are forgotten.

use serde_json::json;

use super::*;
use crate::event::Dialect;
use crate::update::seneca::testing::event;

fn fold(tasks: &mut Tasks, name: &str, data: Value) -> Option<Change> {
    tasks.observe(&event(Dialect::Canonical, name, data))
}

#[test]
fn one_fact_in_three_dialects_counts_once() {
    let mut tasks = Tasks::new(1 << 20);
    for name in ["task_assignment", "task_assigned", "task_started"] {
        fold(&mut tasks, name, json!({"task_id": "t"}));
    }
    assert_eq!((tasks.total, tasks.in_progress), (1, 1));
    fold(
        &mut tasks,
        "progress_update",
        json!({"task_id": "t", "status": "completed"}),
    );
    assert!(fold(&mut tasks, "task_completed", json!({"task_id": "t"})).is_none());
    assert_eq!(
        (tasks.done, tasks.completions, tasks.in_progress),
        (1, 1, 0)
    );
}

#[test]
fn a_block_is_counted_once_and_lifted() {
    let mut tasks = Tasks::new(1 << 20);
    let blocked = json!({"task_id": "t", "blocker": "No key", "suggested_resolution": "Add it"});
    fold(&mut tasks, "task_blocked", blocked.clone());
    fold(
        &mut tasks,
        "task_progress",
        json!({"task_id": "t", "status": "blocked", "message": "No key"}),
    );
    assert_eq!(tasks.blocks, 1);
    assert_eq!(tasks.blockers["t"].suggestion.as_deref(), Some("Add it"));
    fold(
        &mut tasks,
        "task_completed",
        json!({"task_id": "t", "success": false, "blockers": ["Another"]}),
    );
    assert_eq!(tasks.blocks, 2);
    fold(&mut tasks, "blocker_resolved", json!({"task_id": "t"}));
    assert!(tasks.blockers.is_empty());
    assert_eq!(tasks.in_progress, 1);
}

fn done(tasks: &mut Tasks) -> usize {
    tasks
        .projects
        .get_mut(&None)
        .map_or(0, |own| own.done.len())
}

#[test]
fn a_task_done_again_and_again_is_remembered_as_done_once() {
    let mut tasks = Tasks::new(1 << 20);
    for _ in 0..50 {
        fold(&mut tasks, "task_started", json!({"task_id": "t"}));
        assert_eq!(done(&mut tasks), 0);
        fold(&mut tasks, "task_completed", json!({"task_id": "t"}));
        assert_eq!(done(&mut tasks), 1);
    }
}

#[test]
fn what_they_hold_is_bounded_and_the_finished_go_first() {
    let mut tasks = Tasks::new(100 * 1_024);
    let id = |n: usize| format!("{n:01000}");
    for n in 0..1_000 {
        let blocked = json!({"task_id": id(n), "blocker": "x".repeat(9_000)});
        let name = if n < 10 {
            "task_blocked"
        } else {
            "task_completed"
        };
        fold(&mut tasks, name, blocked);
    }
    assert!(tasks.bytes <= 100 * 1_024 && tasks.bytes > 80 * 1_024);
    assert!(tasks.blocker_bytes < 10 * 5_000);
    assert!((0..10).all(|n| tasks.known.contains_key(&*id(n))));
    assert!(tasks.known.contains_key(&*id(999)));
    assert_eq!(tasks.forgotten, 1_000 - tasks.known.len() as u64);
    for n in 0..10 {
        fold(&mut tasks, "blocker_resolved", json!({"task_id": id(n)}));
    }
    assert_eq!(tasks.blocker_bytes, 0);
}

#[test]
fn a_resolution_does_not_reopen_what_is_done() {
    let mut tasks = Tasks::new(1 << 20);
    fold(&mut tasks, "task_completed", json!({"task_id": "t"}));
    fold(&mut tasks, "blocker_resolved", json!({"task_id": "t"}));
    assert_eq!(tasks.done, 1);
}
