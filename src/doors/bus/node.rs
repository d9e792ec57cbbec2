//! Messages of `@socket.io/redis-emitter`, of Node servers with the Redis adapter, and of the emitters of other languages
//! that write the same.
//!
//! A message is a msgpack list: `[sender, packet, options]`, or `[packet, options]` in the oldest form. The packet is
//! Socket.IO's: `{type, data: [event, argument…], nsp}`; the options are `{rooms, except, flags}`. Each of these may be
//! absent or nil, but for the data. The channel says the same as the options, so it is not looked at.

use super::{
    message::{Broadcast, Message, MessageLimits, join},
    names,
    refusal::Refusal,
};
use crate::msgpack::{Head, Reader, Written};

/// Socket.IO's types of packets that hold an event: without and with binary parts. Emitters write the first for both.
const EVENT: [u64; 2] = [2, 5];

/// Reads a message of a classic channel.
///
/// # Errors
/// A [`Refusal`] of a message that these emitters don't write, or that is over a limit.
pub fn read(body: &[u8], limits: MessageLimits) -> Result<Message, Refusal> {
    if body.len() > limits.max_bytes {
        return Err(Refusal::TooLarge(limits.max_bytes));
    }
    let mut reader = Reader::new(body, limits.of_values());
    match reader.head()? {
        Head::List(3) => reader.skip()?,
        Head::List(2) => {}
        _ => {
            return Err(Refusal::malformed(
                "not a msgpack list of two or three parts",
            ));
        }
    }
    let mut broadcast = packet(&mut reader, limits.max_rooms)?;
    options(&mut reader, &mut broadcast, limits.max_rooms)?;
    reader.end()?;
    Ok(Message::Emit(broadcast))
}

/// Reads a map of `packet` and `opts`, as the streams have it in msgpack.
pub(super) fn read_map(body: &[u8], limits: MessageLimits) -> Result<Broadcast, Refusal> {
    let mut reader = Reader::new(body, limits.of_values());
    let Head::Map(len) = reader.head()? else {
        return Err(Refusal::malformed("not a msgpack map"));
    };
    let (mut found, mut opts) = (None, Broadcast::default());
    for _ in 0..len {
        match reader.text()? {
            "packet" => found = Some(packet(&mut reader, limits.max_rooms)?),
            "opts" => options(&mut reader, &mut opts, limits.max_rooms)?,
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    let packet = found.ok_or_else(|| Refusal::malformed("it has no packet"))?;
    Ok(Broadcast {
        rooms: opts.rooms,
        except: opts.except,
        volatile: opts.volatile,
        ..packet
    })
}

fn packet(reader: &mut Reader<'_>, max_rooms: usize) -> Result<Broadcast, Refusal> {
    let Head::Map(len) = reader.head()? else {
        return Err(Refusal::malformed("its packet is not a map"));
    };
    let mut found = None;
    let mut namespace = String::new();
    let mut asks_ack = false;
    for _ in 0..len {
        match reader.text()? {
            "type" => match reader.head()? {
                Head::Unsigned(kind) if EVENT.contains(&kind) => {}
                _ => return Err(Refusal::malformed("its packet is no event")),
            },
            "nsp" => match names::unpack(reader, max_rooms)?.as_slice() {
                [] => {}
                [nsp] => namespace.clone_from(nsp),
                _ => return Err(Refusal::malformed("it names several namespaces")),
            },
            "data" => found = Some(data(reader)?),
            "id" => asks_ack = !matches!(reader.head()?, Head::Nil),
            _ => reader.skip()?,
        }
    }
    let (event, args) = found.ok_or_else(|| Refusal::malformed("its packet has no data"))?;
    if namespace.is_empty() {
        namespace.push('/');
    }
    Ok(Broadcast {
        namespace,
        event,
        args: String::from_utf8(args.json).map_err(|_| Refusal::malformed("not UTF-8"))?,
        attachments: args.attachments,
        asks_ack,
        ..Broadcast::default()
    })
}

/// Reads `[event, argument…]`.
fn data(reader: &mut Reader<'_>) -> Result<(String, Written), Refusal> {
    let Head::List(len @ 1..) = reader.head()? else {
        return Err(Refusal::malformed("its data is not a list with an event"));
    };
    let event = reader.text()?.to_owned();
    let mut args = Written::default();
    for at in 0..len - 1 {
        args.comma(at);
        // The list of arguments is around it.
        reader.value(&mut args, 1)?;
    }
    if args.json == b"null" {
        args.json = join(["null"].into_iter()).into();
    }
    Ok((event, args))
}

fn options(
    reader: &mut Reader<'_>,
    broadcast: &mut Broadcast,
    max_rooms: usize,
) -> Result<(), Refusal> {
    let len = match reader.head()? {
        Head::Map(len) => len,
        Head::Nil => 0,
        _ => return Err(Refusal::malformed("its options are not a map")),
    };
    for _ in 0..len {
        match reader.text()? {
            "rooms" => broadcast.rooms = names::unpack(reader, max_rooms)?,
            "except" => broadcast.except = names::unpack(reader, max_rooms)?,
            "flags" => broadcast.volatile = is_volatile(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn is_volatile(reader: &mut Reader<'_>) -> Result<bool, Refusal> {
    let mut found = false;
    match reader.head()? {
        Head::Map(len) => {
            for _ in 0..len {
                if reader.text()? == "volatile" {
                    found = matches!(reader.head()?, Head::Bool(true));
                } else {
                    reader.skip()?;
                }
            }
        }
        // PHP writes an empty map as a list.
        Head::Nil | Head::List(0) => {}
        _ => return Err(Refusal::malformed("its flags are not a map")),
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
