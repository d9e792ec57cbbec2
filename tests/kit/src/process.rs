//! The real binary as a child process on a port of its own, looked at from outside.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{PATIENCE, START_SECRET};

/// The binary: that of `STOA_BIN`, or else the one that was built with this test.
pub fn binary() -> PathBuf {
    let built = || {
        // Tests lie in a folder beside it.
        let test = std::env::current_exe().expect("this test's own file");
        let folder = test.parent().and_then(Path::parent);
        folder.expect("the folder above").join("stoa")
    };
    let binary = std::env::var_os("STOA_BIN").map_or_else(built, PathBuf::from);
    binary.canonicalize().expect("the server's binary is there")
}

/// The command that runs it.
pub fn stoa() -> Command {
    Command::new(binary())
}

/// The command that starts a server with its journal in this file, on any port that it says in its log.
pub fn serve(journal: &Path) -> Command {
    let mut command = serve_in_memory();
    command
        .env("STOA_JOURNAL__KIND", "sqlite")
        .env("STOA_JOURNAL__PATH", journal);
    command
}

/// The same with its journal in memory.
pub fn serve_in_memory() -> Command {
    let mut command = stoa();
    command
        .arg("serve")
        .env("STOA_SERVER__PORT", "0")
        .env("STOA_LOG__FORMAT", "json")
        .env("STOA_JOURNAL__KIND", "memory")
        .stdin(Stdio::null());
    command
}

/// A port that is free now, and that nobody gets who asks for any, here or in another process of these tests: a server that
/// is started on it later, or once more, still finds it free.
pub fn free_port() -> u16 {
    /// Below where systems take the ports from that they choose themselves.
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // The port of UDP with the same number is the sign for other processes that it is taken. It goes with this one.
    static SIGNS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    loop {
        // Processes that run at the same time begin at different places.
        let next = std::process::id() * 97 % COUNT + TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + next % COUNT).expect("a port");
        let Ok(sign) = UdpSocket::bind(("127.0.0.1", port)) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            SIGNS.lock().expect("no panic").push(sign);
            return port;
        }
    }
}

/// The address of a server, as a line of its log (JSON) says.
fn said(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("\"address\":\"")?;
    rest.split_once('"')?.0.parse().ok()
}

/// The address on which the child listens, as its log on stdout says. A thread reads the log to its end, or the pipe
/// would fill up.
pub fn listening(child: &mut Child) -> SocketAddr {
    let log = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            if let Some(address) = said(&line) {
                tell.send(address).ok();
            }
        }
    });
    told.recv_timeout(PATIENCE).expect("it listens")
}

/// A server; killed with this value.
#[derive(Debug)]
pub struct Process {
    /// The process itself.
    pub child: Child,
    /// The address on which it listens.
    pub address: SocketAddr,
    /// From its start to the moment from which on it is known to serve.
    pub ready_after: Duration,
    /// The file of its log, if it is kept.
    log: PathBuf,
}

impl Process {
    fn new(child: Child, address: SocketAddr, begun: Instant) -> Self {
        Self {
            child,
            address,
            ready_after: begun.elapsed(),
            log: PathBuf::new(),
        }
    }

    /// Starts one with a journal in that file, and waits until it is ready.
    pub async fn start(journal: &Path, port: u16, settings: &[(&str, String)]) -> Self {
        let mut command = stoa();
        command
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
            // Elsewhere than here: a config.toml that lies here is not what is measured.
            .current_dir(journal.parent().expect("the journal is in a folder"))
            .env("STOA_LOG__LEVEL", "error")
            .env("STOA_JOURNAL__PATH", journal)
            .envs(settings.iter().map(|(key, value)| (*key, value)))
            .stdout(Stdio::null());
        Self::ready(&mut command, port).await
    }

    /// Starts it on this port, and waits until it is ready.
    pub async fn ready(command: &mut Command, port: u16) -> Self {
        let begun = Instant::now();
        let child = command.spawn().expect("the server starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut server = Self::new(child, address, begun);
        while !server.is_ready().await {
            server.is_coming(begun);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.ready_after = begun.elapsed();
        server
    }

    /// Starts it, and waits until its log says where it listens.
    pub fn listening(command: &mut Command) -> Self {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let address = listening(&mut child);
        Self::new(child, address, begun)
    }

    /// The same with its journal in memory, keys of `[server]`, and the proof of the tests' start.
    pub fn with_keys(keys: &[(&str, &str)]) -> Self {
        let mut command = serve_in_memory();
        command
            .env("STOA_AUTHENTICATION__START_SECRET", START_SECRET)
            .stderr(Stdio::null());
        for (key, value) in keys {
            command.env(format!("STOA_SERVER__{key}"), value);
        }
        Self::listening(&mut command)
    }

    /// Starts it with its log in this file, and waits until that says where it listens.
    pub fn logged(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log");
        let stderr = file.try_clone().expect("a log");
        command.stdout(file).stderr(stderr).stdin(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn().expect("starts");
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self::new(child, nowhere, begun);
        server.log = log.to_owned();
        loop {
            if let Some(address) = server.lines("").iter().find_map(|line| said(line)) {
                server.address = address;
                server.ready_after = begun.elapsed();
                return server;
            }
            server.is_coming(begun);
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_coming(&mut self, begun: Instant) {
        let ended = self.child.try_wait().expect("its state");
        let in_time = begun.elapsed() < PATIENCE;
        assert!(ended.is_none() && in_time, "{ended:?} {:?}", self.lines(""));
    }

    async fn is_ready(&self) -> bool {
        let answer = self.text("/readyz").await;
        answer.is_some_and(|text| text.contains("\"status\":\"ready\""))
    }

    /// The lines of its log with these words.
    pub fn lines(&self, words: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect()
    }

    /// Its answer to a `GET`; none when there is no answer.
    pub async fn text(&self, path: &str) -> Option<String> {
        text(self.address, path).await
    }

    /// SIGKILL: nothing is tidied up. The port that it had.
    pub fn kill(mut self) -> u16 {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.address.port()
    }

    /// SIGTERM, and waits for the orderly end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("it ends")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let told = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(told.is_ok_and(|told| told.success()), "it can be told");
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it goes on running");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A line of `/proc/{id}/status` in kibibytes (`VmRSS`, `VmHWM`); none where there is no `/proc`.
    pub fn memory(&self, line: &str) -> Option<u64> {
        memory(self.child.id(), line)
    }

    /// Its open descriptors.
    pub fn descriptors(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        folder.expect("it runs").count()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts a server that is to end by itself: its exit code, and what it says.
pub async fn refused(command: &mut Command) -> (Option<i32>, String) {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = piped.spawn().expect("starts");
    let started = Instant::now();
    while server.try_wait().expect("waits").is_none() {
        if started.elapsed() > PATIENCE {
            server.kill().ok();
            panic!("it runs: {command:?}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let output = server.wait_with_output().expect("output");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// A line of a process's status in kibibytes.
pub fn memory(process: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|l| l.strip_prefix(line))?;
    let number = found.trim_start_matches(':').split_whitespace().next()?;
    number.parse().ok()
}

/// The processor time of a process so far in its program and in the kernel, in seconds; Linux counts it in hundredths. None
/// where there is no `/proc`.
pub fn processor(process: u32) -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name in it may hold spaces and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11);
    let mut seconds = || Some(ticks.next()?.parse::<f64>().ok()? / 100.0);
    Some((seconds()?, seconds()?))
}

/// The answer of a server to a `GET`, on a connection of its own.
pub async fn text(address: SocketAddr, path: &str) -> Option<String> {
    let answer = crate::http_client()
        .get(format!("http://{address}{path}"))
        .send();
    answer.await.ok()?.text().await.ok()
}

/// The same as JSON.
pub async fn json(address: SocketAddr, path: &str) -> Option<Value> {
    serde_json::from_str(&text(address, path).await?).ok()
}
