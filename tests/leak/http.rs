//! The doors of HTTP, as the spy goes through them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt;

/// Opens an event stream, of all or of a project; its text grows as it comes. `cursor` is where one of them begins.
pub async fn stream(
    address: SocketAddr,
    n: usize,
    token: &str,
    cursor: &str,
) -> Arc<Mutex<String>> {
    let queries = [
        "v1/stream".to_owned(),
        "v1/stream?rooms=project:alpha&snapshot=1".to_owned(),
        "v1/stream?rooms=project:vicproject".to_owned(),
        format!("v1/stream?cursor={cursor}"),
        "v1/stream?rooms=observers&projects=vicproject,alpha".to_owned(),
        "stream/projects/alpha".to_owned(),
    ];
    let url = format!("http://{address}/api/{}", queries[n % queries.len()]);
    let request = kit::http_client().get(url).bearer_auth(token);
    let response = request.header("Accept", "text/event-stream").send();
    let response = response.await.expect("answers");
    let is_forbidden = n % queries.len() == 2;
    assert_eq!(response.status() != 200, is_forbidden, "{response:?}");
    let text = Arc::new(Mutex::new(String::new()));
    let grows = text.clone();
    tokio::spawn(async move {
        let mut body = response.bytes_stream();
        while let Some(Ok(piece)) = body.next().await {
            grows
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&piece));
        }
    });
    text
}

/// Gets one of all that can be got: its path and the text.
pub async fn get(address: SocketAddr, n: usize, token: &str) -> (&'static str, String) {
    let paths = [
        "/api/v1/state",
        "/api/v1/state?project_id=vicproject",
        "/api/v1/state?project_id=alpha",
        "/api/v1/events?limit=1000",
        "/api/v1/events?project_id=vicproject",
        "/api/v1/events?agent_id=both&type=task.*",
        "/api/v1/events?run_id=exec-vicbob",
        "/api/health/current",
        "/api/health/history",
        "/api/conversations/recent?agent_id=both",
        "/api/pipeline/monitor/dashboard",
        "/api/v1/ws/stats",
        "/api/v1/ws/rooms",
        "/api/v1/performance",
        "/api/v1/health",
        "/metrics",
        "/api/v1/admin/connections",
    ];
    let path = paths[n % paths.len()];
    let url = format!("http://{address}{path}");
    let response = kit::http_client().get(url).bearer_auth(token).send();
    let text = response.await.expect("answers").text().await.expect("text");
    (path, text)
}
