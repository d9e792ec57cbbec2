//! Producers and observers of a deployment whose parts fail meanwhile.
//!
//! Each producer has a project of its own. It publishes decisions, which are never coalesced, and the progress of a task,
//! which is, and repeats what is not acknowledged with the same ids. Each observer goes from door to door with its cursor.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{Client, PATIENCE, http_client, socket::Socket, until};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

use super::screen::{PRODUCERS, Screen, history, misplaced};

/// Events of one request.
const BATCH: u64 = 10;
/// The pause after a failure, as of any client.
const PAUSE: Duration = Duration::from_millis(20);
/// The time after which a client no longer waits for a server that says nothing.
const SILENCE: Duration = Duration::from_secs(5);

/// A number that a long run sets by a variable of its environment.
pub(super) fn number(variable: &str, usually: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.and_then(|number| number.parse().ok())
        .unwrap_or(usually)
}

/// Numbers that look random, and are the same each time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below this one.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The scale of a load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) observers: u64,
    /// Whether a producer goes to another door at each try; else each has one.
    pub(super) producers_hop: bool,
}

/// Producers and observers at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
    producing: Vec<JoinHandle<u64>>,
    screens: Vec<Arc<Mutex<Screen>>>,
    observing: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins at these doors.
    pub(super) async fn begin(doors: &[SocketAddr], scale: Scale) -> Self {
        let (first, hello) = Client::connect(doors[0], json!({})).await;
        first.close().await;
        let from = hello["cursor"].as_str().expect("a cursor");
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let acked = Arc::<AtomicU64>::default();
        let doors: Arc<[SocketAddr]> = doors.into();
        // All observers together are sent about as much in a second, however many they are.
        let pause = Duration::from_micros(500 * scale.observers);
        let producer = |who: usize| Producer {
            who,
            doors: doors.clone(),
            hops: scale.producers_hop,
            pause,
            stop: stop.clone(),
            acked: acked.clone(),
        };
        let screens: Vec<_> = (0..scale.observers)
            .map(|number| Arc::new(Mutex::new(Screen::new(number, from))))
            .collect();
        let observing = screens.iter().zip(0..).map(|(screen, number)| {
            tokio::spawn(observe(number, doors.clone(), done.clone(), screen.clone()))
        });
        let observing = observing.collect();
        Self {
            producing: (0..PRODUCERS)
                .map(|who| tokio::spawn(producer(who).run()))
                .collect(),
            stop,
            done,
            acked,
            screens,
            observing,
        }
    }

    /// Waits until so many more events are acknowledged.
    pub(super) async fn more(&self, events: u64) {
        let before = self.acked.load(Ordering::Acquire);
        let words = format!("{events} more acknowledged events");
        until(&words, async || {
            let failed = self.producing.iter().any(JoinHandle::is_finished);
            assert!(!failed, "a producer ended");
            (self.acked.load(Ordering::Acquire) >= before + events).then_some(())
        })
        .await;
    }

    /// Ends, and judges what these nodes have and what came to each observer: all of it, once, in its order.
    pub(super) async fn judge(self, nodes: &[SocketAddr]) {
        self.stop.store(true, Ordering::Release);
        let mut counts = [0; PRODUCERS];
        for (count, producer) in counts.iter_mut().zip(self.producing) {
            *count = producer.await.expect("it produces");
        }
        for node in nodes {
            let since = Instant::now();
            let mut kept = history(*node).await;
            while (kept.len() as u64) < counts.iter().sum() && since.elapsed() < PATIENCE {
                tokio::time::sleep(PAUSE * 10).await;
                kept = history(*node).await;
            }
            let wrong = misplaced(&kept, &counts);
            assert!(wrong.is_empty(), "the history of {node}: {wrong:?}");
        }
        for (number, screen) in self.screens.iter().enumerate() {
            // As long as anything comes it is only slow.
            let (mut came, mut since) = (0, Instant::now());
            loop {
                let now = {
                    let screen = screen.lock().expect("no panic");
                    if screen.has_all(&counts) {
                        break;
                    }
                    screen.came()
                };
                if now > came {
                    (came, since) = (now, Instant::now());
                }
                if since.elapsed() > PATIENCE {
                    let screen = screen.lock().expect("no panic");
                    panic!("observer {number}: {}", screen.lacks(&counts));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.done.store(true, Ordering::Release);
        for observer in self.observing {
            observer.await.expect("it observes");
        }
        let is_anew = |screen: &&Arc<Mutex<Screen>>| screen.lock().expect("no panic").is_anew();
        let anew = self.screens.iter().filter(is_anew).count();
        assert!(
            anew * 4 <= self.screens.len(),
            "{anew} were given the state"
        );
        let faults: Vec<String> = (self.screens.iter().enumerate())
            .flat_map(|(number, screen)| {
                let screen = screen.lock().expect("no panic");
                let faults = screen.faults(&counts).into_iter();
                faults
                    .map(move |fault| format!("observer {number}: {fault}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

struct Producer {
    who: usize,
    doors: Arc<[SocketAddr]>,
    hops: bool,
    pause: Duration,
    stop: Arc<AtomicBool>,
    acked: Arc<AtomicU64>,
}

impl Producer {
    /// Publishes until told to stop; the number of events that were acknowledged, all from the first on.
    async fn run(self) -> u64 {
        let mut dice = Dice::new(self.who as u64 + 1);
        let mut door = self.doors[self.who % self.doors.len()];
        let mut next = 0;
        while !self.stop.load(Ordering::Acquire) {
            let events: Vec<Value> = (next..next + BATCH).map(|n| self.event(n)).collect();
            let events = Value::from(events);
            let since = Instant::now();
            while !publish(door, &events).await {
                assert!(since.elapsed() < 2 * PATIENCE, "nobody takes {events}");
                if self.hops {
                    door = self.doors[dice.below(self.doors.len() as u64) as usize];
                }
                tokio::time::sleep(PAUSE).await;
            }
            next += BATCH;
            self.acked.fetch_add(BATCH, Ordering::AcqRel);
            tokio::time::sleep(self.pause).await;
        }
        next
    }

    fn event(&self, n: u64) -> Value {
        let who = self.who;
        let (id, project) = (format!("{who}-{n}"), format!("p{who}"));
        match n % 2 {
            0 => json!({
                "type": "decision.logged", "id": id, "project_id": project,
                "data": { "what": "x", "agent_id": format!("a{who}") },
            }),
            _ => json!({
                "type": "task.progress", "id": id, "project_id": project,
                "data": { "task_id": format!("t{who}"), "progress": n },
            }),
        }
    }
}

/// Whether all of these are acknowledged.
async fn publish(door: SocketAddr, events: &Value) -> bool {
    let sent = http_client()
        .post(format!("http://{door}/api/v1/events"))
        .timeout(SILENCE)
        .json(events)
        .send()
        .await;
    let Ok(answer) = sent else { return false };
    let status = answer.status().as_u16();
    let Ok(answer) = answer.json::<Value>().await else {
        return false;
    };
    if status != 202 {
        // The node, or the proxy before it, says that it can't now.
        assert!((500..600).contains(&status), "{status} {answer}");
        return false;
    }
    // A node with too much to do takes what is less urgent later.
    let rejected = answer["rejected"].as_array().expect("a list");
    let is_busy = |one: &Value| one["error"]["code"] == "overloaded";
    assert!(rejected.iter().all(is_busy), "{answer}");
    if !rejected.is_empty() {
        return false;
    }
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    assert_eq!(count("accepted") + count("duplicates"), BATCH, "{answer}");
    true
}

/// Watches at one door after the other, and goes when a connection ends and when it has seen enough of it.
async fn observe(
    number: u64,
    doors: Arc<[SocketAddr]>,
    done: Arc<AtomicBool>,
    screen: Arc<Mutex<Screen>>,
) {
    let mut dice = Dice::new(1_000 + number);
    while !done.load(Ordering::Acquire) {
        let door = doors[dice.below(doors.len() as u64) as usize];
        let auth = screen.lock().expect("no panic").auth();
        let connecting = Socket::connect(door, &auth, Some("connection_established"));
        let Ok(Ok(mut socket)) = timeout(SILENCE, connecting).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let goes_after = screen.lock().expect("no panic").came() + 20 + dice.below(300);
        loop {
            let reading = socket.read(|packet| screen.lock().expect("no panic").see(packet));
            match timeout(PAUSE * 10, reading).await {
                Ok(Err(_)) => break,
                Ok(Ok(())) if screen.lock().expect("no panic").came() > goes_after => break,
                Ok(Ok(())) => {}
                Err(_) if done.load(Ordering::Acquire) => return,
                Err(_) => {}
            }
        }
    }
}
