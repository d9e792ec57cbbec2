use super::*;

#[derive(Debug)]
struct Willing;

impl Engine for Willing {
    fn send(&self, _: &Frame) -> bool {
        true
    }
    fn close(&self) {}
}

fn lane(max_bytes: usize) -> Arc<Lane> {
    let limits = LaneLimits {
        max_bytes,
        max_packets: 100,
        stall: Duration::from_secs(1),
    };
    let lane = Lane::express(limits, Metrics::new());
    lane.connect(Namespace::Root, Arc::new(Willing));
    lane.marked(Namespace::Root);
    lane
}

#[tokio::test]
async fn a_heartbeat_overtakes_what_waits_and_other_packets_do_not() {
    let lane = lane(1 << 20);
    let update = Frame::event(Namespace::Root, "update", "{}");
    lane.send(&update, Tag::Told);
    lane.engine_bytes(b"\x81\x0240");
    lane.engine_bytes(HEARTBEATS[0]);
    let mut batch = VecDeque::new();
    assert!(lane.take(&mut batch, 1 << 20));
    let expected: [&[u8]; 3] = [HEARTBEATS[0], update.bytes(), b"\x81\x0240"];
    assert!(
        batch.iter().map(|piece| &piece.bytes[..]).eq(expected),
        "{batch:?}"
    );
}

#[tokio::test]
async fn it_says_when_it_is_full_and_has_room_when_half_is_taken() {
    let update = Frame::event(
        Namespace::Root,
        "update",
        &format!("\"{}\"", "x".repeat(90)),
    );
    let size = update.bytes().len();
    let lane = lane(4 * size);
    let room: Vec<bool> = (0..6).map(|_| lane.send(&update, Tag::Told)).collect();
    assert_eq!(room, [true, true, true, true, false, false]);
    assert!(!lane.has_room());
    lane.written(3 * size);
    assert!(!lane.has_room());
    lane.written(size);
    assert!(lane.has_room());
    assert_eq!(lane.killed(), None);
    for _ in 0..9 {
        lane.send(&update, Tag::Told);
    }
    assert_eq!(
        lane.killed(),
        Some(Kill::SlowClient),
        "it went on beyond twice its bound"
    );
}
