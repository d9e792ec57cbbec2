//! Artifacts, and plans whose items are tasks before anybody works on them.

use super::*;

fn tell(state: &mut State, kind: &str, data: &Value) {
    tell_in(state, "p", kind, data);
}

fn tell_in(state: &mut State, project: &str, kind: &str, data: &Value) {
    let at = "2026-01-02T03:04:05.678Z";
    state.apply(&event(
        json!({ "type": kind, "project_id": project, "timestamp": at, "data": data }),
    ));
}

/// The tasks: id, name, status, and whether only a plan knows them.
fn tasks(state: &State) -> Vec<(String, Value, String, bool)> {
    let state = json_of(state, None);
    let tasks = state["tasks"].as_object().unwrap().iter();
    let shown = tasks.map(|(id, task)| {
        let status = task["status"].as_str().unwrap_or_default();
        let planned = task.get("planned_by").is_some();
        (id.clone(), task["name"].clone(), status.to_owned(), planned)
    });
    shown.collect()
}

fn task(id: &str, name: &str, status: &str, planned: bool) -> (String, Value, String, bool) {
    (id.to_owned(), name.into(), status.to_owned(), planned)
}

#[test]
fn what_was_made_is_listed_with_its_project() {
    let mut state = fresh(at_most(100));
    let page =
        json!({ "artifact_id": "f", "path": "out/page.html", "agent_id": "ada", "task_id": "t" });
    tell(&mut state, "artifact.created", &page);
    tell(
        &mut state,
        "artifact.updated",
        &json!({ "artifact_id": "f", "bytes": 12 }),
    );
    tell_in(
        &mut state,
        "q",
        "artifact.created",
        &json!({ "artifact_id": "f", "url": "https://a.example" }),
    );
    tell(
        &mut state,
        "artifact.listed",
        &json!({ "artifact_id": "g" }),
    );
    let told = json_of(&state, None);
    let expected = json!({ "id": "f", "project_id": "p", "artifact_id": "f", "path": "out/page.html", "bytes": 12,
        "agent_id": "ada", "task_id": "t", "status": "updated", "updated_at": "2026-01-02T03:04:05.678Z" });
    assert_eq!(told["artifacts"]["f"], expected);
    assert_eq!(told["artifacts"]["q/f"]["url"], "https://a.example");
    assert_eq!(told["counts"]["artifacts"], 2);
    let one = json_of(&state, Some("q"));
    assert_eq!(one["artifacts"].as_object().unwrap().len(), 1);
    tell(
        &mut state,
        "artifact.deleted",
        &json!({ "artifact_id": "f" }),
    );
    assert_eq!(json_of(&state, None)["artifacts"]["f"]["status"], "deleted");
    // A restart knows them too.
    let again = State::from_checkpoint(&state.to_checkpoint(), &at_most(100)).unwrap();
    assert!(again == state);
}

#[test]
fn artifacts_are_bounded_and_the_oldest_go() {
    let limits = Limits {
        max_artifacts: 8,
        ..Limits::default()
    };
    let mut state = fresh(limits);
    tell_in(
        &mut state,
        "q",
        "artifact.created",
        &json!({ "artifact_id": "other" }),
    );
    for n in 0..20 {
        tell(
            &mut state,
            "artifact.created",
            &json!({ "artifact_id": format!("f{n}") }),
        );
    }
    let told = json_of(&state, None);
    let left = told["artifacts"].as_object().unwrap();
    assert!(left.len() <= 8 && left.contains_key("f19") && !left.contains_key("f0"));
    assert!(
        left.contains_key("other"),
        "no project makes it forget another's"
    );
    let evicted = state.evicted().filter(|e| e.kind == "artifacts");
    assert!(evicted.map(|e| e.entities).sum::<u64>() >= 13);
}

#[test]
fn the_tasks_of_a_plan_are_those_of_its_latest_form_until_they_are_told_of() {
    let mut state = fresh(at_most(100));
    tell(
        &mut state,
        "task.started",
        &json!({ "task_id": "real", "task_name": "Real" }),
    );
    let items = json!([{ "id": "a", "title": "Find it" }, { "id": "b", "title": "Write it", "status": "in_progress" },
        { "id": "real", "title": "Other", "status": "done" }, { "id": "gone", "title": "Skip it" }]);
    tell(
        &mut state,
        "plan.updated",
        &json!({ "plan_id": "x", "items": items }),
    );
    assert_eq!(
        tasks(&state),
        [
            task("a", "Find it", "todo", true),
            task("b", "Write it", "in_progress", true),
            task("gone", "Skip it", "todo", true),
            task("real", "Real", "in_progress", false),
        ]
    );
    // Somebody begins with one of them: from now on it is a task as any other.
    tell(
        &mut state,
        "task.assigned",
        &json!({ "task_id": "a", "agent_id": "ada" }),
    );
    let later = json!([{ "id": "b", "title": "Write it", "status": "completed" }, { "id": "a", "status": "todo" }]);
    let later = json!({ "plan_id": "x", "items": later });
    tell(&mut state, "plan.updated", &later);
    assert_eq!(
        tasks(&state),
        [
            task("a", "Find it", "in_progress", false),
            task("b", "Write it", "done", true),
            task("real", "Real", "in_progress", false),
        ]
    );
    let told = json_of(&state, None);
    assert_eq!(told["tasks"]["b"]["progress"], 100);
    assert_eq!(told["agents"]["ada"]["task_id"], "a");
    // Another plan leaves them alone, as does one of another project; and without items nothing is said.
    tell(
        &mut state,
        "plan.updated",
        &json!({ "plan_id": "y", "items": [] }),
    );
    tell_in(
        &mut state,
        "q",
        "plan.updated",
        &json!({ "plan_id": "x", "items": [] }),
    );
    tell(&mut state, "plan.updated", &json!({ "plan_id": "x" }));
    assert_eq!(tasks(&state).len(), 3);
    // A restart knows what it was.
    let mut again = State::from_checkpoint(&state.to_checkpoint(), &at_most(100)).unwrap();
    tell(
        &mut again,
        "plan.updated",
        &json!({ "plan_id": "x", "items": [] }),
    );
    assert_eq!(
        tasks(&again),
        [
            task("a", "Find it", "in_progress", false),
            task("real", "Real", "in_progress", false),
        ]
    );
}

#[test]
fn items_of_a_plan_are_bounded_and_counted() {
    let limits = Limits {
        max_plan_items: 3,
        ..Limits::default()
    };
    let mut state = fresh(limits);
    let many: Vec<Value> = (0..10).map(|n| json!({ "id": n })).collect();
    tell(&mut state, "plan.updated", &json!({ "items": many }));
    assert_eq!(tasks(&state).len(), 3);
    assert_eq!(state.dropped().items, 7);
}

#[test]
fn a_task_that_comes_into_a_project_takes_the_place_of_a_planned_one() {
    let mut state = fresh(at_most(100));
    let plan = json!({ "items": [{ "id": "t", "title": "Planned" }] });
    tell(&mut state, "plan.updated", &plan);
    let started = json!({ "task_id": "t", "task_name": "Real" });
    let without = json!({ "type": "task.started", "data": started });
    state.apply(&event(without));
    assert_eq!(tasks(&state).len(), 2);
    tell(
        &mut state,
        "task.progress",
        &json!({ "task_id": "t", "progress": 5 }),
    );
    assert_eq!(tasks(&state), [task("t", "Real", "in_progress", false)]);
    assert_eq!(state.entities(), 2, "the task and the plan");
    let before = state.bytes();
    let again = State::from_checkpoint(&state.to_checkpoint(), &at_most(100)).unwrap();
    // The bytes of the replaced one are not counted any more.
    assert!(before < again.bytes() + 2_000, "{before} {}", again.bytes());
}

#[test]
fn an_item_whose_task_named_no_project_yet_is_that_task() {
    let mut state = fresh(at_most(100));
    let item = json!({ "items": [{ "id": "t", "title": "Planned" }] });
    tell(&mut state, "plan.updated", &item);
    let created = json!({ "task_id": "t", "task_name": "Real" });
    state.apply(&event(json!({ "type": "task.created", "data": created })));
    // The next form of the plan finds the task, and so does the plan of another project.
    tell(&mut state, "plan.updated", &item);
    tell_in(&mut state, "pz", "plan.updated", &item);
    assert_eq!(tasks(&state), [task("t", "Real", "todo", false)]);
    // A plan without a project knows no task of its own by that.
    let other = json!({ "items": [{ "id": "u", "title": "Planned" }] });
    state.apply(&event(json!({ "type": "plan.updated", "data": other })));
    tell(&mut state, "plan.updated", &other);
    let planned = |state: &State| tasks(state).into_iter().filter(|task| task.3).count();
    assert_eq!(planned(&state), 2);
    // A limited producer's project has tasks of its own, whatever others call theirs.
    let mut limited = event(json!({ "type": "plan.updated", "project_id": "l", "data": item }));
    limited.settled.confined = true;
    state.apply(&limited);
    assert_eq!(planned(&state), 3);
}
