//! A way to an engine that can go bad: it ends, holds, swallows or cuts, and may lead elsewhere.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Bytes that are passed on at a time.
const CHUNK: usize = 64 * 1024;

/// The manners of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// All is passed on.
    Open,
    /// Connections end as soon as they begin, and those that are there end.
    Closed,
    /// Nothing is passed on, and connections stay; all of it comes when the way is open again.
    Held,
    /// The engine hears all, and nothing that it says comes.
    Swallowing,
}

/// The present state of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    manners: Manners,
    port: u16,
}

/// Answers that are to be cut.
#[derive(Debug, Default)]
struct Cuts {
    /// The number that is left.
    left: AtomicU64,
    /// The bytes of each that come.
    after: AtomicU64,
    /// Connections that began.
    begun: AtomicU64,
}

/// A way to a port of this machine; its connections end with this value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    words: watch::Sender<String>,
    cuts: Arc<Cuts>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A way that is open.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let manners = Manners::Open;
        let (way, ways) = watch::channel(Way { manners, port });
        let (words, said) = watch::channel(String::new());
        let cuts = Arc::<Cuts>::default();
        let task = tokio::spawn(serve(listener, ways, said, cuts.clone()));
        Self {
            port: own,
            way,
            words,
            cuts,
            task,
        }
    }

    /// Its address, as that of an engine.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The connections that began so far.
    pub fn begun(&self) -> u64 {
        self.cuts.begun.load(Ordering::Acquire)
    }

    /// Passes all on.
    pub fn open(&self) {
        self.be(Manners::Open);
    }

    /// Ends all connections, and each that begins.
    pub fn close(&self) {
        self.be(Manners::Closed);
    }

    /// Passes nothing on, until it is open again.
    pub fn hold(&self) {
        self.be(Manners::Held);
    }

    /// Drops what the engine says.
    pub fn swallow(&self) {
        self.be(Manners::Swallowing);
    }

    fn be(&self, manners: Manners) {
        self.way.send_modify(|way| way.manners = manners);
    }

    /// Leads to another port, and ends the connections with the one before.
    pub fn lead_to(&self, port: u16) {
        self.way.send_modify(|way| way.port = port);
    }

    /// Ends the connection after so many bytes of the answer to a request with these words, so many times.
    pub fn cut(&self, words: &str, after: u64, times: u64) {
        self.cuts.after.store(after, Ordering::Release);
        self.words.send_replace(words.to_owned());
        self.cuts.left.store(times, Ordering::Release);
    }

    /// The cuts that are still to come.
    pub fn cuts_left(&self) -> u64 {
        self.cuts.left.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    way: watch::Receiver<Way>,
    words: watch::Receiver<String>,
    cuts: Arc<Cuts>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                cuts.begun.fetch_add(1, Ordering::AcqRel);
                connections.spawn(pass(client, way.clone(), words.clone(), cuts.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, to its end.
async fn pass(
    mut client: TcpStream,
    mut way: watch::Receiver<Way>,
    words: watch::Receiver<String>,
    cuts: Arc<Cuts>,
) -> io::Result<()> {
    let begun = *way.borrow_and_update();
    if begun.manners == Manners::Closed {
        return Ok(());
    }
    let mut engine = TcpStream::connect(("127.0.0.1", begun.port)).await?;
    client.set_nodelay(true)?;
    engine.set_nodelay(true)?;
    let (mut request, mut answer) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut is_cut = false;
    loop {
        let now = *way.borrow_and_update();
        if now.manners == Manners::Closed || now.port != begun.port {
            return Ok(());
        }
        let passes = now.manners != Manners::Held;
        tokio::select! {
            read = client.read(&mut request), if passes => {
                let read = &request[..read?];
                if read.is_empty() {
                    return Ok(());
                }
                is_cut |= has(read, &words) && cuts.left.load(Ordering::Acquire) > 0;
                engine.write_all(read).await?;
            }
            read = engine.read(&mut answer), if passes => {
                let mut read = &answer[..read?];
                if read.is_empty() {
                    return Ok(());
                }
                if is_cut {
                    let after = usize::try_from(cuts.after.load(Ordering::Acquire)).unwrap_or(0);
                    read = &read[..after.min(read.len())];
                    cuts.left.fetch_sub(1, Ordering::AcqRel);
                }
                if now.manners != Manners::Swallowing {
                    client.write_all(read).await?;
                }
                if is_cut {
                    return Ok(());
                }
            }
            changed = way.changed() => if changed.is_err() {
                return Ok(());
            },
        }
    }
}

fn has(request: &[u8], words: &watch::Receiver<String>) -> bool {
    let words = words.borrow();
    !words.is_empty() && request.windows(words.len()).any(|w| w == words.as_bytes())
}
