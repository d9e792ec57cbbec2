//! The load: producers that publish as fast as they are answered, and observers beside them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kit::process::processor;
use serde::{Deserialize, Serialize};

use super::{
    plain,
    socket::{Frames, Producer},
};

/// Bytes of packets that are encoded beforehand; a run ends with them.
const MOST_BYTES: usize = 256 << 20;
/// Lines of one body.
const BODY_LINES: usize = 20_000;
/// Packets that are sent and answered before anything is measured.
const WARM_UP: usize = 64;

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// Socket.IO's `publish` of so many events, with so many calls in flight.
    Publish { events: usize, in_flight: usize },
    /// NDJSON by so many connections, one body after the other.
    Lines { connections: usize },
}

/// The measurement to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) address: SocketAddr,
    /// The server's process.
    pub(crate) process: u32,
    pub(crate) way: Way,
    pub(crate) observers: usize,
    pub(crate) millis: u64,
}

/// The measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Acknowledged events a second.
    pub(crate) rate: f64,
    /// Processor time of the server for an event, in microseconds; of that in the kernel.
    pub(crate) cpu: f64,
    pub(crate) kernel: f64,
    /// The time from sending a call to its answer, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Updates that the observers got.
    pub(crate) delivered: u64,
}

pub(crate) fn run(asked: &Asked) {
    let limit = Duration::from_millis(asked.millis);
    let delivered = observe(asked.address, asked.observers);
    let (events, took, mut latencies, before) = match asked.way {
        Way::Publish { events, in_flight } => publish(asked, events, in_flight, limit),
        Way::Lines { connections } => post(asked, connections, limit),
    };
    let after = processor(asked.process).unwrap_or_default();
    latencies.sort_unstable();
    let at = |percent: usize| match latencies.len() {
        0 => 0.0,
        len => latencies[(len - 1) * percent / 100].as_secs_f64() * 1e3,
    };
    let each = |seconds: f64| seconds / events as f64 * 1e6;
    let found = Found {
        rate: events as f64 / took.as_secs_f64(),
        cpu: each(after.0 + after.1 - before.0 - before.1),
        kernel: each(after.1 - before.1),
        p50: at(50),
        p99: at(99),
        delivered: delivered.load(Ordering::Relaxed),
    };
    println!("{}", serde_json::to_string(&found).expect("JSON"));
    std::process::exit(0);
}

type Run = (usize, Duration, Vec<Duration>, (f64, f64));

/// Publishes with so many calls in flight, by halves.
fn publish(asked: &Asked, events: usize, in_flight: usize, limit: Duration) -> Run {
    let mut frames = Frames::default();
    let mut bytes = 0;
    let mut n = 0;
    while bytes < MOST_BYTES && frames.len() < 2_000_000 {
        let list: Vec<String> = (n..n + events)
            .map(|n| plain::value(n).to_string())
            .collect();
        n += events;
        let argument = match &list[..] {
            [one] => one.clone(),
            _ => format!("[{}]", list.join(",")),
        };
        let packet = format!("42{}[\"publish\",{argument}]", frames.len());
        bytes += packet.len();
        frames.push(&packet);
        // No server takes a million of them a second.
        if frames.len() * events > asked.millis as usize * 1_000 {
            break;
        }
    }
    let mut producer = Producer::connect(asked.address).expect("it connects");
    let (mut sent, mut answered) = (0, 0);
    let mut times = Vec::with_capacity(frames.len());
    let mut latencies = Vec::with_capacity(frames.len());
    let mut before = processor(asked.process).unwrap_or_default();
    let mut begun = Instant::now();
    let mut warm = 0;
    loop {
        let over = warm > 0 && begun.elapsed() > limit;
        if !over && sent < frames.len() {
            let to = (answered + in_flight).min(frames.len());
            producer.write(frames.part(sent, to)).expect("it is sent");
            times.resize(to, Instant::now());
            sent = to;
        }
        let leave = if over || sent == frames.len() {
            0
        } else {
            in_flight / 2
        };
        while sent - answered > leave {
            let came = answered;
            producer
                .read(|packet| {
                    assert!(
                        packet.starts_with(b"43")
                            && packet.windows(13).any(|w| w == b"\"status\":\"ok\""),
                        "{}",
                        String::from_utf8_lossy(packet)
                    );
                    answered += 1;
                })
                .expect("it is answered");
            if answered > came {
                let now = Instant::now();
                latencies.extend(times[came..answered].iter().map(|sent| now - *sent));
            }
        }
        if warm == 0 && answered >= WARM_UP {
            warm = answered;
            latencies.clear();
            before = processor(asked.process).unwrap_or_default();
            begun = Instant::now();
        }
        if sent == answered && (over || sent == frames.len()) {
            break;
        }
    }
    (
        (answered - warm) * events,
        begun.elapsed(),
        latencies,
        before,
    )
}

/// Posts bodies of lines.
fn post(asked: &Asked, connections: usize, limit: Duration) -> Run {
    let posted = AtomicU64::new(0);
    let events = AtomicU64::new(0);
    let before = processor(asked.process).unwrap_or_default();
    let begun = Instant::now();
    let latencies = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(asked.address).expect("it connects");
                stream.set_nodelay(true).expect("an option");
                while begun.elapsed() < limit {
                    let body = posted.fetch_add(1, Ordering::Relaxed) as usize;
                    let took = post_one(&mut stream, asked.address, body * BODY_LINES);
                    events.fetch_add(BODY_LINES as u64, Ordering::Relaxed);
                    latencies.lock().expect("no panic").push(took);
                }
            });
        }
    });
    let events = events.into_inner() as usize;
    let latencies = latencies.into_inner().expect("no panic");
    (events, begun.elapsed(), latencies, before)
}

fn post_one(stream: &mut TcpStream, address: SocketAddr, from: usize) -> Duration {
    let mut body = lines(from);
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    body.splice(0..0, head.into_bytes());
    let sent = Instant::now();
    stream.write_all(&body).expect("it is sent");
    let mut answer = Vec::new();
    let mut part = [0; 4_096];
    while !answer.ends_with(b"}") {
        match stream.read(&mut part).expect("an answer") {
            0 => panic!("no answer"),
            read => answer.extend_from_slice(&part[..read]),
        }
    }
    let accepted = format!("\"accepted\":{BODY_LINES}");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains(&accepted), "{text}");
    sent.elapsed()
}

/// The lines of a body. All bodies have the same lines but for their ids, which have a fixed length: so a body costs the load
/// no more than a copy.
fn lines(from: usize) -> Vec<u8> {
    use std::sync::OnceLock;
    const MARK: &str = "id-0000000000";
    static TEMPLATE: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    let (template, places) = TEMPLATE.get_or_init(|| {
        let mut text = Vec::new();
        let mut places = Vec::new();
        for n in 0..BODY_LINES {
            let mut value = plain::value(n);
            value["id"] = MARK.into();
            let line = value.to_string();
            places.push(text.len() + line.find(MARK).expect("its id") + 3);
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        (text, places)
    });
    let mut body = template.clone();
    for (n, place) in places.iter().enumerate() {
        let mut number = from + n;
        for digit in body[*place..*place + 10].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    body
}

/// Observers that count the updates that they get.
fn observe(address: SocketAddr, observers: usize) -> Arc<AtomicU64> {
    let delivered = Arc::new(AtomicU64::new(0));
    if observers == 0 {
        return delivered;
    }
    let (ready, wait) = std::sync::mpsc::channel();
    let counted = delivered.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut sockets = Vec::new();
            for _ in 0..observers {
                let greeting = Some("connection_established");
                let socket = kit::socket::Socket::connect(address, "", greeting).await;
                sockets.push(socket.expect("it connects"));
            }
            ready.send(()).expect("it is waited for");
            let watching = sockets.into_iter().map(|mut socket| {
                let counted = counted.clone();
                tokio::spawn(async move {
                    let mut came = 0;
                    // A client that is lost shows by its updates.
                    while socket.read(|_| came += 1).await.is_ok() {
                        counted.fetch_add(std::mem::take(&mut came), Ordering::Relaxed);
                    }
                })
            });
            for watching in watching.collect::<Vec<_>>() {
                watching.await.expect("no panic");
            }
        });
    });
    wait.recv().expect("they connect");
    delivered
}
