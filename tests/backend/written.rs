//! Texts of the application and of its clients go out as they are written: keys in their order, numbers as they are.

use axum::response::IntoResponse;
use kit::application::Application;
use serde_json::{Value, json};

use crate::backend::{answer_to, client, server_of};

/// Has operations carried out that are written so; the answer as it is written.
async fn operate(server: &stoa::server::Running, operations: &str) -> String {
    crate::backend::operations::answered(server, format!("{{\"operations\":{operations}}}")).await
}

/// The next event that is not of Stoa's own making.
async fn next_of_application(client: &mut kit::Client) -> String {
    loop {
        let text = client.text().await.expect("a packet");
        if !text.starts_with("42[\"conversation_summary\"") {
            return text;
        }
    }
}

#[tokio::test]
async fn keys_stay_in_their_order_and_numbers_as_they_are() {
    let application = Application::serve(|call: Value| async move {
        let answer = match call["event"].as_str() {
            Some("order") => {
                r#"{"ack":[{"z":1,"a":2.0}],"do":[{"session":{"y":1,"b":2}},{"emit":{"event":"out","args":[{"z":1.50,"a":{"y":1,"b":2}}]}}]}"#
            }
            Some("refuse") => r#"{"refuse":{"message":"no","data":{"z":1,"a":2.0}}}"#,
            _ => "{}",
        };
        ([("content-type", "application/json")], answer).into_response()
    })
    .await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = client(&server).await;
    let id = client.sid.clone();
    client.send_text(r#"427000["order"]"#).await;
    let out = r#"42["out",{"z":1.50,"a":{"y":1,"b":2}}]"#;
    assert_eq!(next_of_application(&mut client).await, out);
    assert_eq!(client.text().await.unwrap(), r#"437000[{"z":1,"a":2.0}]"#);
    assert_eq!(
        answer_to(&mut client, r#"["refuse"]"#).await,
        r#"437000[{"status":"error","error":{"code":"refused","message":"no","data":{"z":1,"a":2.0}}}]"#
    );
    let text = operate(
        &server,
        &format!(r#"[{{"client":"{id}"}},{{"emit":{{"event":"out","args":[{{"z":1.50,"a":{{"y":1,"b":2}}}}]}}}}]"#),
    )
    .await;
    assert!(text.contains(r#""session":{"y":1,"b":2}"#), "{text}");
    assert_eq!(next_of_application(&mut client).await, out);
    // The answer of a client, too.
    let call =
        format!(r#"[{{"call":{{"client":"{id}","event":"sum","args":[{{"z":1,"a":2.0}}]}}}}]"#);
    let asking = operate(&server, &call);
    let answering = async {
        loop {
            let text = client.text().await.expect("a packet");
            if let Some((ack, args)) = text
                .strip_prefix("42")
                .and_then(|text| text.split_once('['))
            {
                assert_eq!(args, r#""sum",{"z":1,"a":2.0}]"#);
                return client
                    .send_text(&format!(r#"43{ack}[{{"y":1.0,"b":2}}]"#))
                    .await;
            }
        }
    };
    let (text, ()) = tokio::join!(asking, answering);
    assert!(text.contains(r#""args":[{"y":1.0,"b":2}]"#), "{text}");
}

#[tokio::test]
async fn a_call_carries_bytes_to_its_client_and_back() {
    let application = Application::start(|_| json!({})).await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = client(&server).await;
    let id = client.sid.clone();
    let call = format!(
        r#"[{{"call":{{"client":"{id}","event":"photo","args":["a",{{"_placeholder":true,"num":0}}],"attachments":["AQL/"]}}}}]"#
    );
    let asking = operate(&server, &call);
    let answering = async {
        loop {
            let text = client.text().await.expect("a packet");
            let Some((ack, args)) = text
                .strip_prefix("451-")
                .and_then(|text| text.split_once('['))
            else {
                continue;
            };
            assert_eq!(args, r#""photo","a",{"_placeholder":true,"num":0}]"#);
            assert_eq!(client.binary().await, [1, 2, 255]);
            client
                .send_text(&format!(
                    r#"461-{ack}[{{"_placeholder":true,"num":0}},"small"]"#
                ))
                .await;
            return client.send_binary(vec![255, 0]).await;
        }
    };
    let (text, ()) = tokio::join!(asking, answering);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        answer["results"][0],
        json!({ "status": "ok", "args": [{ "_placeholder": true, "num": 0 }, "small"], "attachments": ["/wA="] })
    );
    for (call, code) in [
        (
            r#""event":"e","args":[{"_placeholder":true,"num":1}],"attachments":["AQL/"]"#,
            "bad_request",
        ),
        (
            r#""event":"e","args":[],"attachments":["%"]"#,
            "bad_request",
        ),
        (r#""event":"disconnect""#, "invalid_event"),
        (
            &format!(
                r#""event":"e","args":["[[",{}{}]"#,
                "[".repeat(33),
                "]".repeat(33)
            ),
            "[content_filtering] max_depth",
        ),
    ] {
        let text = operate(
            &server,
            &format!(r#"[{{"call":{{"client":"{id}",{call}}}}}]"#),
        )
        .await;
        assert!(text.contains(code), "{call}: {text}");
    }
    assert_eq!(client.call("ping", json!(null)).await["status"], "ok");
}
