use std::sync::Arc;

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::{
    super::{gate::NoEngine, writer::write_out},
    *,
};
use crate::{
    channel::Namespace,
    config::Config,
    delivery::{Form, Outgoing, UpdateRun},
    net::{frame::first_frame, stream::WriteHalf},
    observe::Metrics,
};

/// A lane whose client is on the root namespace.
fn lane(list: Option<&Arc<SendList<ExpressLane>>>) -> Arc<ExpressLane> {
    let limits = crate::server::lane_limits(&Config::default());
    let metrics = Metrics::new();
    let list = list.map_or_else(|| SendList::new(&metrics.sockets), Arc::clone);
    let lane = ExpressLane::express(limits, list, metrics);
    lane.connect(Namespace::Root, NoEngine::shared());
    lane.marked(Namespace::Root);
    lane
}

/// A client, and the server's half of its connection. A client with little room makes the server's socket full.
async fn pair() -> (TcpStream, WriteHalf) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1_024).unwrap();
    let client = socket.connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (stream, _) = accepted.unwrap();
    socket2::SockRef::from(&stream)
        .set_send_buffer_size(4 * 1_024)
        .unwrap();
    (client.unwrap(), WriteHalf::of(stream))
}

fn update(n: usize) -> Outgoing {
    let text = "x".repeat(n % 700);
    let json = format!("{{\"n\":{n},\"text\":\"{text}\"}}");
    let update = Outgoing::new(Namespace::Root, "update", json);
    update.at(&n.to_string()).of_stream()
}

/// The numbers of the updates that came.
async fn read(mut client: TcpStream, many: usize) -> Vec<usize> {
    let (mut bytes, mut came) = (Vec::new(), Vec::new());
    while came.len() < many && client.read_buf(&mut bytes).await.unwrap() > 0 {
        while let Some((payload_at, end)) =
            first_frame(&bytes).filter(|(_, end)| *end <= bytes.len())
        {
            let text = String::from_utf8(bytes[payload_at..end].to_vec()).unwrap();
            let n = text
                .split("\"n\":")
                .nth(1)
                .and_then(|n| n.split(',').next());
            came.push(n.unwrap().parse().unwrap());
            bytes.drain(..end);
        }
    }
    came
}

/// One task writes to all sockets: these lanes have no writer at all.
#[tokio::test]
async fn a_sender_writes_to_many_sockets_without_their_writers() {
    let list = SendList::new(&Metrics::new().sockets);
    let (mut clients, mut lanes) = (Vec::new(), Vec::new());
    for _ in 0..SEND_RUN * 3 {
        let (client, socket) = pair().await;
        let lane = lane(Some(&list));
        lane.set_direct(Some(Arc::new(socket)));
        clients.push(client);
        lanes.push(lane);
    }
    let mut run = UpdateRun::default();
    (0..3).for_each(|n| run.push(update(n)));
    for lane in &lanes {
        assert!(lane.send_run(run.of(Form::default()), false));
        lane.send_soon();
    }
    assert!(list.lock().is_served);
    for client in clients {
        assert_eq!(read(client, 3).await, [0, 1, 2]);
    }
    let is_done = || list.lock().lanes.is_empty() && !list.lock().is_served;
    while !is_done() {
        tokio::task::yield_now().await;
    }
    assert!(lanes.iter().all(|lane| lane.waiting() == 0));
}

/// A socket that takes only some of it is the writer's from there on, however the two meet: nothing is lost, doubled or
/// out of order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_and_writers_keep_the_order() {
    const MANY: usize = 5_000;
    let (client, socket) = pair().await;
    let lane = lane(None);
    let writer = tokio::spawn(write_out(lane.clone(), socket, None));
    let reading = tokio::spawn(read(client, MANY));
    let mut n = 0;
    while n < MANY {
        while !lane.has_room() {
            lane.send_soon();
            tokio::task::yield_now().await;
        }
        let mut run = UpdateRun::default();
        for n in n..(n + 1 + n % 5).min(MANY) {
            run.push(update(n));
        }
        n += run.updates().len();
        lane.send_run(run.of(Form::default()), false);
        match n % 3 {
            0 => lane.flush(),
            _ => lane.send_soon(),
        }
        if n % 11 == 0 {
            tokio::task::yield_now().await;
        }
    }
    lane.send_soon();
    lane.close();
    writer.await.unwrap();
    assert_eq!(reading.await.unwrap(), (0..MANY).collect::<Vec<_>>());
    assert_eq!((lane.waiting(), lane.killed()), (0, None));
}
