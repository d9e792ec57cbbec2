//! One message, deflated and inflated: no message knows of another.

use std::cell::RefCell;

use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress, Status};

/// The end that every deflated message has, and that is not sent (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The same end, and an empty last block: the stream ends with it, unless the message broke off within a block.
const TAIL_AND_LAST: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// The rest of a message whose last block says that it is the last (RFC 7692, 7.2.3.4).
const AFTER_LAST: &[u8] = &[0x00];
/// The first room of an inflated message; it grows with what comes.
const FIRST_ROOM: usize = 4 * 1_024;
/// Scratch space that a thread keeps.
const KEPT_SCRATCH: usize = 64 * 1_024;

thread_local! {
    /// The state of the compression, 256 KiB, with its level; the scratch space for what comes out.
    static DEFLATE: RefCell<Option<(u32, Compress, Vec<u8>)>> = const { RefCell::new(None) };
    /// The state of the decompression, with a window of 32 KiB.
    static INFLATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// A deflated message that can't be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It becomes more bytes than it may.
    TooLarge,
    /// It is no deflated message, or not a whole one.
    Malformed,
}

/// Deflates a message, and gives the bytes to `made`; `None` when that makes it no smaller by `at_least` bytes.
pub fn deflate<T>(
    payload: &[u8],
    level: u32,
    at_least: usize,
    made: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    let room = payload.len().checked_sub(at_least)? + TAIL.len();
    DEFLATE.with_borrow_mut(|state| {
        let (mut compress, mut out) = match state.take() {
            Some((known, mut compress, out)) if known == level => {
                compress.reset();
                (compress, out)
            }
            _ => (Compress::new(Level::new(level), false), Vec::new()),
        };
        out.clear();
        out.reserve(room + 1);
        let status = compress.compress_vec(payload, &mut out, FlushCompress::Sync);
        let is_whole =
            matches!(status, Ok(Status::Ok)) && compress.total_in() == payload.len() as u64;
        let made = (is_whole && out.len() <= room)
            .then(|| out.strip_suffix(&TAIL).map(made))
            .flatten();
        if out.capacity() > KEPT_SCRATCH {
            out = Vec::new();
        }
        *state = Some((level, compress, out));
        made
    })
}

/// Inflates a message that may become so many bytes.
///
/// # Errors
/// It becomes more, or is none.
pub fn inflate(message: &[u8], most: usize) -> Result<Vec<u8>, Broken> {
    // A message of nothing is one byte, and some send none.
    if message.is_empty() {
        return Ok(Vec::new());
    }
    INFLATE.with_borrow_mut(|state| {
        let decompress = state.get_or_insert_with(|| Decompress::new(false));
        decompress.reset(false);
        let room = most.min(message.len().saturating_mul(4));
        let mut out = Vec::with_capacity(room.max(FIRST_ROOM));
        match feed(decompress, message, &mut out, most)? {
            Fed::All => match feed(decompress, &TAIL_AND_LAST, &mut out, most)? {
                Fed::Ended([]) => {}
                _ => return Err(Broken::Malformed),
            },
            Fed::Ended([] | AFTER_LAST) => {}
            Fed::Ended(_) => return Err(Broken::Malformed),
        }
        Ok(out)
    })
}

/// The outcome of a feed.
enum Fed<'m> {
    /// All was taken, and more may come.
    All,
    /// The stream has ended before this rest.
    Ended(&'m [u8]),
}

fn feed<'m>(
    decompress: &mut Decompress,
    mut rest: &'m [u8],
    out: &mut Vec<u8>,
    most: usize,
) -> Result<Fed<'m>, Broken> {
    loop {
        if out.len() == out.capacity() {
            // One byte more than allowed, so that it shows.
            let growth = out.len().min((most - out.len()).saturating_add(1));
            out.reserve_exact(growth);
        }
        let (taken, given) = (decompress.total_in(), out.len());
        let status = decompress
            .decompress_vec(rest, out, FlushDecompress::None)
            .map_err(|_| Broken::Malformed)?;
        let taken = usize::try_from(decompress.total_in() - taken).unwrap_or(rest.len());
        rest = rest.get(taken..).unwrap_or_default();
        if out.len() > most {
            return Err(Broken::TooLarge);
        }
        let is_stuck = taken == 0 && out.len() == given;
        match status {
            Status::StreamEnd => return Ok(Fed::Ended(rest)),
            // All is out as soon as there is room left.
            _ if rest.is_empty() && out.len() < out.capacity() => return Ok(Fed::All),
            _ if is_stuck => return Err(Broken::Malformed),
            _ => {}
        }
    }
}
