use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{sending::HEARTBEATS, *};
use crate::{
    channel::Namespace,
    delivery::{Form, Outbox, Outgoing, Places, QueuedMessage, Tag, UpdateRun, WireMessage},
    doors::socketio::engine::{
        Attachments, Bounds, CloseReason, Frame, NoEngine,
        batch::{Batch, Taken},
        send_list::SendList,
    },
    net::deflate::{Compression, CompressionLimits},
    observe::Metrics,
};

pub(super) fn lane(max_bytes: usize) -> Arc<ExpressLane> {
    let limits = LaneLimits {
        attachments: Attachments {
            count: 10,
            bytes: 1_000,
            within: Duration::from_secs(10),
        },
        ping_timeout: Duration::from_secs(10),
        max_bytes,
        max_packets: 100,
        stall: Duration::from_secs(1),
        incoming: Bounds {
            max_message: 1_000,
            max_fragments: 10,
            max_connects: 10,
        },
    };
    let metrics = Metrics::new();
    let lane = ExpressLane::express(limits, SendList::new(&metrics.sockets), metrics);
    lane.connect(Namespace::Root, NoEngine::shared());
    lane.marked(Namespace::Root);
    lane
}

#[tokio::test]
async fn a_heartbeat_overtakes_what_waits_and_other_packets_do_not() {
    let lane = lane(1 << 20);
    let update = Frame::event(Namespace::Root, "update", "{}", Tag::Told);
    let mut batch = Batch::new(None);
    // The first packet opens the session, so a ping must not come before it.
    lane.engine_bytes(b"\x81\x030{}");
    lane.engine_bytes(HEARTBEATS[0]);
    assert_eq!(lane.take(&mut batch, 1 << 20), Taken::Some);
    assert_eq!(&batch.pieces[0].message.bytes[..], b"\x81\x030{}");
    lane.written(
        batch
            .pieces
            .drain(..)
            .map(|piece| piece.message.bytes.len())
            .sum(),
    );
    lane.send(&update);
    lane.engine_bytes(b"\x81\x0240");
    lane.engine_bytes(HEARTBEATS[0]);
    assert_eq!(lane.take(&mut batch, 1 << 20), Taken::Some);
    let expected: [&[u8]; 3] = [HEARTBEATS[0], update.bytes(), b"\x81\x0240"];
    assert!(
        batch
            .pieces
            .iter()
            .map(|piece| &piece.message.bytes[..])
            .eq(expected),
        "{batch:?}"
    );
}

#[tokio::test]
async fn it_says_when_it_is_full_and_has_room_when_half_is_taken() {
    let update = Frame::event(
        Namespace::Root,
        "update",
        &format!("\"{}\"", "x".repeat(90)),
        Tag::Told,
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
        Some(CloseReason::SlowClient),
        "it went on beyond twice its bound"
    );
}

#[tokio::test]
async fn tiny_frames_that_nobody_reads_count_more_than_their_bytes() {
    let lane = lane(64 * 100);
    (0..202).for_each(|_| lane.engine_bytes(b"\x8a\x00"));
    assert_eq!(lane.killed(), Some(CloseReason::SlowClient));
}

#[tokio::test]
async fn whoever_leaves_and_comes_again_stays_though_it_is_told_late() {
    let lane = lane(1 << 20);
    let update = Frame::event(Namespace::Root, "update", "{}", Tag::Told);
    let sent = |lane: &ExpressLane| {
        let mut batch = Batch::new(None);
        lane.take(&mut batch, 1 << 20);
        batch.pieces.len()
    };
    let first = lane.connect(Namespace::Root, NoEngine::shared());
    lane.send(&update);
    let second = lane.connect(Namespace::Root, NoEngine::shared());
    lane.disconnect(Namespace::Root, first);
    lane.send(&update);
    // The first stay's mark comes out before the second stay's CONNECT: no frame may follow it.
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

/// A writer puts back what it compressed, and some of that is taken back: nothing stays counted in the end.
#[tokio::test]
async fn what_is_compressed_is_counted_as_what_it_became() {
    let limits = CompressionLimits {
        min_bytes: 100,
        level: 6,
        max_message: 1_000,
        max_ratio: 100,
    };
    let compression = Compression::new(limits, Arc::default());
    let lane = lane(1 << 20);
    let text = "\"the same words again and again\",".repeat(20);
    let updates: Vec<Outgoing> = (0..4)
        .map(|n| {
            let update = Outgoing::new(Namespace::Root, "update", format!("[{text}{n}]"));
            update.at(&n.to_string()).of_stream()
        })
        .collect();
    let plain: usize = updates
        .iter()
        .map(|u| Frame::message_of(u).bytes.len())
        .sum();
    for update in &updates {
        lane.send_update(update, false, false);
    }
    assert_eq!(lane.waiting(), plain);
    let mut batch = Batch::new(Some(compression.clone()));
    assert_eq!(batch.fill(&lane, 1 << 20).await, Taken::Some);
    let small: usize = batch.pieces.iter().map(|p| p.message.bytes.len()).sum();
    assert!(small < plain / 2, "{small} of {plain}");
    assert_eq!(lane.waiting(), small);
    // The first update is written, the second begun; then the client takes nothing.
    let first = batch.pieces[0].message.bytes.len();
    batch.advance(first + 10, &mut lane.sockets().tally());
    lane.written(first + 10);
    batch.put_back(&lane);
    assert_eq!(
        (batch.pieces.len(), lane.waiting()),
        (1, small - first - 10)
    );
    let taken = lane
        .reclaim(Namespace::Root, &|_| true)
        .expect("two are taken back");
    assert_eq!((&*taken.cursor, taken.updates), ("1", 2));
    let begun = batch.pieces[0].message.bytes.len();
    assert_eq!(lane.waiting(), begun - 10);
    // An update that comes again joins the begun one, compressed once for both its clients.
    lane.send_update(&updates[3], false, false);
    assert_eq!(batch.fill(&lane, 1 << 20).await, Taken::Some);
    let mut other = [Frame::message_of(&updates[3]).clone()];
    compression.compress(other.iter_mut()).await;
    assert!(Arc::ptr_eq(&other[0], &batch.pieces[1].message));
    let left: usize = batch.pieces.iter().map(|p| p.message.bytes.len()).sum();
    lane.written(left - 10);
    assert_eq!(lane.waiting(), 0);
}

/// A run is one entry of the queue. When the client takes nothing in the middle of it, one update is begun, and those
/// after it can be taken back.
#[tokio::test]
async fn a_run_of_updates_is_one_entry_until_it_is_begun() {
    let lane = lane(1 << 20);
    let mut run = UpdateRun::default();
    for n in 0..4 {
        let update = Outgoing::new(Namespace::Root, "update", format!("{{\"n\":{n}}}"));
        run.push(update.at(&n.to_string()).of_stream());
    }
    let sizes = run
        .updates()
        .iter()
        .map(|u| Frame::message_of(u).bytes.len());
    let size = sizes.clone().next().expect("four");
    assert!(sizes.clone().all(|s| s == size));
    assert!(lane.send_run(run.of(Form::default()), false));
    assert_eq!(lane.waiting(), 4 * size);
    let mut batch = Batch::new(None);
    assert_eq!(batch.fill(&lane, 1 << 20).await, Taken::Some);
    assert_eq!((batch.pieces.len(), batch.slices().len()), (1, 1));
    // The second update is begun.
    batch.advance(size + 3, &mut lane.sockets().tally());
    lane.written(size + 3);
    batch.put_back(&lane);
    assert_eq!(batch.slices()[0].len(), size - 3);
    let taken = lane.reclaim(Namespace::Root, &|_| true).expect("two");
    assert_eq!((&*taken.cursor, taken.updates), ("1", 2));
    assert_eq!(lane.waiting(), size - 3);
}

/// A client that takes compressed messages gets each update of a run as it would alone, and all such clients share it.
#[tokio::test]
async fn a_run_is_compressed_update_by_update() {
    let limits = CompressionLimits {
        min_bytes: 100,
        level: 6,
        max_message: 1_000,
        max_ratio: 100,
    };
    let compression = Compression::new(limits, Arc::default());
    let text = "\"the same words again and again\",".repeat(20);
    let mut run = UpdateRun::default();
    for (n, text) in [&*text, "\"small\",", &*text].into_iter().enumerate() {
        let update = Outgoing::new(Namespace::Root, "update", format!("[{text}{n}]"));
        run.push(update.at(&n.to_string()).of_stream());
    }
    let mut taken = Vec::new();
    for _ in 0..2 {
        let lane = lane(1 << 20);
        lane.send_run(run.of(Form::default()), false);
        let mut batch = Batch::new(Some(compression.clone()));
        assert_eq!(batch.fill(&lane, 1 << 20).await, Taken::Some);
        let bytes: usize = batch.slices().iter().map(|slice| slice.len()).sum();
        assert_eq!(lane.waiting(), bytes);
        taken.push(batch.pieces[0].message.clone());
    }
    assert!(Arc::ptr_eq(&taken[0], &taken[1]));
    let mut alone: Vec<_> = run
        .updates()
        .iter()
        .map(Frame::message_of)
        .cloned()
        .collect();
    compression.compress(alone.iter_mut()).await;
    let alone: Vec<&[u8]> = alone.iter().map(|message| &message.bytes[..]).collect();
    assert_eq!(&taken[0].bytes[..], alone.concat());
}

mod taking_back {
    use proptest::prelude::*;

    use super::*;

    /// An operation on a queue.
    #[derive(Debug, Clone)]
    enum Step {
        /// An update of the stream.
        Update,
        /// So many updates of the stream in a row, as one message.
        Run(usize),
        /// A message at a place in the stream.
        Told,
        /// A message without a place.
        Aside,
        /// A change of the client's filter or permissions.
        Settle,
        /// The client begins to get so many pieces, of which the writer gives some back.
        Begin(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Update),
            2 => (2_usize..6).prop_map(Step::Run),
            1 => Just(Step::Told),
            1 => Just(Step::Aside),
            1 => Just(Step::Settle),
            2 => (1_usize..8, 0_usize..4).prop_map(|(begin, back)| Step::Begin(begin, back)),
        ]
    }

    const HERE: Namespace = Namespace::Root;

    proptest! {
        #[test]
        fn what_stays_is_whole_and_what_went_comes_again(steps in prop::collection::vec(step(), 1..60)) {
            let (mut queue, mut begun, mut updates) = (Outbox::default(), Vec::new(), 0_usize);
            let mut places = Places::default();
            let (mut expected, mut asides, mut changed_at) = (Vec::new(), 0, 0);
            for step in steps {
                match step {
                    Step::Update => {
                        updates += 1;
                        let text = format!("/{updates}");
                        expected.push((updates, text.clone()));
                        queue.push(WireMessage::new(HERE, Tag::Update(updates.to_string().into()), text.into()));
                        // Updates of another namespace share the queue, and must not be affected.
                        queue.push(WireMessage::new(Namespace::Admin, Tag::Update("x".into()), "other".into()));
                    }
                    Step::Run(many) => {
                        let run: Vec<_> = (0..many).map(|_| {
                            updates += 1;
                            let text = format!("/{updates}");
                            expected.push((updates, text.clone()));
                            WireMessage::new(HERE, Tag::Update(updates.to_string().into()), text.into())
                        }).collect();
                        queue.push(WireMessage::joined(&run));
                    }
                    Step::Told => {
                        queue.push(WireMessage::new(HERE, Tag::Told, "told".into()));
                        (asides, changed_at) = (asides + 1, updates);
                    }
                    Step::Aside => {
                        queue.push(WireMessage::new(HERE, Tag::Aside, "aside".into()));
                        asides += 1;
                    }
                    Step::Settle => {
                        queue.settle(HERE);
                        changed_at = updates;
                    }
                    Step::Begin(pieces, back) => {
                        let mut popped: VecDeque<_> = std::iter::from_fn(|| queue.pop()).take(pieces).collect();
                        let begins = popped.len().saturating_sub(back);
                        for piece in popped.drain(..begins) {
                            places.pass(&piece);
                            begun.push(piece);
                        }
                        queue.put_back(&mut popped, &places);
                    }
                }
            }
            let keeps = |place: &str| place != "x";
            let taken = queue.reclaim(HERE, &keeps);
            let left = std::iter::from_fn(|| queue.pop());
            let stays: Vec<String> = begun.into_iter().chain(left)
                .flat_map(QueuedMessage::parts)
                .filter(|piece| piece.message.namespace == HERE)
                .map(|piece| String::from_utf8(piece.message.bytes.to_vec()).unwrap())
                .collect();
            prop_assert_eq!(stays.iter().filter(|text| !text.contains('/')).count(), asides);
            let stays: Vec<&String> = stays.iter().filter(|text| text.contains('/')).collect();
            let up_to = match &taken {
                Some(taken) => taken.cursor.parse::<usize>().unwrap(),
                None => updates,
            };
            let whole: Vec<&String> = expected.iter().filter(|(at, _)| *at <= up_to).map(|(_, text)| text).collect();
            prop_assert_eq!(stays, whole);
            if let Some(taken) = taken {
                prop_assert!(up_to > changed_at, "what comes again would go by what may be seen now");
                prop_assert_eq!(taken.updates, expected.iter().filter(|(at, _)| *at > up_to).count());
            }
        }
    }

    #[test]
    fn what_the_journal_no_longer_has_stays() {
        let mut queue = Outbox::default();
        for n in 1..=3 {
            let tag = Tag::Update(n.to_string().into());
            queue.push(WireMessage::new(HERE, tag, "update".into()));
        }
        queue.push(WireMessage::new(HERE, Tag::Aggregate, "sum".into()));
        assert_eq!(queue.reclaim(HERE, &|_| false), None);
        let taken = queue.reclaim(HERE, &|_| true).expect("two updates");
        assert_eq!(
            (&*taken.cursor, taken.updates, taken.aggregates),
            ("1", 2, true)
        );
        assert_eq!(taken.bytes, 15);
        assert_eq!(
            queue.reclaim(HERE, &|_| true),
            None,
            "nothing is left to take"
        );
    }
}
