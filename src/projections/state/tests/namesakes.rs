//! Things of two projects that have one id, and ids that read as another thing's name.

use super::*;

#[test]
fn namesakes_of_two_projects_are_two() {
    let mut state = fresh(Limits::default());
    fold(
        &mut state,
        [
            json!({ "type": "agent.registered", "project_id": "p1", "data": { "agent_id": "writer", "role": "one" } }),
            json!({ "type": "agent.registered", "project_id": "p2", "data": { "agent_id": "writer", "role": "two" } }),
            json!({ "type": "task.assigned", "project_id": "p2", "data": { "agent_id": "writer", "task_id": "1", "task_name": "b" } }),
            json!({ "type": "task.assigned", "project_id": "p1", "data": { "agent_id": "writer", "task_id": "1", "task_name": "a" } }),
            json!({ "type": "agent.run.started", "project_id": "p1", "data": { "run_id": "7", "agent_id": "writer" } }),
            json!({ "type": "ingest.job.started", "project_id": "p1", "data": { "job_id": "7" } }),
            json!({ "type": "workflow.run.started", "project_id": "p2", "data": { "execution_id": "7" } }),
            // The agent is of no project, and works in p1.
            json!({ "type": "agent.registered", "data": { "agent_id": "shared" } }),
            json!({ "type": "task.assigned", "project_id": "p1", "data": { "agent_id": "shared", "task_id": "2" } }),
            // The task is first named without a project, then in one.
            json!({ "type": "task.created", "data": { "task_id": "3" } }),
            json!({ "type": "task.started", "project_id": "p2", "data": { "task_id": "3" } }),
            json!({ "type": "task.completed", "data": { "task_id": "3" } }),
        ],
    );
    let all = json_of(&state, None);
    let roles = |state: &Value, key: &str| state["agents"][key]["role"].clone();
    assert_eq!(
        (roles(&all, "writer"), roles(&all, "p2/writer")),
        (json!("one"), json!("two")),
        "{all}"
    );
    assert_eq!(all["tasks"]["1"]["name"], "b", "the first one of that id");
    assert_eq!(all["tasks"]["p1/1"]["name"], "a");
    for (key, kind) in [("7", "agent_run"), ("p1/7", "job"), ("p2/7", "execution")] {
        assert_eq!(all["runs"][key]["kind"], kind, "{}", all["runs"]);
        assert_eq!(all["runs"][key]["id"], "7");
    }
    assert_eq!(
        (
            &all["tasks"]["3"]["project_id"],
            &all["tasks"]["3"]["status"]
        ),
        (&json!("p2"), &json!("done"))
    );
    assert_eq!(
        (
            &all["agents"]["shared"]["project_id"],
            &all["agents"]["shared"]["task_project_id"]
        ),
        (&Value::Null, &json!("p1"))
    );
    let two = json_of(&state, Some("p2"));
    assert_eq!(roles(&two, "writer"), "two");
    assert!(
        two["agents"]["shared"].is_null() && !two.to_string().contains("p1"),
        "{two}"
    );
    assert_eq!(two["runs"]["7"]["kind"], "execution");
    let one = json_of(&state, Some("p1"));
    assert!(one["agents"]["shared"].is_object() && one["tasks"]["1"]["name"] == "a");
    // A client that may see only this project gets the same.
    let seen = seen(&state, &["p2"]);
    assert_eq!(roles(&seen, "writer"), "two");
    assert_eq!(seen["tasks"]["1"]["name"], "b");
    assert!(seen["tasks"]["p1/1"].is_null() && seen["runs"]["p1/7"].is_null());
}

#[test]
fn no_two_things_have_one_name() {
    let task = |project: &str, id: &str| json!({ "type": "task.created", "project_id": project, "data": { "task_id": id, "name": format!("{project} {id}") } });
    let run = |kind: &str, name: &str, id: &str| json!({ "type": kind, "project_id": "p1", "data": { name: id } });
    let mut state = fresh(Limits::default());
    fold(
        &mut state,
        [
            task("p0", "c"),
            task("p0", "b/c"),
            task("a", "b/c"),
            task("a/b", "c"),
            task("p0", "50%/c"),
            task("p0", "a%2Fb/c"),
            // Its qualified name is taken as an id too.
            task("p1", "p0/a%252Fb%2Fc"),
            // This id reads like a qualified name of no thing.
            task("p1", "org/repo"),
            run("agent.run.started", "run_id", "7"),
            run("ingest.job.started", "job_id", "7"),
            run("workflow.run.started", "execution_id", "7"),
            run("agent.run.started", "run_id", "job:7"),
            run("ingest.job.started", "job_id", "job:7"),
            run("agent.run.started", "run_id", "p1/7"),
            run("ingest.job.started", "job_id", "p1/7"),
            run("agent.run.started", "run_id", "p1/execution/7"),
            json!({ "type": "agent.registered", "project_id": "p1", "data": { "agent_id": "x" } }),
            json!({ "type": "agent.registered", "project_id": "p2", "data": { "agent_id": "x" } }),
            json!({ "type": "agent.registered", "project_id": "p1", "data": { "agent_id": "p2/x" } }),
            json!({ "type": "agent.registered", "data": { "agent_id": "p2/x" } }),
            json!({ "type": "agent.registered", "project_id": "p1", "data": { "agent_id": "/p2/x" } }),
        ],
    );
    let all = json_of(&state, None);
    for map in ["tasks", "runs", "agents"] {
        let there = all[map].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(all["counts"][map], there, "{map}: {}", all[map]);
    }
    for (key, name) in [
        ("c", "p0 c"),
        ("b/c", "p0 b/c"),
        ("a/b%2Fc", "a b/c"),
        ("a%2Fb/c", "a/b c"),
        ("50%/c", "p0 50%/c"),
        ("p0/a%252Fb%2Fc", "p0 a%2Fb/c"),
        ("p1/p0%2Fa%25252Fb%252Fc", "p1 p0/a%252Fb%2Fc"),
        ("org/repo", "p1 org/repo"),
    ] {
        assert_eq!(all["tasks"][key]["name"], name, "{key}: {}", all["tasks"]);
    }
    // For a client that does not see the other thing, the id is a name like any other.
    let one = seen(&state, &["p0"]);
    assert_eq!(one["tasks"]["a%2Fb/c"]["name"], "p0 a%2Fb/c", "{one}");
}
