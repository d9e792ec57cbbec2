//! Entries of the streams that `@socket.io/redis-streams-emitter` and Node servers with the streams adapter write.
//!
//! An entry has the fields `uid`, `nsp`, `type` and `data`. Only broadcasts (type 3) are read. Their data is JSON, or, if
//! they hold something binary, msgpack as base64: the first character tells.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    depth,
    message::{Broadcast, Message, MessageLimits, join},
    names, node,
    refusal::Refusal,
};

/// The type of a broadcast; all others are requests between servers, and their answers.
const BROADCAST: &[u8] = b"3";

/// The fields of an entry that matter here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a> {
    /// The type of the message, as digits.
    pub kind: &'a [u8],
    /// The namespace.
    pub namespace: &'a [u8],
    /// The message itself.
    pub data: &'a [u8],
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    packet: Packet<'a>,
    #[serde(borrow, default)]
    opts: Option<Opts<'a>>,
}

#[derive(Deserialize)]
struct Packet<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    nsp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Opts<'a> {
    #[serde(borrow, default)]
    rooms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    except: Option<&'a RawValue>,
    #[serde(default)]
    flags: Option<Flags>,
}

#[derive(Deserialize, Default)]
struct Flags {
    #[serde(default)]
    volatile: Option<bool>,
}

/// Reads an entry of a stream.
///
/// # Errors
/// A [`Refusal`] of an entry that these emitters don't write, that is over a limit, or is between Node servers.
pub fn read(entry: Fields<'_>, limits: MessageLimits) -> Result<Message, Refusal> {
    if entry.kind != BROADCAST {
        let kind: String = String::from_utf8_lossy(entry.kind)
            .chars()
            .take(8)
            .collect();
        return Err(Refusal::Unsupported(format!("a message of type {kind:?}")));
    }
    if entry.data.len() > limits.max_bytes {
        return Err(Refusal::TooLarge(limits.max_bytes));
    }
    let mut broadcast = if entry.data.starts_with(b"{") {
        json(entry.data, limits)?
    } else {
        let packed = BASE64
            .decode(entry.data)
            .map_err(|_| Refusal::malformed("its data is neither JSON nor base64"))?;
        node::read_map(&packed, limits)?
    };
    if broadcast.namespace == "/" && !entry.namespace.is_empty() {
        broadcast.namespace = String::from_utf8(entry.namespace.to_vec())
            .map_err(|_| Refusal::malformed("its namespace is not UTF-8"))?;
    }
    Ok(Message::Emit(broadcast))
}

fn json(data: &[u8], limits: MessageLimits) -> Result<Broadcast, Refusal> {
    let not_json = |error: serde_json::Error| Refusal::malformed(error.to_string());
    let data: Data<'_> = serde_json::from_slice(data).map_err(not_json)?;
    let Some((event, args)) = data.packet.data.split_first() else {
        return Err(Refusal::malformed("its packet has no event"));
    };
    for arg in args {
        depth::check(arg.get(), limits.max_depth.saturating_sub(1))?;
    }
    let opts = data.opts.unwrap_or_default();
    Ok(Broadcast {
        namespace: data.packet.nsp.map_or_else(|| "/".into(), Cow::into_owned),
        event: serde_json::from_str(event.get()).map_err(not_json)?,
        args: join(args.iter().map(|arg| arg.get())),
        attachments: Vec::new(),
        rooms: names::read(opts.rooms, limits.max_rooms)?,
        except: names::read(opts.except, limits.max_rooms)?,
        volatile: opts.flags.and_then(|flags| flags.volatile) == Some(true),
        asks_ack: data.packet.id.is_some(),
    })
}

#[cfg(test)]
mod tests;
