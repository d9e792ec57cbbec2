//! The steps of `docs/deploy.md`, in a folder of their own, and the server that they give.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

const GUIDE: &str = include_str!("../docs/deploy.md");
const NAME: &str = "stoa.example.org";

/// The blocks of the guide that are written in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let parts = GUIDE.split(start.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

/// A block as it can be run here: in a folder, by whoever runs the tests, with the program that was built for them.
fn here(block: &str, root: &Path) -> String {
    let root = root.display();
    block
        .replace("sudo ", "")
        .replace("-o root -g stoa ", "")
        .replace("target/release/stoa", env!("CARGO_BIN_EXE_stoa"))
        .replace("/etc/stoa", &format!("{root}/etc/stoa"))
        .replace(" /usr/local", &format!(" {root}/usr/local"))
        .lines()
        .filter(|line| !line.starts_with("id -u") && !line.starts_with("cargo"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn run(script: &str) -> String {
    let done = Command::new("sh")
        .args(["-euc", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("there is a shell");
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{errors}");
    String::from_utf8(done.stdout).expect("text")
}

/// Does the steps that put files in their places.
fn install(root: &Path) {
    for block in blocks("sh") {
        if block.contains("/etc/stoa") && !block.contains("stoa token") {
            run(&here(block, root));
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o7777
}

/// The value of a key in the service's file; several lines of one key are one each.
fn service(key: &str) -> Vec<&'static str> {
    let lines = blocks("ini")[0].lines();
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts it as the service's file says.
fn serve(root: &Path) -> Server {
    let at = |path: &str| format!("{}{path}", root.display());
    fs::create_dir_all(at("/var/lib/stoa")).unwrap();
    let line = service("ExecStart")[0];
    let mut words = line.split_whitespace();
    let program = at(words.next().unwrap());
    let arguments: Vec<String> = words
        .map(|word| word.replace("/etc/stoa", &at("/etc/stoa")))
        .collect();
    let environment = fs::read_to_string(at(service("EnvironmentFile")[0])).unwrap();
    let of_the_unit = service("Environment")[0].split_whitespace();
    let pairs = environment.lines().chain(of_the_unit);
    let pairs = pairs.filter_map(|line| line.split_once('='));
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--port", "0"])
        .envs(pairs.map(|(key, value)| (key, value.replace("/var/lib", &at("/var/lib")))))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let address = kit::process::listening(&mut child).to_string();
    Server(child, address)
}

/// A request as the proxy of the guide passes it on; its status.
async fn through_the_proxy(server: &Server, host: &str, token: Option<&str>) -> u16 {
    let mut request = kit::http_client()
        .post(format!("http://{}/api/v1/events", server.1))
        .header("host", host)
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("origin", format!("https://{NAME}"))
        .json(&serde_json::json!({ "type": "a.b" }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("answers").status().as_u16()
}

#[tokio::test]
async fn the_guide_followed_as_it_stands_gives_a_server_that_asks_for_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (config, environment) = (
        root.join("etc/stoa/config.toml"),
        root.join("etc/stoa/stoa.env"),
    );
    install(root);
    assert_eq!(mode(&root.join("etc/stoa")), 0o750);
    assert_eq!(mode(&config), 0o640);
    assert_eq!(mode(&environment), 0o600);
    let first = fs::read_to_string(&environment).unwrap();
    let edited = fs::read_to_string(&config).unwrap() + "# mine\n";
    fs::write(&config, &edited).unwrap();
    let server = serve(root);
    assert_eq!(through_the_proxy(&server, NAME, None).await, 401);
    assert_eq!(through_the_proxy(&server, "evil.test", None).await, 403);
    let tokens = blocks("sh")
        .into_iter()
        .find(|block| block.contains("stoa token"))
        .unwrap();
    let tokens = run(&here(tokens, root));
    let token = tokens.lines().next().expect("a token");
    assert_eq!(through_the_proxy(&server, NAME, Some(token)).await, 202);
    assert_eq!(
        through_the_proxy(&server, "evil.test", Some(token)).await,
        403
    );
    // The same steps again are the upgrade: with the server at work, and with what is one's own left alone.
    install(root);
    assert_eq!(fs::read_to_string(&environment).unwrap(), first);
    assert_eq!(fs::read_to_string(&config).unwrap(), edited);
    drop(server);
    let server = serve(root);
    assert_eq!(
        through_the_proxy(&server, NAME, Some(token)).await,
        202,
        "old tokens are good"
    );
    assert!(root.join("var/lib/stoa/stoa.db").exists());
}

#[test]
fn the_service_has_its_secret_from_a_file_and_nothing_more_than_it_needs() {
    assert_eq!(service("EnvironmentFile"), ["/etc/stoa/stoa.env"]);
    assert_eq!(service("User"), ["stoa"]);
    assert_eq!(service("CapabilityBoundingSet"), [""]);
    for key in [
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "RestrictSUIDSGID",
    ] {
        assert_eq!(service(key), ["yes"], "{key}");
    }
    let unit = blocks("ini")[0];
    assert!(
        !unit.to_ascii_lowercase().contains("secret="),
        "no secret stands in it"
    );
    let proxy = blocks("nginx")[0];
    for line in [
        "proxy_set_header Host $host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    ] {
        assert!(proxy.contains(line), "{line}");
    }
}
