//! Settings as `stoa serve` and `stoa check` read them, and what they say of them.

use super::*;

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = stoa(&["check", "--config", "nowhere.toml"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "stoa: nowhere.toml: there is no such file\n");
}

#[test]
fn open_to_everybody_it_starts_only_when_that_is_said() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "[server]\nhost = \"0.0.0.0\"\nport = 0\n").expect("writes");
    let path = file.path().to_string_lossy().into_owned();
    for command in ["serve", "check"] {
        let output = stoa(&[command, "--config", &path]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.lines().count() == 1
                && error.contains("0.0.0.0")
                && error.contains("--insecure")
                && error.contains("[authentication] required"),
            "{error}"
        );
    }
    let meant = stoa(&["check", "--config", &path])
        .env("STOA_SERVER__ALLOW_INSECURE", "true")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&meant.stderr);
    assert!(
        meant.status.success() && said.contains("reachable from other machines"),
        "{said}"
    );
    // An address for documentation, which no machine has: the word is taken, and only then is it looked for.
    let output = stoa(&["serve", "--host", "192.0.2.1", "--insecure"])
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no such address"), "{error}");
}

#[test]
fn a_name_that_leads_nowhere_is_told_as_such() {
    for (command, host) in [
        ("serve", "no-such-host.invalid"),
        ("check", "also-none.invalid"),
    ] {
        let output = stoa(&[command])
            .env("STOA_SERVER__HOST", host)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.lines().count() == 1
                && error.contains(host)
                && error.contains("no address is known"),
            "{error}"
        );
    }
}

#[test]
fn check_says_what_it_read_and_whether_it_can_be_used() {
    let folder = tempfile::tempdir().expect("folder");
    let check = || {
        let output = stoa(&["check"])
            .current_dir(folder.path())
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = check();
    assert!(
        code == Some(0) && said.contains("no config.toml found") && said.contains("can be used"),
        "{said}"
    );
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[log]\nlevel = \"debug\"\n").expect("writes");
    let (code, said) = check();
    assert!(
        code == Some(0) && said.contains("config.toml: the configuration can be used"),
        "{said}"
    );
    // A room that nobody can be in is no use.
    let rule =
        "\n[[transform.rules]]\nmatch = \"a.*\"\nemit = \"x\"\nrooms = [\"build!{data.x}\"]\n";
    std::fs::write(&file, rule).expect("writes");
    let (code, said) = check();
    assert!(
        code == Some(1) && said.contains("config.toml:2: ") && said.contains("build!{data.x}"),
        "{said}"
    );
    // The shipped file takes it where its examples stand.
    let shipped = std::fs::read_to_string("config.toml").expect("the shipped file");
    let rule = rule.replace("build!", "task:");
    std::fs::write(&file, format!("{shipped}{rule}")).expect("writes");
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
}

/// Most that is asked of whoever can't make a setting work is which file was read.
#[test]
fn serve_says_what_it_read_and_which_variables_come_before_it() {
    let folder = tempfile::tempdir().expect("folder");
    let said = || {
        let mut command = stoa(&["serve", "--port", "0"]);
        command.current_dir(folder.path()).env(
            "STOA_AUTHENTICATION__START_SECRET",
            "a-secret-of-the-environment",
        );
        let lines = log_until(&mut command, "Stoa listens");
        let found: Vec<_> = lines
            .into_iter()
            .filter(|l| l.contains("settings: "))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("\"INFO\"") && found[0].contains("STOA_JOURNAL__KIND"),
            "{found:?}"
        );
        assert!(
            found[0].contains("STOA_AUTHENTICATION__START_SECRET")
                && !found[0].contains("a-secret"),
            "{found:?}"
        );
        found[0].clone()
    };
    assert!(said().contains("no config.toml here"));
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").expect("writes");
    let whole = file.canonicalize().expect("there").display().to_string();
    assert!(said().contains(&whole));
}

#[test]
fn what_is_wrong_with_host_and_port_is_said() {
    for (args, told) in [
        (
            ["serve", "--host", "localhost:9000"],
            "--host localhost --port 9000",
        ),
        (["serve", "--port", "abc"], "whole number from 0 to 65535"),
        (["serve", "--port", "70000"], "whole number from 0 to 65535"),
    ] {
        let output = stoa(&args).output().expect("runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && error.contains(told),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_configuration_names_the_line_and_the_nearest_key() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "[server]\nhost = \"127.0.0.1\"\nprot = 9000\n").expect("writes");
    let path = file.path().to_string_lossy().into_owned();
    for command in ["serve", "check"] {
        let output = stoa(&[command, "--config", &path]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.lines().count() == 1, "{error}");
        assert!(
            error.contains(":3") && error.contains("prot") && error.contains("port"),
            "{error}"
        );
    }
    let output = stoa(&["serve", "--config", "/no/such/file.toml"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file.toml"));
    let rule = "[[transform.rules]]\nmatch = \"a.*\"\nemit = \"disconnect\"\n";
    std::fs::write(file.path(), rule).expect("writes");
    let output = stoa(&["serve", "--port", "0", "--config", &path])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.lines().count() == 1 && error.contains("emit") && error.contains(":1"),
        "{error}"
    );
}
