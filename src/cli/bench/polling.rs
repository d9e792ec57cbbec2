//! A connection by long polling: one request waits for what comes, others carry what the client says.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};

use super::{
    exchange::Exchange,
    packet::namespace_prefix,
    reading::{CLOSED, Receive, Shared, Times, refusal},
    target::{OPENING, Target},
};

/// Between packets of one body.
const SEPARATOR: u8 = 0x1e;
/// Packets of one request: the least that a common server allows.
const PACKETS: usize = 16;
/// Answers that wait to be read.
const ANSWERS: usize = 4;

pub(super) struct Polling {
    /// Answers to the request that waits; the last is the reason of the end.
    answers: mpsc::Receiver<Result<Vec<u8>, String>>,
    /// Answers that came while the connection opened.
    early: Option<Vec<u8>>,
    /// Packets of Engine.IO to be sent.
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    /// The bytes of them that are not sent.
    unsent: Arc<AtomicUsize>,
    sent: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Polling {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Polling {
    /// Opens a session in the server's namespace, as the client of this number.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn open(
        target: &Target,
        nth: usize,
        auth: &str,
    ) -> Result<(Self, Times), String> {
        let opened = timeout(OPENING, Self::shake_hands(target, nth, auth)).await;
        opened.map_err(|_| format!("{} did not answer in time", target.shown()))?
    }

    async fn shake_hands(target: &Target, nth: usize, auth: &str) -> Result<(Self, Times), String> {
        let begun = Instant::now();
        let path = format!("{}?EIO=4&transport=polling", target.path);
        let headers = "Content-Type: text/plain;charset=UTF-8\r\n".to_owned();
        let mut gets = Exchange::new(target, nth, headers.clone());
        let open = gets.good("GET", &path, b"").await?;
        let tcp = gets.tcp;
        let sid = open
            .strip_prefix(b"0")
            .and_then(|body| body.split(|byte| *byte == SEPARATOR).next())
            .and_then(|body| serde_json::from_slice::<serde_json::Value>(body).ok())
            .and_then(|body| Some(body.get("sid")?.as_str()?.to_owned()))
            .ok_or(
                "the server opens no session of Engine.IO; is Socket.IO at that path (--path)?",
            )?;
        let handshake = begun.elapsed().saturating_sub(tcp);
        let path = format!("{path}&sid={sid}");
        let mut posts = Exchange::new(target, nth, headers);
        let namespace = namespace_prefix(&target.namespace);
        let connect = format!("40{namespace}{auth}");
        posts.good("POST", &path, connect.as_bytes()).await?;
        let mut early = Vec::new();
        let mut is_connected = false;
        while !is_connected {
            let body = gets.good("GET", &path, b"").await?;
            for packet in body.split(|byte| *byte == SEPARATOR) {
                match packet {
                    [b'4', b'0', ..] => is_connected = true,
                    [b'4', b'4', reason @ ..] => return Err(refusal(reason)),
                    [b'1', ..] => return Err(CLOSED.into()),
                    _ => {}
                }
            }
            if !early.is_empty() {
                early.push(SEPARATOR);
            }
            early.extend_from_slice(&body);
        }
        let times = Times {
            tcp,
            handshake,
            connect: begun.elapsed().saturating_sub(tcp + handshake),
        };
        let (tell, answers) = mpsc::channel(ANSWERS);
        let (outgoing, waiting) = mpsc::unbounded_channel();
        let (unsent, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let post = Post {
            exchange: posts,
            path: path.clone(),
            waiting,
            unsent: unsent.clone(),
            sent: sent.clone(),
        };
        let tasks = [
            tokio::spawn(get(gets, path, tell.clone())),
            tokio::spawn(post.run(tell)),
        ];
        let polling = Self {
            answers,
            early: Some(early),
            outgoing,
            unsent,
            sent,
            tasks,
        };
        Ok((polling, times))
    }

    pub(super) fn queue(&mut self, packet: &[u8]) {
        self.say([b"4", packet].concat());
    }

    fn say(&self, packet: Vec<u8>) {
        self.unsent.fetch_add(packet.len(), Relaxed);
        // Without a reader the session is over, and the next answer says why.
        self.outgoing.send(packet).ok();
    }

    pub(super) fn unwritten(&self) -> usize {
        self.unsent.load(Relaxed)
    }

    pub(super) async fn turn<T>(
        &mut self,
        shared: &Mutex<Shared<T>>,
        receive: &mut impl Receive<T>,
    ) -> Result<(), String> {
        let body = match self.early.take() {
            Some(early) => early,
            None => tokio::select! {
                body = self.answers.recv() => body.unwrap_or_else(|| Err(CLOSED.into()))?,
                () = self.sent.notified(), if self.unwritten() > 0 => return Ok(()),
            },
        };
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        receive.begin();
        for packet in body.split(|byte| *byte == SEPARATOR) {
            match packet {
                [b'4', packet @ ..] => receive.packet(&mut shared.tally, packet),
                [b'2', what @ ..] => self.say([b"3", what].concat()),
                [b'1', ..] => return Err(CLOSED.into()),
                _ => {}
            }
        }
        receive.end();
        Ok(())
    }
}

/// Asks for what comes, again and again.
async fn get(mut exchange: Exchange, path: String, tell: mpsc::Sender<Result<Vec<u8>, String>>) {
    loop {
        let body = exchange.good("GET", &path, b"").await;
        let is_over = body.is_err();
        if tell.send(body).await.is_err() || is_over {
            return;
        }
    }
}

/// Sends what the client says.
struct Post {
    exchange: Exchange,
    path: String,
    waiting: mpsc::UnboundedReceiver<Vec<u8>>,
    unsent: Arc<AtomicUsize>,
    sent: Arc<Notify>,
}

impl Post {
    async fn run(mut self, tell: mpsc::Sender<Result<Vec<u8>, String>>) {
        let mut packets = Vec::new();
        loop {
            packets.clear();
            if self.waiting.recv_many(&mut packets, PACKETS).await == 0 {
                return;
            }
            let body = packets.join(&SEPARATOR);
            if let Err(reason) = self.exchange.good("POST", &self.path, &body).await {
                tell.send(Err(reason)).await.ok();
                return;
            }
            let bytes = packets.iter().map(Vec::len).sum();
            if self.unsent.fetch_sub(bytes, Relaxed) == bytes {
                self.sent.notify_one();
            }
        }
    }
}
