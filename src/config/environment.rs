//! The variables of the environment: it tells settings, foreign variables and misspelt ones apart.

use toml::Table;

/// The beginning of all our variables' names.
const VARIABLES: &str = "STOA_";

/// Variables that the command line and programs beside the server read: `SECRET`, `URL` and `BINARY` are those of `stoa-agents`, which
/// may share an environment with the server.
const OF_OTHERS: [&str; 4] = ["TOKEN", "SECRET", "URL", "BINARY"];

/// The least similarity at which a name counts as a misspelt setting.
const LIKE: f64 = 0.85;

/// Section and key of a variable: `STOA_SERVER__PORT` is `server.port`.
pub(super) fn section_and_key(variable: &str) -> Option<(String, String)> {
    let (section, key) = variable.strip_prefix(VARIABLES)?.split_once("__")?;
    Some((section.to_ascii_lowercase(), key.to_ascii_lowercase()))
}

/// Whether a variable of the environment gives a setting.
pub fn is_setting(variable: &str) -> bool {
    section_and_key(variable).is_some()
}

/// The error about a variable that is no setting but was probably meant as one: a server that ignores
/// `STOA_AUTHENTICATION_REQUIRED` runs open.
pub(super) fn slip(defaults: &Table, variable: &str, value: &str) -> Option<String> {
    let name = variable.strip_prefix(VARIABLES)?;
    if OF_OTHERS.contains(&name) || is_link(name, value) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let settings = defaults.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flat_map(Table::keys);
        keys.map(move |key| (section, key))
    });
    let likeness = |(section, key): &(&String, &String)| {
        strsim::jaro_winkler(&name, &format!("{section}_{key}"))
            .max(strsim::jaro_winkler(&name, key))
    };
    let nearest = settings
        .map(|setting| (likeness(&setting), setting))
        // Of several sections that have the key, the first: `secret` is that of authentication.
        .min_by(|a, b| b.0.total_cmp(&a.0));
    let of_a_section = defaults.keys().any(|section| {
        let rest = name.strip_prefix(section.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    let (likeness, (section, key)) = nearest?;
    if likeness < LIKE && !of_a_section {
        return None;
    }
    let right = format!("{VARIABLES}{section}__{key}").to_ascii_uppercase();
    Some(format!(
        "there is no such setting; did you mean {right} (two underscores)?"
    ))
}

/// Whether Kubernetes or Docker set this variable, as they do in every container for a service named `stoa`.
fn is_link(name: &str, value: &str) -> bool {
    let of_port = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && (rest.contains("_TCP") || rest.contains("_UDP") || rest.contains("_SCTP"))
    };
    name == "SERVICE_HOST"
        || name.starts_with("SERVICE_PORT")
        || (name == "PORT" && value.contains("://"))
        || name.strip_prefix("PORT_").is_some_and(of_port)
}

#[cfg(test)]
mod tests {
    use super::{super::Config, *};

    fn said(variable: &str, value: &str) -> Option<String> {
        let defaults = Table::try_from(Config::default()).expect("a table");
        slip(&defaults, variable, value)
    }

    #[test]
    fn what_was_meant_for_a_setting_is_told_the_right_name() {
        for (wrong, right) in [
            (
                "STOA_AUTHENTICATION_REQUIRED",
                "STOA_AUTHENTICATION__REQUIRED",
            ),
            ("STOA_AUTH_REQUIRED", "STOA_AUTHENTICATION__REQUIRED"),
            ("STOA_SERVER_PORT", "STOA_SERVER__PORT"),
            ("STOA_PORT", "STOA_SERVER__PORT"),
            ("STOA_REQUIRED", "STOA_AUTHENTICATION__REQUIRED"),
            ("STOA_JOURNAL_PATH", "STOA_JOURNAL__PATH"),
            ("STOA_RATE_LIMIT_ENABLED", "STOA_RATE_LIMITING__ENABLED"),
            ("STOA_HOSTS", "STOA_SERVER__HOSTS"),
        ] {
            let message = said(wrong, "true").unwrap_or_else(|| panic!("{wrong} is taken"));
            assert!(message.contains(&format!("mean {right} ")), "{message}");
        }
        for wrong in ["STOA_SERVER", "STOA_LOG_X", "STOA_TLS_EVERYTHING"] {
            assert!(said(wrong, "x").is_some(), "{wrong} is taken");
        }
    }

    #[test]
    fn what_is_not_meant_for_a_setting_is_left_alone() {
        for (variable, value) in [
            ("STOA_TOKEN", "x"),
            ("STOA_SECRET", "x"),
            ("STOA_URL", "http://127.0.0.1:8000"),
            ("STOA_BINARY", "target/release/stoa"),
            ("STOA_BIN", "target/release/stoa"),
            ("STOA_CRASH_ROUNDS", "7"),
            ("STOA_STOP_ROUNDS", "7"),
            ("STOA_CRASH_OBSERVERS", "7"),
            ("STOA_PORT", "tcp://10.0.0.7:8000"),
            ("STOA_PORT_8000_TCP", "tcp://10.0.0.7:8000"),
            ("STOA_PORT_8000_TCP_ADDR", "10.0.0.7"),
            ("STOA_PORT_8000_TCP_PORT", "8000"),
            ("STOA_SERVICE_HOST", "10.0.0.7"),
            ("STOA_SERVICE_PORT_HTTP", "8000"),
            ("STOAT_PORT", "8000"),
            ("PORT", "8000"),
        ] {
            assert_eq!(said(variable, value), None, "{variable}");
        }
    }
}
