//! The producers: one that fills the server with normal and low priority, and one at another address with what is urgent.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle};

/// Events of one call.
const CALL: u64 = 20;
/// Calls of one producer that are not answered yet: what is beyond is not offered, as a producer's own queue is full.
const IN_FLIGHT: usize = 64;
/// Of a hundred events, those that are critical and high; half of the others are of low priority.
const URGENT: [u64; 2] = [2, 8];

/// Events by priority: offered, accepted, refused; and the numbers of the accepted ones that may not be lost.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    counts: [[u64; 3]; 4],
    pub(crate) kept: Vec<u64>,
}

impl Offered {
    pub(crate) fn counts(&self, level: usize) -> [u64; 3] {
        self.counts[level]
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.counts.iter().map(|[_, accepted, _]| accepted).sum()
    }
}

/// Microseconds since 1970, by which the watcher measures.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_micros()).expect("fits")
}

/// The priority of the nth event of a producer.
fn level(is_urgent: bool, n: u64) -> usize {
    match is_urgent {
        true => usize::from(n % (URGENT[0] + URGENT[1]) >= URGENT[0]),
        false => 2 + usize::from(n % 2 == 1),
    }
}

fn event(level: usize, n: u64) -> Value {
    let (kind, priority) = [
        ("system.alarm", "critical"),
        ("task.completed", "high"),
        ("task.progress", "normal"),
        ("task.progress", "low"),
    ][level];
    // Much is said of few things, as by agents at work.
    let thing = match level {
        0 | 1 => n,
        _ => n % 200,
    };
    json!({ "type": kind, "priority": priority,
        "data": { "task_id": format!("{priority}-{thing}"), "bench_n": n, "bench_at": now(), "bench_level": level, "progress": n % 100 } })
}

#[derive(Debug)]
struct Producer {
    client: reqwest::Client,
    address: SocketAddr,
    is_urgent: bool,
    next: AtomicU64,
    offered: Mutex<Offered>,
}

impl Producer {
    fn new(address: SocketAddr, is_urgent: bool) -> Arc<Self> {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, if is_urgent { 2 } else { 1 }));
        let client = reqwest::Client::builder().no_proxy().local_address(from);
        Arc::new(Self {
            client: client.build().expect("a client"),
            address,
            is_urgent,
            next: AtomicU64::new(0),
            offered: Mutex::default(),
        })
    }

    async fn call(&self) {
        let first = self.next.fetch_add(CALL, Ordering::Relaxed);
        let numbers: Vec<u64> = (first..first + CALL).collect();
        let levels: Vec<usize> = numbers.iter().map(|n| level(self.is_urgent, *n)).collect();
        let events: Vec<Value> = numbers
            .iter()
            .zip(&levels)
            .map(|(n, l)| event(*l, *n))
            .collect();
        let url = format!("http://{}/api/v1/events", self.address);
        let answer = self.client.post(url).json(&events).send().await;
        let receipt: Option<Value> = match answer {
            Ok(answer) => answer.json().await.ok(),
            Err(_) => None,
        };
        let rejected: Option<Vec<u64>> = receipt.as_ref().and_then(|receipt| {
            let list = receipt["rejected"].as_array()?;
            Some(
                list.iter()
                    .filter_map(|one| one["index"].as_u64())
                    .collect(),
            )
        });
        let mut offered = self.offered.lock().expect("its lock");
        for (index, level) in levels.iter().enumerate() {
            let [count, accepted, refused] = &mut offered.counts[*level];
            *count += 1;
            let is_kept = rejected
                .as_ref()
                .is_some_and(|r| !r.contains(&(index as u64)));
            *(if is_kept { accepted } else { refused }) += 1;
            if is_kept && *level < 2 {
                offered.kept.push(numbers[index]);
            }
        }
    }

    fn take(&self) -> Offered {
        std::mem::take(&mut self.offered.lock().expect("its lock"))
    }
}

/// Publishes as fast as the server answers, and tells what it took.
pub(crate) async fn as_much_as_it_takes(address: SocketAddr, length: Duration) -> Offered {
    let producers = [Producer::new(address, false), Producer::new(address, true)];
    let until = tokio::time::Instant::now() + length;
    // Nine calls of ten are the filler's, as in the offer.
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let producer = producers[usize::from(n == 0)].clone();
            tokio::spawn(async move {
                while tokio::time::Instant::now() < until {
                    producer.call().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let [mut all, urgent] = producers.map(|producer| producer.take());
    for (sum, more) in all
        .counts
        .iter_mut()
        .flatten()
        .zip(urgent.counts.into_iter().flatten())
    {
        *sum += more;
    }
    all
}

/// An offer of events at a rate, whatever the server answers.
#[derive(Debug)]
pub(crate) struct Offer {
    producers: [Arc<Producer>; 2],
    /// Events a second, all together.
    rate: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Offer {
    pub(crate) fn begin(address: SocketAddr, rate: f64) -> Self {
        let rate = Arc::new(AtomicU64::new(rate as u64));
        let producers = [Producer::new(address, false), Producer::new(address, true)];
        let shares = [100 - URGENT[0] - URGENT[1], URGENT[0] + URGENT[1]];
        let tasks = producers.iter().zip(shares).map(|(producer, percent)| {
            tokio::spawn(offer(producer.clone(), rate.clone(), percent))
        });
        Self {
            tasks: tasks.collect(),
            producers,
            rate,
        }
    }

    pub(crate) fn set_rate(&mut self, rate: f64) {
        self.rate.store(rate as u64, Ordering::Relaxed);
    }

    /// Ends the offer once all calls are answered.
    pub(crate) async fn end(self) -> Offered {
        self.rate.store(0, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        let [mut all, urgent] = self.producers.map(|producer| producer.take());
        for (sum, more) in all
            .counts
            .iter_mut()
            .flatten()
            .zip(urgent.counts.into_iter().flatten())
        {
            *sum += more;
        }
        all.kept.extend(urgent.kept);
        all
    }
}

/// Calls at the times at which they are due; a rate of 0 is the end.
async fn offer(producer: Arc<Producer>, rate: Arc<AtomicU64>, percent: u64) {
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut due = tokio::time::Instant::now();
    loop {
        let rate = rate.load(Ordering::Relaxed);
        if rate == 0 {
            break;
        }
        tokio::time::sleep_until(due).await;
        let calls = (rate * percent) as f64 / 100.0 / CALL as f64;
        due = (due + Duration::from_secs_f64(1.0 / calls.max(0.1)))
            .max(tokio::time::Instant::now() - Duration::from_secs(1));
        if let Ok(place) = in_flight.clone().try_acquire_owned() {
            let producer = producer.clone();
            tokio::spawn(async move {
                producer.call().await;
                drop(place);
            });
        }
    }
    let all = u32::try_from(IN_FLIGHT).expect("fits");
    drop(in_flight.acquire_many(all).await.expect("it is open"));
}
