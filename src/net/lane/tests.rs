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
        incoming: Bounds {
            max_message: 1_000,
            max_fragments: 10,
            max_connects: 10,
        },
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
    lane.send(&update);
    lane.engine_bytes(b"\x81\x0240");
    lane.engine_bytes(HEARTBEATS[0]);
    let mut batch = VecDeque::new();
    assert!(lane.take(&mut batch, 1 << 20));
    let expected: [&[u8]; 3] = [HEARTBEATS[0], update.bytes(), b"\x81\x0240"];
    assert!(batch.iter().map(|b| &b[..]).eq(expected), "{batch:?}");
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
    let room: Vec<bool> = (0..6).map(|_| lane.send(&update)).collect();
    assert_eq!(room, [true, true, true, true, false, false]);
    assert!(!lane.has_room());
    lane.written(3 * size);
    assert!(!lane.has_room());
    lane.written(size);
    assert!(lane.has_room());
    assert_eq!(lane.killed(), None);
    for _ in 0..9 {
        lane.send(&update);
    }
    assert_eq!(
        lane.killed(),
        Some(Kill::SlowClient),
        "it went on beyond twice its bound"
    );
}

#[tokio::test]
async fn whoever_leaves_and_comes_again_stays_though_it_is_told_late() {
    let lane = lane(1 << 20);
    let update = Frame::event(Namespace::Root, "update", "{}");
    let sent = |lane: &Lane| {
        let mut batch = VecDeque::new();
        lane.take(&mut batch, 1 << 20);
        batch.len()
    };
    let first = lane.connect(Namespace::Root, Arc::new(Willing));
    lane.send(&update);
    let second = lane.connect(Namespace::Root, Arc::new(Willing));
    lane.disconnect(Namespace::Root, first);
    lane.send(&update);
    // The first stay's mark comes out before the second one's CONNECT: nothing may follow it.
    lane.marked(Namespace::Root);
    assert_eq!(sent(&lane), 0);
    lane.marked(Namespace::Root);
    assert_eq!(sent(&lane), 1, "what was sent on the first stay is dropped");
    assert_eq!(
        lane.waiting(),
        update.bytes().len(),
        "and no longer counted"
    );
    lane.disconnect(Namespace::Root, second);
    lane.send(&update);
    assert_eq!(sent(&lane), 0);
}
