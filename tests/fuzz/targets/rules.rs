//! Rules of a configuration file: compiled or refused with a sentence, and applied to real events.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use stoa::{
    channel::Listening,
    config::RuleConfig,
    event,
    timestamp::Timestamp,
    update::{Envelope, Rule, Table, TransformOptions, UpdateShape, render},
};

fuzz_target!(|data: &[u8]| {
    let Ok(config) = std::str::from_utf8(data)
        .map_err(drop)
        .and_then(|t| toml::from_str::<RuleConfig>(t).map_err(drop))
    else {
        return;
    };
    let rule = match Rule::compile(&config) {
        Ok(rule) => rule,
        Err(error) => {
            assert!(error.to_string().len() > 20, "a refusal says what is wrong");
            return;
        }
    };
    let table = Table::new(TransformOptions {
        throttle: Duration::from_millis(100),
        text_throttle: Duration::from_millis(33),
        usage_throttle: Duration::from_secs(1),
        rules: vec![rule],
    });
    let intake = event::ParseContext {
        now: Timestamp::from_micros(0),
        producer: "fuzz",
        max_depth: 32,
    };
    let types = [
        config.matches.replace('*', "x"),
        "deploy.started".to_owned(),
        "task_completed".to_owned(),
    ];
    for name in types {
        let event = json!({
            "type": name, "id": "e1", "project_id": "p1", "metadata": { "by": { "name": "<b>" } },
            "data": { "service": "api", "state": ["up", 1], "agent_id": "a1", "deep": { "er": null } },
        });
        let Ok(event) = event::parse(event, &intake) else {
            continue;
        };
        for planned in table.plan(&event, Listening::NONE) {
            let envelope = Envelope {
                cursor: "1.1",
                coalesced: 1,
                since: None,
                data: None,
            };
            let update: Value =
                serde_json::from_str(&render(&planned, &event, &envelope, UpdateShape::Full))
                    .expect("an update is JSON");
            assert_eq!(update["id"], "e1");
        }
    }
});
