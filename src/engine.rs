//! Connections with the engine: to its address, or to the primary that a sentinel names.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    Value,
};

/// The engine can't be used now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The engine, or the way to it, says why.
    #[error("{}", words(.0))]
    Engine(#[from] RedisError),
    /// No answer came in time.
    #[error("the engine did not answer within {0:?}")]
    Silent(Duration),
    /// The engine is known to be away, and was not asked.
    #[error("{0}")]
    Away(String),
    /// The history that was being read has ended.
    #[error("the engine lost its newest events; they are compared with those that this node knows")]
    Ended,
    /// Another of the node's connections was told of a history that this one does not know.
    #[error("the engine's history is looked at again")]
    Suspect,
    /// The engine answers, and takes no events.
    #[error("{0} is a replica: events are only kept by a primary")]
    Replica(String),
    /// No sentinel knows a primary.
    #[error("no sentinel names a primary called {0:?}: {1}")]
    NoPrimary(String, String),
    /// Fewer replicas than are asked for have the events.
    #[error(
        "no replica said in {0:?} that it has the events ([journal] acks); publish them again, they are not kept twice"
    )]
    Alone(Duration),
    /// It lacks commands that a journal needs.
    #[error("Redis {0} is too old for a journal: use {1} or later, or Valkey")]
    TooOld(String, &'static str),
    /// Something is kept under a key that no journal keeps there.
    #[error("{0} holds something that no Stoa wrote")]
    Foreign(String),
}

impl Fault {
    /// The same fault, where an answer may take so long.
    pub(super) fn within(self, patience: Duration) -> Self {
        match self {
            Self::Engine(error) if error.is_timeout() => Self::Silent(patience),
            other => other,
        }
    }

    /// Whether the connection ended before the answer, and not because the answer took too long.
    pub(super) fn is_cut(&self) -> bool {
        let Self::Engine(error) = self else {
            return false;
        };
        (error.is_connection_dropped() || error.kind() == ErrorKind::Io) && !error.is_timeout()
    }

    /// Whether the engine itself said so: it is there.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Engine(error) => error.code().is_some() && !error.is_io_error(),
            _ => false,
        }
    }

    /// Whether a signal came while an answer was waited for: a process that was paused goes on.
    pub(super) fn is_interrupted(&self) -> bool {
        let Self::Engine(error) = self else {
            return false;
        };
        is_interruption(error)
    }
}

fn is_interruption(error: &RedisError) -> bool {
    type Source = Arc<dyn Error + Send + Sync>;
    let source = error.source().and_then(<dyn Error>::downcast_ref::<Source>);
    let of_system = source.and_then(|source| source.downcast_ref::<io::Error>());
    of_system.is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

/// The engine's own words, and plain ones for what the operating system says.
fn words(error: &RedisError) -> String {
    if error.is_timeout() {
        "the engine did not answer in time".into()
    } else if error.is_connection_refusal() {
        format!("the engine can't be reached, is it running? ({error})")
    } else if error.is_connection_dropped() {
        format!("the engine ended the connection ({error})")
    } else if is_interruption(error) {
        "waiting for the engine was interrupted".into()
    } else {
        error.to_string()
    }
}

/// The way to the engine.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The address; with sentinels its host is the primary's name.
    info: ConnectionInfo,
    sentinels: Vec<Client>,
    timeout: Duration,
    /// The sentinel that is asked first.
    next: AtomicUsize,
}

impl Engine {
    pub(crate) fn new(url: &str, sentinels: &[String], timeout: Duration) -> Result<Self, Fault> {
        let sentinels = sentinels.iter().map(|url| Client::open(&**url));
        Ok(Self {
            info: url.into_connection_info()?,
            sentinels: sentinels.collect::<Result<_, _>>()?,
            timeout,
            next: AtomicUsize::new(0),
        })
    }

    /// The number of the database.
    pub(crate) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// A connection with the primary. `patience` is the time that an answer may take.
    pub(crate) fn connect(&self, patience: Duration) -> Result<Connection, Fault> {
        let info = match self.sentinels.is_empty() {
            true => self.info.clone(),
            false => self.primary()?,
        };
        let at = info.addr().to_string();
        let mut connection = self.open(&Client::open(info)?, patience)?;
        let role: Vec<Value> = redis::cmd("ROLE").query(&mut connection)?;
        match role.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(connection),
            _ => Err(Fault::Replica(at)),
        }
    }

    fn open(&self, client: &Client, patience: Duration) -> Result<Connection, Fault> {
        let connection = client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        Ok(connection)
    }

    /// The primary's address, by the first sentinel that knows it; the next time another one is asked first.
    fn primary(&self) -> Result<ConnectionInfo, Fault> {
        let (name, is_tls) = match self.info.addr() {
            ConnectionAddr::TcpTls { host, .. } => (host.clone(), true),
            ConnectionAddr::Tcp(host, _) => (host.clone(), false),
            other => (other.to_string(), false),
        };
        let from = self.next.fetch_add(1, Ordering::Relaxed);
        let mut why = String::from("none is given");
        for n in 0..self.sentinels.len() {
            let sentinel = &self.sentinels[(from + n) % self.sentinels.len()];
            match self.ask(sentinel, &name) {
                Ok(Some((host, port))) => {
                    let addr = match is_tls {
                        true => ConnectionAddr::TcpTls {
                            host,
                            port,
                            insecure: false,
                            tls_params: None,
                        },
                        false => ConnectionAddr::Tcp(host, port),
                    };
                    return Ok(self.info.clone().set_addr(addr));
                }
                Ok(None) => why = "it is not known there".into(),
                Err(fault) => why = fault.to_string(),
            }
        }
        Err(Fault::NoPrimary(name, why))
    }

    fn ask(&self, sentinel: &Client, name: &str) -> Result<Option<(String, u16)>, Fault> {
        let mut connection = self.open(sentinel, self.timeout)?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(name);
        Ok(ask.query(&mut connection)?)
    }
}
