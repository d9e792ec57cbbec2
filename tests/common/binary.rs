//! The real binary as a child process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::Child,
    sync::mpsc,
    thread,
    time::Duration,
};

/// A server that takes longer than this to listen is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it listens, as its log (JSON, on stdout) says. The rest of the log is read and thrown away, or the pipe would fill up.
pub fn listening(child: &mut Child) -> SocketAddr {
    const FIELD: &str = "\"address\":\"";
    let log = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            let rest = line.split_once(FIELD).map(|(_, rest)| rest);
            if let Some((address, _)) = rest.and_then(|rest| rest.split_once('"')) {
                tell.send(address.parse().expect("an address")).ok();
            }
        }
    });
    told.recv_timeout(PATIENCE).expect("it listens")
}
