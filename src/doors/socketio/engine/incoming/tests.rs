use super::*;

const BOUNDS: Bounds = Bounds {
    max_message: 70_000,
    max_fragments: 3,
    max_connects: 2,
};

fn frame(first: u8, len: usize) -> Vec<u8> {
    let mut out = vec![first];
    match len {
        0..126 => out.push(MASKED | len as u8),
        126..65_536 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.resize(out.len() + 4 + len, 0xff);
    out
}

/// The verdict, into whatever pieces the bytes are split.
fn verdict(bytes: &[u8], joined: bool) -> Result<(), CloseReason> {
    let verdicts = [1, 2, 3, 7, 1_000, bytes.len()].map(|piece| {
        let mut incoming = Incoming::new(BOUNDS, None);
        bytes
            .chunks(piece)
            .try_for_each(|chunk| incoming.look(chunk, || joined))
    });
    assert!(verdicts.iter().all(|v| *v == verdicts[0]), "{verdicts:?}");
    verdicts[0]
}

#[test]
fn what_clients_send_passes() {
    let mut all = Vec::new();
    for len in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
        all.extend(frame(0x81, len));
        all.extend(frame(0x82, len));
    }
    // Fragments with a ping between them, twice: each message is counted by itself.
    for _ in 0..2 {
        all.extend(frame(0x01, 30_000));
        all.extend(frame(0x89, 125));
        all.extend(frame(0x00, 30_000));
        all.extend(frame(0x80, 10_000));
    }
    assert_eq!(verdict(&all, true), Ok(()));
}

#[test]
fn connects_are_counted_however_they_are_cut_and_masked() {
    let message = |mask: [u8; 4], text: &[u8]| {
        let mut out = vec![0x81, MASKED | text.len() as u8];
        out.extend(mask);
        out.extend(text.iter().zip(mask.iter().cycle()).map(|(t, m)| t ^ m));
        out
    };
    let plain = message([0; 4], b"40");
    let masked = message([9, 8, 7, 6], b"40/admin,{}");
    let mut cut = vec![0x01, MASKED | 1, 5, 6, 7, 8, b'4' ^ 5];
    cut.extend(frame(0x89, 3));
    cut.extend([0x80, MASKED | 2, 1, 2, 3, 4, b'0' ^ 1, b'{' ^ 2]);
    for one in [&plain, &masked, &cut] {
        assert_eq!(verdict(&one.repeat(2), true), Ok(()));
        assert_eq!(verdict(&one.repeat(3), true), Err(CloseReason::Connects));
    }
    let others = [&b"4"[..], b"41", b"42[\"40\"]", b"2", b"04", b"", b"140"];
    let others: Vec<u8> = others
        .iter()
        .flat_map(|o| message([1, 2, 3, 4], o))
        .collect();
    assert_eq!(verdict(&others, true), Ok(()));
    assert_eq!(verdict(&frame(0x82, 2).repeat(9), true), Ok(()));
}

#[test]
fn small_frames_are_read_in_turns_and_large_ones_at_once() {
    let mut incoming = Incoming::new(BOUNDS, None);
    let tiny = frame(0x81, 1).repeat(10_000);
    let mut rest = &tiny[..];
    let mut turns = 0;
    while !rest.is_empty() {
        let (read, later) = rest.split_at(incoming.next_read().min(rest.len()));
        incoming.look(read, || true).unwrap();
        turns += usize::from(incoming.is_turn_over());
        assert!(!incoming.is_turn_over(), "a new turn has begun");
        rest = later;
    }
    assert!(turns >= 10_000 / (MIN_READ_BYTES / 7 + 1), "{turns} turns");
    let large = frame(0x82, 70_000);
    incoming.look(&large[..1_024], || true).unwrap();
    assert_eq!(incoming.next_read(), 1_024 * TURN_FRAMES);
    incoming.look(&large[1_024..60_000], || true).unwrap();
    assert_eq!(incoming.next_read(), usize::MAX);
    assert!(!incoming.is_turn_over());
}

#[test]
fn what_breaks_a_bound_is_refused_by_its_header_alone() {
    let header = |first, len| {
        let mut frame = frame(first, len);
        frame.truncate(frame.len() - len);
        frame
    };
    let parts = |lens: &[usize]| -> Vec<u8> {
        let firsts = std::iter::once(0x01).chain(std::iter::repeat(0x00));
        firsts.zip(lens).flat_map(|(f, l)| frame(f, *l)).collect()
    };
    for (bytes, joined, expected) in [
        (header(0x81, 70_001), true, CloseReason::TooLarge),
        (
            [0x82, 0xff].iter().chain(&[0xff; 12]).copied().collect(),
            true,
            CloseReason::TooLarge,
        ),
        (parts(&[40_000, 30_000, 1]), true, CloseReason::TooLarge),
        (parts(&[0, 0, 0, 0]), true, CloseReason::Fragments),
        (
            [header(0x82, 5), vec![7]].concat(),
            false,
            CloseReason::BeforeConnect,
        ),
        (header(0xc1, 5), true, CloseReason::Protocol),
        (header(0x89, 126), true, CloseReason::Protocol),
        (vec![0x81, 0x02, 0x34, 0x30], true, CloseReason::Protocol),
    ] {
        assert_eq!(verdict(&bytes, joined), Err(expected), "{:x?}", &bytes[..2]);
    }
}

#[test]
fn an_attachment_may_come_behind_a_connect_that_is_not_decided_yet() {
    let connect = [&[0x81, MASKED | 2, 0, 0, 0, 0][..], b"40"].concat();
    let attachment = frame(0x82, 5);
    let mut incoming = Incoming::new(BOUNDS, None);
    let burst = [connect, attachment.clone()].concat();
    assert_eq!(incoming.look(&burst, || false), Ok(()));
    assert!(incoming.next_message().is_some_and(|m| m.is_connect()));
    assert_eq!(incoming.look(&attachment, || false), Ok(()));
    // The client was refused.
    incoming.decided();
    let early = incoming.look(&attachment, || false);
    assert_eq!(early, Err(CloseReason::BeforeConnect));
}

#[test]
fn an_end_is_seen_behind_signs_of_life_alone() {
    let text = |text: &[u8]| [&[0x81, MASKED | text.len() as u8, 0, 0, 0, 0][..], text].concat();
    let mut incoming = Incoming::new(BOUNDS, None);
    incoming
        .look(&[text(b"3"), frame(0x89, 4)].concat(), || true)
        .unwrap();
    assert!(!incoming.asks() && !incoming.ends_next());
    incoming.look(&frame(0x88, 2), || true).unwrap();
    assert!(incoming.asks() && incoming.ends_next());
    let mut incoming = Incoming::new(BOUNDS, None);
    incoming
        .look(&[text(b"42[\"x\"]"), text(b"1")].concat(), || true)
        .unwrap();
    assert!(incoming.asks() && !incoming.ends_next());
    assert!(incoming.held() > 9);
}
