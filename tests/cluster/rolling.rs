//! Nodes behind nginx that are stopped and started again, one after the other, under load.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use kit::{
    not_checked,
    process::{Process, free_port},
    redis::Redis,
    until,
};

use super::{
    load::{Load, Scale, number},
    process_at, until_ready,
};

const NODES: [&str; 3] = ["one", "two", "three"];
/// More of both make a longer run of the same: `CHAOS_ROLLS=10 CHAOS_OBSERVERS=1000`.
const ROLLS: u64 = 1;
const OBSERVERS: u64 = 12;
/// Acknowledged events between two stops.
const EVENTS: u64 = 200;

/// nginx with the configuration of the docs; stopped with this value.
struct Front(Child);

impl Front {
    /// Starts it on a port before these nodes; none where it is not installed.
    fn start(folder: &Path, port: u16, nodes: &[SocketAddr]) -> Option<Self> {
        let mut conf = include_str!("../../docs/cluster/nginx.conf").to_owned();
        let ports = nodes.iter().map(SocketAddr::port);
        // Marked first: the port of one may look like the name of the next.
        for at in 0..=nodes.len() {
            conf = conf.replace(&format!("127.0.0.1:800{at}"), &format!("127.0.0.1:<{at}>"));
        }
        for (at, port) in std::iter::once(port).chain(ports).enumerate() {
            conf = conf.replace(&format!("<{at}>"), &port.to_string());
        }
        std::fs::write(folder.join("nginx.conf"), conf).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut nginx = Command::new("nginx");
        nginx
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-p")
            .arg(folder)
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        match nginx.spawn() {
            Ok(child) => Some(Self(child)),
            Err(_) => {
                not_checked("nodes behind nginx, which is not installed: make deps");
                None
            }
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // By SIGKILL its workers would stay.
        let id = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().ok();
        self.0.wait().ok();
    }
}

/// Each node in its turn: nothing is lost, and nothing comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_nginx_loses_nothing() {
    let Some(engine) = Redis::lasting().await else {
        return;
    };
    let further = [
        ("STOA_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("STOA_SERVER__ALLOW_INSECURE", "true"),
    ];
    let start = |name, port| process_at(&engine.url(), name, port, &further);
    let mut nodes: Vec<Process> = NODES.map(|name| start(name, free_port())).into();
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(_front) = Front::start(folder.path(), port, &addresses) else {
        return;
    };
    let front = SocketAddr::from(([127, 0, 0, 1], port));
    until("nginx", async || {
        let asked = kit::process::text(front, "/readyz").await?;
        asked.contains("\"ready\"").then_some(())
    })
    .await;
    let scale = Scale {
        observers: number("CHAOS_OBSERVERS", OBSERVERS),
        producers_hop: false,
    };
    let load = Load::begin(&[front], scale).await;
    for _ in 0..number("CHAOS_ROLLS", ROLLS) {
        for (at, name) in NODES.iter().enumerate() {
            load.more(EVENTS).await;
            let node = nodes.remove(at);
            let port = node.address.port();
            let ended = tokio::task::block_in_place(|| node.stop());
            assert!(ended.success(), "{ended}");
            nodes.insert(at, start(name, port));
            until_ready(addresses[at], true).await;
        }
    }
    load.more(EVENTS).await;
    load.judge(&addresses).await;
}
