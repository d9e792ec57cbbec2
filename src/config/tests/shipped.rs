//! The shipped file: it is the defaults, it can be added to, and what `stoa check` prints can be loaded like it.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{super::Config, api_keys::API_KEY, load, refused};

const SHIPPED: &str = include_str!("../../../config.toml");

#[test]
fn the_shipped_file_is_the_defaults_and_names_every_key_with_a_comment() {
    assert_eq!(load(SHIPPED, &[]).expect("loads"), Config::default());
    let written: Table = toml::from_str(SHIPPED).expect("parses");
    let keys = |table: &Table| -> BTreeSet<String> {
        let of = |(section, keys): (&String, &Value)| {
            let keys = keys.as_table().expect("section").keys();
            keys.map(|key| format!("{section}.{key}"))
                .collect::<Vec<_>>()
        };
        table.iter().flat_map(of).collect()
    };
    let mut written = keys(&written);
    // Lists of tables are named in comments: an example can be pasted where no empty list stands.
    for (key, example) in [
        ("transform.rules", "#   [[transform.rules]]\n"),
        (
            "authentication.api_keys",
            "#   [[authentication.api_keys]]\n",
        ),
    ] {
        assert!(SHIPPED.contains(example) && written.insert(key.to_owned()));
        let name = key.split_once('.').expect("a section").1;
        assert!(SHIPPED.contains(&format!("# Without one it is: {name} = []\n")));
    }
    assert_eq!(
        written,
        keys(&Table::try_from(Config::default()).expect("table"))
    );
    let lines: Vec<_> = SHIPPED.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if !line.is_empty() && !line.starts_with(['#', '[']) {
            assert!(lines[at - 1].starts_with('#'), "no comment above {line:?}");
        }
    }
}

#[test]
fn the_shipped_file_takes_a_rule_and_a_key_at_its_end() {
    let rule = "[[transform.rules]]\nmatch = \"deploy.*\"\nemit = \"deploy_update\"\n";
    let config = load(&format!("{SHIPPED}\n{rule}\n{API_KEY}"), &[]).expect("loads");
    assert_eq!(config.transform.rules.len(), 1);
    assert_eq!(config.authentication.api_keys.len(), 1);
    let message = refused(&format!("[transform]\nrules = []\n\n{rule}"), &[]);
    assert!(
        message.contains(".toml:4: ") && message.contains("take out `rules = []` in line 2"),
        "{message}"
    );
}

#[test]
fn what_check_prints_can_be_loaded_again_and_hides_the_secret() {
    let mut config = Config::default();
    config.server.port = 9;
    assert_eq!(load(&config.effective(), &[]).expect("loads"), config);
    config.authentication.secret = "hush-hush".into();
    let shown = config.effective();
    assert!(!shown.contains("hush") && shown.contains("secret = \"***\""));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && shown.contains("secret: \"***\""));
    config.alerts.webhook_url = "https://hooks.example/T0/hush".into();
    config.alerts.webhook_secret = "hush-hush-hush".into();
    config.bus.url = "redis://:hush@redis.example".into();
    let shown = format!("{}{config:?}", config.effective());
    assert!(!shown.contains("hush") && shown.contains("webhook_url = \"***\""));
}
