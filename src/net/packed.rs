//! Compressed request bodies (`Content-Encoding`). A body is unpacked as it comes, a piece at a time, so that all other
//! bounds on bodies hold for its content. The ratio of unpacking is bounded as well, and so is the number of bodies
//! that are unpacked at a time: each takes some 64 KiB.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_compression::tokio::bufread::{GzipDecoder, ZlibDecoder};
use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, header::CONTENT_ENCODING};
use strum::IntoStaticStr;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::OwnedSemaphorePermit,
    task::coop::consume_budget,
};
use tokio_util::io::StreamReader;

use super::body_limits::BodyLimits;
use crate::error::Error;

/// The supported encodings, as `Accept-Encoding` lists them.
pub const PACKINGS: &str = "gzip, deflate";
/// Bytes that are unpacked at a time.
const UNPACK_BYTES: usize = 8 * 1_024;

/// The way in which a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Packing {
    /// `gzip`, also of several members.
    Gzip,
    /// `deflate`, in the form of zlib.
    Deflate,
}

/// An encoding that the server can't undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPacking;

impl Packing {
    /// The packing of a body, as the request's head names it; `None` for a plain body.
    ///
    /// # Errors
    /// The body is compressed in another way, or more than once.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, UnknownPacking> {
        let mut found = None;
        for line in headers.get_all(CONTENT_ENCODING) {
            let line = line.to_str().map_err(|_| UnknownPacking)?;
            for word in line.split(',').map(|word| word.trim().to_ascii_lowercase()) {
                let packing = match word.as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    _ => return Err(UnknownPacking),
                };
                if found.replace(packing).is_some() {
                    return Err(UnknownPacking);
                }
            }
        }
        Ok(found)
    }
}

impl From<UnknownPacking> for Error {
    fn from(_: UnknownPacking) -> Self {
        Self::bad_request(format!(
            "bodies may be compressed once, with one of {PACKINGS}: send it so, or leave Content-Encoding out"
        ))
    }
}

/// A body that is being unpacked.
struct Unpacking {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    packing: Packing,
    /// Compressed bytes that came.
    taken: Arc<AtomicUsize>,
    /// Bytes that they became.
    given: usize,
    /// Bytes that they may become in any case.
    free: usize,
    /// Further bytes that each of them may become.
    ratio: usize,
    _place: OwnedSemaphorePermit,
}

/// Unpacks `body`. A fault in it comes as an [`Error`] in place of its next piece.
///
/// # Errors
/// `overloaded` when too many are unpacked already.
pub async fn unpack(body: Body, packing: Packing, limits: &BodyLimits) -> Result<Body, Error> {
    let place = limits.packed.place().await?;
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let packed = body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(io::Error::other)?;
        counter.fetch_add(piece.len(), Ordering::Relaxed);
        io::Result::Ok(piece)
    });
    let reader = StreamReader::new(packed);
    let reader: Pin<Box<dyn AsyncRead + Send>> = match packing {
        Packing::Gzip => {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Packing::Deflate => Box::pin(ZlibDecoder::new(reader)),
    };
    let unpacking = Unpacking {
        reader,
        packing,
        taken,
        given: 0,
        free: limits.max,
        ratio: limits.packed.ratio,
        _place: place,
    };
    Ok(Body::from_stream(stream::try_unfold(
        unpacking,
        Unpacking::next,
    )))
}

impl Unpacking {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        // A few bytes may become many pieces without any wait between them: other tasks must have their turn.
        consume_budget().await;
        let mut piece = BytesMut::with_capacity(UNPACK_BYTES);
        let read = self.reader.read_buf(&mut piece).await;
        let read = read.map_err(|error| self.broken(&error))?;
        self.given += read;
        let taken = self.taken.load(Ordering::Relaxed);
        let most = self.free.saturating_add(taken.saturating_mul(self.ratio));
        if self.given > most {
            return Err(Error::new(
                "too_large",
                format!(
                    "the body becomes more than {} times as long when it is unpacked ([server] max_unpack_ratio); \
                     send it in parts, or not compressed",
                    self.ratio
                ),
            ));
        }
        Ok((read > 0).then(|| (piece.freeze(), self)))
    }

    fn broken(&self, error: &io::Error) -> Error {
        let name: &str = self.packing.into();
        let inner = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<axum::Error>());
        if inner.is_some() {
            return Error::bad_request("the body ended early");
        }
        Error::bad_request(match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the body ends before what its {name} begins"),
            _ => format!("the body is no {name}, though its Content-Encoding says so"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::Ipv4Addr, time::Duration};

    use flate2::{Compression, write::GzEncoder};
    use http::HeaderValue;

    use super::*;
    use crate::{
        net::{self, NextPart, PackedLimits, Space, Steady},
        observe::BodyMetrics,
    };

    const MAX: usize = 100_000;

    async fn read_body(body: Body, limits: &BodyLimits) -> Result<Bytes, Error> {
        net::read_body(Ipv4Addr::LOCALHOST.into(), body, limits).await
    }

    fn limits() -> BodyLimits {
        BodyLimits {
            max: MAX,
            max_key: "[server] max_http_buffer_size",
            timeout: Duration::from_secs(30),
            bytes_per_second: 10,
            space: Space::new(10 * MAX, 10 * MAX, BodyMetrics::default()),
            patience: Duration::from_secs(30),
            packed: PackedLimits::new(100, 2),
        }
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn said(lines: &[&'static str]) -> Result<Option<Packing>, UnknownPacking> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(line));
        }
        Packing::of(&headers)
    }

    #[test]
    fn encodings_are_known_or_refused() {
        for none in [&[][..], &["identity"], &[""], &["identity, identity"]] {
            assert_eq!(said(none), Ok(None), "{none:?}");
        }
        for gzip in [&["gzip"][..], &["X-GZip"], &["identity", "gzip"]] {
            assert_eq!(said(gzip), Ok(Some(Packing::Gzip)), "{gzip:?}");
        }
        assert_eq!(said(&["deflate"]), Ok(Some(Packing::Deflate)));
        for wrong in [
            &["br"][..],
            &["zstd"],
            &["gzip, gzip"],
            &["gzip", "deflate"],
            &["gzip;q=1"],
        ] {
            assert_eq!(said(wrong), Err(UnknownPacking), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn of_a_bomb_no_more_is_unpacked_than_a_body_may_have() {
        let limits = limits();
        let bomb = gzip(&vec![b'\n'; 50_000_000]);
        assert!(bomb.len() < 50_000, "{}", bomb.len());
        let unpacked = unpack(Body::from(bomb.clone()), Packing::Gzip, &limits);
        let refused = read_body(unpacked.await.unwrap(), &limits)
            .await
            .unwrap_err();
        assert_eq!(refused.code, "too_large");
        // A stream has no bound as a whole, but the ratio of each piece has one.
        let body = unpack(Body::from(bomb.clone()), Packing::Gzip, &limits);
        let mut stream = Steady::new(body.await.unwrap(), limits.clone());
        let mut given = 0;
        let refused = loop {
            match stream.next(None).await {
                Ok(NextPart::Part(piece)) => given += piece.len(),
                Ok(other) => panic!("refused before: {other:?}"),
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refused.code, "too_large");
        assert!(refused.message.contains("max_unpack_ratio"), "{refused}");
        assert!(given <= MAX + 100 * bomb.len(), "{given}");
        assert_eq!(limits.space.left(), 10 * MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_unpacked_at_a_time_and_no_more() {
        let limits = limits();
        let open = || unpack(Body::from(gzip(b"{}")), Packing::Gzip, &limits);
        let (first, _second) = (open().await.unwrap(), open().await.unwrap());
        let refused = open().await.unwrap_err();
        assert_eq!(refused.code, "overloaded");
        assert!(refused.message.contains("max_unpacking"), "{refused}");
        let (third, ()) = futures_util::future::join(open(), async { drop(first) }).await;
        assert_eq!(read_body(third.unwrap(), &limits).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn what_is_broken_says_so() {
        let limits = limits();
        let whole = gzip(b"{\"type\":\"a.b\"}");
        for (body, told) in [
            (whole[..whole.len() - 9].to_vec(), "ends before"),
            (b"{\"type\":\"a.b\"}".to_vec(), "is no gzip"),
        ] {
            let body = unpack(Body::from(body), Packing::Gzip, &limits)
                .await
                .unwrap();
            let refused = read_body(body, &limits).await.unwrap_err();
            assert_eq!(refused.code, "bad_request");
            assert!(refused.message.contains(told), "{refused}");
        }
        let cut = stream::iter([Ok(Bytes::from(whole[..9].to_vec())), Err("gone")]);
        let body = unpack(Body::from_stream(cut), Packing::Gzip, &limits)
            .await
            .unwrap();
        let refused = read_body(body, &limits).await.unwrap_err();
        assert!(refused.message.contains("ended early"), "{refused}");
        let twice = [whole.clone(), whole].concat();
        let body = unpack(Body::from(twice), Packing::Gzip, &limits)
            .await
            .unwrap();
        assert_eq!(read_body(body, &limits).await.unwrap().len(), 28);
    }
}
