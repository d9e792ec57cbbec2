//! The bytes held for Seneca's pages have a bound, whatever producers write, after a restart too.

use serde_json::{Value, json};

use crate::held::{publish, server_on};
use kit::{counted_in, get, post, process::text, server_with, until_folded};

const DASHBOARD_BYTES: usize = 1 << 20;

/// A report with an analysis of its own that is small as text and large in memory.
fn dense_report(n: usize) -> Value {
    json!({
        "type": "system.health.changed", "id": format!("h{n}"),
        "data": {
            "status": format!("report {n}"),
            "timeline_prediction": { "on_track": true, "confidence": 0.5, "l": vec![json!({ "": 0 }); 4_900] },
        }
    })
}

/// A report whose analysis is as long as an event may be, and all of it is shown.
fn long_report(n: usize) -> Value {
    let risk = "x".repeat(600);
    json!({
        "type": "system.health.changed", "id": format!("l{n}"),
        "data": { "status": format!("long {n}"), "timeline_prediction": { "critical_path_risks": vec![risk; 95] } }
    })
}

async fn history(address: std::net::SocketAddr) -> (usize, Vec<Value>) {
    let text = text(address, "/api/health/history?hours=24").await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    (text.len(), body["history"].as_array().unwrap().clone())
}

#[tokio::test]
async fn readings_of_the_health_hold_what_the_tab_reads_and_no_more_than_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let start = || {
        server_on(&path, |config| {
            config.seneca.max_bytes.set(DASHBOARD_BYTES as u64).unwrap();
        })
    };
    let mut server = start().await;
    let mut cursor = publish(server.address(), (0..40).map(dense_report), 5).await;
    for restarted in [false, true] {
        if restarted {
            server.shutdown().await;
            server = start().await;
        } else {
            until_folded(server.address(), &cursor).await;
        }
        let (length, readings) = history(server.address()).await;
        // As text each of these has 34 KB, in memory 3 MB.
        assert_eq!(readings.len(), 40, "{restarted}");
        assert!(length < 40 * 1_000, "{length}");
        let last = &readings[39];
        assert_eq!(last["status"], "report 39");
        assert_eq!(last["timeline_prediction"]["on_track"], true);
        assert_eq!(last["timeline_prediction"]["confidence"], 0.5);
        assert!(last["timeline_prediction"]["l"].is_null());
        let held = counted_in(&server, "stoa_seneca_bytes");
        assert!((1..=DASHBOARD_BYTES as u64).contains(&held), "{held}");
    }
    cursor = publish(server.address(), (0..40).map(long_report), 5).await;
    for restarted in [false, true] {
        if restarted {
            server.shutdown().await;
            server = start().await;
        } else {
            until_folded(server.address(), &cursor).await;
        }
        let (length, readings) = history(server.address()).await;
        // An eighth of the dashboard's bytes is for readings; that is two of these.
        assert!((1..=3).contains(&readings.len()), "{}", readings.len());
        assert!(length < DASHBOARD_BYTES / 8 + 10_000, "{length}");
        let last = readings.last().unwrap();
        assert_eq!(last["status"], "long 39");
        let risks = &last["timeline_prediction"]["critical_path_risks"];
        assert_eq!(risks.as_array().unwrap().len(), 95);
        let held = counted_in(&server, "stoa_seneca_bytes");
        assert!((1..=DASHBOARD_BYTES as u64).contains(&held), "{held}");
        let gone = counted_in(&server, "stoa_seneca_forgotten_total{what=\"readings\"}");
        assert!(gone >= 77, "{gone}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn long_ids_and_names_hold_no_more_than_the_desks_bytes() {
    const ID: usize = 4_000;
    const COUNT: usize = 400;
    let server = server_with(|config| {
        config.seneca.max_bytes.set(DASHBOARD_BYTES as u64).unwrap();
        config.content_filtering.max_id_length.set(4_096).unwrap();
    })
    .await;
    let address = server.address();
    let long = "n".repeat(20_000);
    let of = |n: usize| format!("{n:0ID$}");
    type Make<'a> = &'a dyn Fn(usize) -> Value;
    let sorts: [(&str, Make<'_>); 6] = [
        (
            "tasks",
            &|n| json!({ "type": "task.completed", "data": { "task_id": of(n) } }),
        ),
        (
            "flows",
            &|n| json!({ "type": "workflow.run.started", "data": { "run_id": of(n), "project_name": long } }),
        ),
        // Nobody but Seneca knows these ids, so the doors leave them as they are.
        (
            "flows",
            &|n| json!({ "type": "pipeline.started", "data": { "flow_id": format!("{n}{long}") } }),
        ),
        (
            "agents",
            &|n| json!({ "type": "agent.registered", "data": { "agent_id": of(n), "agent_name": long } }),
        ),
        (
            "",
            &|n| json!({ "type": "decision.logged", "data": { "decision_id": format!("{n}{long}") } }),
        ),
        (
            "",
            &|n| json!({ "event": "worker_communication", "conversation_type": format!("{n}{long}"), "worker_id": "w" }),
        ),
    ];
    for (what, make) in sorts {
        let before = counted_in(
            &server,
            &format!("stoa_seneca_forgotten_total{{what=\"{what}\"}}"),
        );
        let cursor = publish(address, (0..COUNT).map(make), 10).await;
        until_folded(address, &cursor).await;
        let held = counted_in(&server, "stoa_seneca_bytes");
        assert!(
            (1..=DASHBOARD_BYTES as u64).contains(&held),
            "{what}: {held}"
        );
        let line = format!("stoa_seneca_forgotten_total{{what=\"{what}\"}}");
        if ["tasks", "agents"].contains(&what) {
            assert!(counted_in(&server, &line) > before + 100, "{what}");
        }
    }
    // Everybody still has the figures, and they are small.
    let (status, dashboard) = get(address, "/api/pipeline/monitor/dashboard").await;
    assert_eq!(status, 200);
    assert!(
        dashboard.to_string().len() < DASHBOARD_BYTES,
        "{}",
        dashboard.to_string().len()
    );
    let (status, answer) = post(
        address,
        &json!({ "type": "task.completed", "data": { "task_id": "t" } }),
    )
    .await;
    assert_eq!(status, 202, "{answer}");
    until_folded(address, &answer["cursor"]).await;
    server.shutdown().await;
}

/// Ever new runs: once as many are known as may be, an eighth of them goes at once, and nobody walks over all for each.
#[tokio::test]
async fn flows_make_room_by_the_eighth() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    let run =
        |n: usize| json!({ "type": "workflow.run.started", "data": { "run_id": format!("r{n}") } });
    let mut cursor = publish(address, (0..1_000).map(run), 500).await;
    until_folded(address, &cursor).await;
    let gone = || counted_in(&server, "stoa_seneca_forgotten_total{what=\"flows\"}");
    assert_eq!(gone(), 0);
    cursor = publish(address, [run(1_000)], 1).await;
    until_folded(address, &cursor).await;
    assert_eq!(gone(), 125);
    cursor = publish(address, (1_001..1_125).map(run), 500).await;
    until_folded(address, &cursor).await;
    assert_eq!(gone(), 125);
    let (_, dashboard) = get(address, "/api/pipeline/monitor/dashboard").await;
    assert_eq!(dashboard["system_metrics"]["active_flows"], 1_000);
    server.shutdown().await;
}
