//! Requests that the server can't understand are refused as JSON, with a code.

use kit::guarded::{admin, guarded};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_over_http_is_json() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let rows = [
        ("PATCH", "/api/v1/events", 405, "GET,HEAD,POST"),
        ("DELETE", "/api/v1/events", 405, "GET,HEAD,POST"),
        ("POST", "/api/v1/state", 405, "GET,HEAD"),
        ("PUT", "/api/v1/admin/bans", 405, "GET,HEAD,POST,DELETE"),
        ("GET", "/api/v1/admin/disconnect", 405, "POST"),
        ("POST", "/api/health/current", 405, "GET,HEAD"),
        ("POST", "/healthz", 405, "GET,HEAD"),
        ("GET", "/api", 404, ""),
        ("GET", "/api/v1/nothing", 404, ""),
        ("POST", "/api/v1/events/", 404, ""),
        ("DELETE", "/api/v1/admin/connections/", 404, ""),
        ("DELETE", "/api/v1/admin/connections/%ff", 400, ""),
        ("GET", "/api/v1/events?limit=many", 400, ""),
        ("GET", "/api/health/history?hours=many", 400, ""),
        ("GET", "/api/conversations/recent?limit=-1", 400, ""),
        ("POST", "/api/v1/admin/bans", 400, ""),
    ];
    for (method, path, status, allow) in rows {
        let answer = kit::http_client()
            .request(method.parse().unwrap(), format!("http://{address}{path}"))
            .bearer_auth(admin())
            .send()
            .await
            .expect("answers");
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let allowed = answer.headers().get("allow");
        let mut allowed: Vec<_> = allowed
            .map(|v| v.to_str().unwrap().split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let mut expected: Vec<_> = allow.split(',').filter(|m| !m.is_empty()).collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{method} {path}");
        let media = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(media, "application/json", "{method} {path}");
        let answer: Value = answer.json().await.expect("JSON");
        let code = if status == 404 {
            "not_found"
        } else {
            "bad_request"
        };
        assert_eq!(answer["error"]["code"], json!(code), "{method} {path}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.len() > 10, "{method} {path}: {answer}");
    }
    let text = server.metrics().text();
    let counted = "stoa_requests_refused_total{door=\"http\",code=\"method_not_allowed\"} 7";
    assert!(text.contains(counted), "{text}");
    server.shutdown().await;
}
