//! Request bodies, with bounds on their size and on the time they take.

use std::{net::IpAddr, time::Duration};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{
    body_limits::BodyLimits,
    space::{FREE_BYTES, Place},
};
use crate::error::Error;

/// Reads a body of this address whole. Unless it is small, it waits for space before the rest of it is read, and holds
/// that space until it is dropped.
///
/// # Errors
/// The body is too large (refused before it is read where its length is told); it takes too long, or too long while
/// others wait for its space; it ends early; there is no space for it.
pub async fn read_body(address: IpAddr, body: Body, limits: &BodyLimits) -> Result<Bytes, Error> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > limits.max {
        return Err(too_large(limits));
    }
    let (mut read, mut placed) = (BytesMut::new(), None::<Placed>);
    let mut stream = body.into_data_stream();
    let mut deadline = Instant::now() + limits.timeout;
    loop {
        let look = placed.as_ref().map(|placed| placed.look_at);
        let until = look.map_or(deadline, |look| look.min(deadline));
        let next = tokio::time::timeout_at(until, stream.next()).await;
        let now = Instant::now();
        if next.is_err() && now >= deadline {
            return Err(late(limits));
        }
        if let Some(placed) = &mut placed
            && now >= placed.look_at
        {
            placed.look(now, read.len(), limits)?;
        }
        let chunk = match next {
            Err(_) => continue,
            Ok(None) => break,
            Ok(Some(chunk)) => chunk.map_err(|error| broken(&error))?,
        };
        if read.len() + chunk.len() > limits.max {
            return Err(too_large(limits));
        }
        if placed.is_none() && read.len() + chunk.len() > FREE_BYTES {
            let whole = if told > 0 { told } else { limits.max };
            let asked = Instant::now();
            let place = limits.space.take(address, whole).await?;
            // Waiting for space is not the client's fault.
            deadline += asked.elapsed();
            read.reserve(whole - read.len().min(whole));
            placed = Some(Placed {
                place,
                whole,
                read: read.len(),
                look_at: Instant::now() + limits.patience,
            });
        }
        read.extend_from_slice(&chunk);
    }
    let read = read.freeze();
    Ok(match placed {
        Some(placed) => placed.place.of(read),
        None => read,
    })
}

/// A body that is read into the space that it holds.
struct Placed {
    place: Place,
    /// The bytes of that space.
    whole: usize,
    /// Bytes read when the pace was last checked.
    read: usize,
    /// The time of the next check.
    look_at: Instant,
}

impl Placed {
    /// Checks the pace of the body. If it is too slow to be whole in time, and others wait for space, it is refused:
    /// otherwise a few that stall would hold up everybody for as long as a body may take.
    fn look(&mut self, now: Instant, read: usize, limits: &BodyLimits) -> Result<(), Error> {
        let part = limits.patience.as_secs_f64() / limits.timeout.as_secs_f64();
        let least = self.whole as f64 * part;
        let came = read.saturating_sub(self.read);
        if (came as f64) < least && self.place.is_wanted() {
            limits.space.metrics().refused("pace");
            return Err(Error::new(
                "timeout",
                format!(
                    "the body came so slowly ({came} bytes in {:?}) that it would not be there in time, and others wait for \
                     its place ([server] body_patience); send it faster, in smaller parts, or as application/x-ndjson",
                    limits.patience
                ),
            ));
        }
        (self.read, self.look_at) = (read, now + limits.patience);
        Ok(())
    }
}

fn late(limits: &BodyLimits) -> Error {
    Error::new(
        "timeout",
        format!(
            "the body was not there within {:?} ([server] body_timeout)",
            limits.timeout
        ),
    )
}

fn too_large(limits: &BodyLimits) -> Error {
    let (max, key) = (limits.max, limits.max_key);
    Error::new(
        "too_large",
        format!(
            "the body is larger than {max} bytes ({key}; of a compressed one what is in it counts); send application/x-ndjson for more"
        ),
    )
}

/// The error of a body that broke off: its sender left, or unpacking it failed.
fn broken(error: &axum::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Error>() {
            return refusal.clone();
        }
        cause = error.source();
    }
    Error::bad_request("the body ended early")
}

/// A body that is read in parts, for as long as they come fast enough. Only the time spent waiting for the client
/// counts, not the time that the server takes to handle a part.
#[derive(Debug)]
pub struct Steady {
    stream: BodyDataStream,
    limits: BodyLimits,
    /// Time waited since the pace was last checked.
    waited: Duration,
    /// Time waited since the last part.
    paused: Duration,
    /// Bytes read since the last check.
    read: usize,
}

/// The outcome of reading a body.
#[derive(Debug)]
pub enum NextPart {
    /// A part of the body.
    Part(Bytes),
    /// No part came for a while.
    Pause,
    /// The body is whole.
    End,
}

impl Steady {
    /// Reads this body within these limits.
    pub fn new(body: Body, limits: BodyLimits) -> Self {
        Self {
            stream: body.into_data_stream(),
            limits,
            waited: Duration::ZERO,
            paused: Duration::ZERO,
            read: 0,
        }
    }

    /// The next part. `Pause` if none comes for the time `pause`, so that the caller can handle earlier parts
    /// meanwhile.
    ///
    /// # Errors
    /// The body pauses for too long, comes too slowly or ends early.
    pub async fn next(&mut self, pause: Option<Duration>) -> Result<NextPart, Error> {
        let asked = Instant::now();
        let left = self.limits.timeout.saturating_sub(self.paused);
        let until = pause.map_or(left, |pause| pause.min(left));
        let next = tokio::time::timeout(until, self.stream.next()).await;
        let took = asked.elapsed();
        self.waited += took;
        let chunk = match next {
            Err(_) if until < left => {
                self.paused += took;
                return Ok(NextPart::Pause);
            }
            Err(_) => return Err(self.too_slow("the body paused for too long")),
            Ok(None) => return Ok(NextPart::End),
            Ok(Some(chunk)) => chunk.map_err(|error| broken(&error))?,
        };
        self.paused = Duration::ZERO;
        self.read += chunk.len();
        if self.waited >= self.limits.timeout {
            let least = self.waited.as_secs_f64() * self.limits.bytes_per_second as f64;
            if (self.read as f64) < least {
                return Err(self.too_slow("the body comes too slowly"));
            }
            (self.waited, self.read) = (Duration::ZERO, 0);
        }
        Ok(NextPart::Part(chunk))
    }

    fn too_slow(&self, what: &str) -> Error {
        Error::new(
            "timeout",
            format!(
                "{what}: {} bytes a second over {:?} are the least ([server] body_timeout, body_bytes_per_second); \
                 what came before this part was taken",
                self.limits.bytes_per_second, self.limits.timeout
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::{future::join, stream};

    use super::*;
    use crate::{
        net::{PackedLimits, Space},
        observe::BodyMetrics,
    };

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn space(total: usize, per_address: usize) -> Space {
        Space::new(total, per_address, BodyMetrics::default())
    }

    fn limits() -> BodyLimits {
        BodyLimits {
            max: 100,
            max_key: "[server] max_http_buffer_size",
            timeout: Duration::from_secs(30),
            bytes_per_second: 10,
            space: space(1_000, 1_000),
            patience: Duration::from_secs(2),
            packed: PackedLimits::new(100, 10),
        }
    }

    /// A body of so many parts of a size, with a pause before each.
    fn dripping(parts: usize, size: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(0, move |n| async move {
            if n == parts {
                return None;
            }
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(vec![b'x'; size]), n + 1))
        }))
    }

    async fn stream_all(body: Body) -> Result<usize, Error> {
        let mut steady = Steady::new(body, limits());
        let mut size = 0;
        loop {
            match steady.next(Some(Duration::from_millis(100))).await? {
                NextPart::Part(chunk) => size += chunk.len(),
                NextPart::Pause => {}
                NextPart::End => return Ok(size),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_read_whole_is_small_and_quick() {
        let second = Duration::from_secs(1);
        let limits = limits();
        let read = |body| read_body(HERE, body, &limits);
        assert_eq!(read(dripping(10, 10, second)).await.unwrap().len(), 100);
        let code = |refused: Result<Bytes, Error>| refused.unwrap_err().code;
        assert_eq!(code(read(dripping(11, 10, second)).await), "too_large");
        assert_eq!(code(read(Body::from(vec![0; 101])).await), "too_large");
        assert_eq!(code(read(dripping(40, 1, second)).await), "timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_be_long_but_not_slow() {
        let second = Duration::from_secs(1);
        let long = stream_all(dripping(1_000, 20, second)).await;
        assert_eq!(long.unwrap(), 20_000);
        let started = Instant::now();
        let drip = stream_all(dripping(1_000, 1, second)).await;
        assert_eq!(drip.unwrap_err().code, "timeout");
        assert!(started.elapsed() <= 32 * second);
        let pause = stream_all(dripping(2, 1_000, 31 * second)).await;
        assert_eq!(pause.unwrap_err().code, "timeout");
    }
    #[tokio::test(start_paused = true)]
    async fn bodies_together_hold_no_more_than_their_space_and_small_ones_never_wait() {
        let limits = BodyLimits {
            max: 100_000,
            space: space(250_000, 250_000),
            ..limits()
        };
        let body = || Body::from(vec![0; 100_000]);
        let first = read_body(HERE, body(), &limits).await.unwrap();
        let second = read_body(HERE, body(), &limits).await.unwrap();
        assert_eq!(limits.space.left(), 50_000);
        let code = |refused: Result<Bytes, Error>| refused.unwrap_err().code;
        assert_eq!(code(read_body(HERE, body(), &limits).await), "overloaded");
        // The length isn't told, so it may be as long as any.
        let unknown = dripping(2, 10_000, Duration::ZERO);
        assert_eq!(code(read_body(HERE, unknown, &limits).await), "overloaded");
        let small = read_body(HERE, Body::from(vec![0; FREE_BYTES]), &limits).await;
        assert_eq!(small.unwrap().len(), FREE_BYTES);
        let waiting = read_body(HERE, body(), &limits);
        // A part of a body is enough to keep its space.
        let part = second.slice(10..20);
        drop(second);
        assert_eq!(limits.space.left(), 50_000);
        let (third, ()) = join(waiting, async { drop(part) }).await;
        assert_eq!(third.unwrap().len(), 100_000);
        drop(first);
        assert_eq!(limits.space.left(), 250_000);
    }

    /// A body that tells its length and stops before that.
    fn stalled(size: usize) -> Body {
        let begun = stream::once(async { Ok::<_, std::io::Error>(vec![b'x'; FREE_BYTES + 1]) });
        let rest = size - FREE_BYTES - 1;
        let rest = stream::once(async move {
            std::future::pending::<()>().await;
            Ok(vec![b'x'; rest])
        });
        Body::from_stream(begun.chain(rest))
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_its_share_and_others_have_theirs() {
        let limits = BodyLimits {
            max: 100_000,
            space: space(250_000, 100_000),
            patience: Duration::from_secs(60),
            ..limits()
        };
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let body = || Body::from(vec![0; 60_000]);
        let code = |refused: Result<Bytes, Error>| refused.unwrap_err();
        let first = read_body(HERE, body(), &limits).await.unwrap();
        let refused = code(read_body(HERE, body(), &limits).await);
        assert_eq!(refused.code, "overloaded");
        assert!(refused.message.contains("max_body_bytes_per_address"));
        let (waiting, others) = join(read_body(HERE, body(), &limits), async {
            let others = read_body(other, body(), &limits).await.unwrap();
            drop(first);
            others
        })
        .await;
        assert_eq!((waiting.unwrap().len(), others.len()), (60_000, 60_000));
        assert_eq!(limits.space.left(), 190_000);
        for n in 0..1_000_u32 {
            let passing = IpAddr::V4(Ipv4Addr::from(n << 8));
            assert!(limits.space.try_take(passing, 10).is_some());
        }
        assert!(limits.space.addresses() < 200);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stalls_gives_its_place_to_one_that_waits_and_keeps_it_else() {
        let limits = BodyLimits {
            max: 100_000,
            space: space(100_000, 100_000),
            ..limits()
        };
        let begun = Instant::now();
        let alone = read_body(HERE, stalled(90_000), &limits).await;
        assert_eq!(alone.unwrap_err().code, "timeout");
        assert_eq!(begun.elapsed(), limits.timeout);
        let (slow, good) = join(
            read_body(HERE, stalled(90_000), &limits),
            read_body(HERE, Body::from(vec![0; 90_000]), &limits),
        )
        .await;
        let slow = slow.unwrap_err();
        assert!(slow.message.contains("body_patience"), "{}", slow.message);
        assert_eq!(good.unwrap().len(), 90_000);
        // A body that comes just fast enough keeps its space, however slow that is.
        let steady = dripping(22, 4_000, Duration::from_millis(900));
        let waits = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            read_body(HERE, Body::from(vec![0; 90_000]), &limits).await
        };
        let (steady, waits) = join(read_body(HERE, steady, &limits), waits).await;
        assert_eq!(steady.unwrap().len(), 88_000);
        assert_eq!(waits.unwrap_err().code, "overloaded");
    }
}
