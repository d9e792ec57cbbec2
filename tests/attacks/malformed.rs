//! Packets and payloads that no client would send: each is answered or closes its own session, and nothing else.

use std::net::SocketAddr;

use kit::{
    PATIENCE,
    raw::{Raw, assert_served, http, text, until_connections},
    server,
};

/// Opens a session by polling; its id.
pub async fn poll(address: SocketAddr, version: u8) -> String {
    let head = format!("GET /socket.io/?EIO={version}&transport=polling HTTP/1.1");
    let (status, _, body) = http(address, &head, b"").await;
    assert_eq!(status, 200);
    let body = String::from_utf8(body).expect("text");
    let at = body.find("\"sid\":\"").expect("a session") + 7;
    body[at..].split('"').next().expect("its end").to_owned()
}

/// Packets that no client sends, behind the engine's "message" or instead of it.
const PACKETS: &[&str] = &[
    "",
    "4",
    "5",
    "6",
    "7",
    "9",
    "b",
    "x",
    "44",
    "4{",
    "40{",
    "40[",
    "40/",
    "40/,",
    "40/\u{0},",
    "40nonsense",
    "40{\"a\":",
    "40/admin",
    "41",
    "41/nowhere,",
    "42",
    "42[",
    "42[]",
    "42{}",
    "42[1]",
    "42[null]",
    "42[[]]",
    "42[{}]",
    "42\"ping\"",
    "42[\"ping\"",
    "42[\"ping\"]]",
    "42[\"ping\",]",
    "42[\"\\ud800\"]",
    "42[\"\\u0000lane\",0]",
    "42-1[\"ping\"]",
    "4299999999999999999999[\"ping\"]",
    "42/nowhere,[\"ping\"]",
    "42/,[\"ping\"]",
    "43",
    "43[]",
    "430[]",
    "4399[1]",
    "43-1[]",
    "44{}",
    "45",
    "46",
    "47",
    "48[\"x\"]",
    "2",
    "2probe",
    "3",
    "3probe",
    "1",
    "0",
    "0{}",
    "\u{0}",
    "\u{1e}",
    "4\u{1e}4",
    "42[\"publish\"]",
    "42[\"publish\",null,null]",
    "42[\"join_room\",{\"room\":{\"room\":1}}]",
    "4\u{feff}2[\"ping\"]",
    "42\u{e9}[\"ping\"]",
    "451-\u{e9}",
    "42[\"resume\",{\"cursor\":\"\u{0}\"}]",
    "42[\"subscribe\",{\"filters\":{\"types\":[\"[[[[\"]}}]",
];

/// Row 9. Over a WebSocket, before CONNECT and after it.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_disturb_nobody_else() {
    let server = server().await;
    let address = server.address();
    let mut good = Raw::join(address).await;
    for packet in PACKETS {
        for joined in [false, true] {
            let mut raw = if joined {
                Raw::join(address).await
            } else {
                Raw::open(address).await
            };
            raw.send(&text(packet)).await.unwrap();
            // Behind it something that is answered, or the connection ends: either way it was dealt with.
            raw.send(&text("40")).await.ok();
            raw.send(&text("42/,7[\"ping\"]")).await.ok();
            raw.send(&text("1")).await.ok();
            raw.end().await;
        }
        good.send(&text("421[\"ping\"]")).await.unwrap();
        good.wait_for("431[").await;
    }
    until_connections(address, 1).await;
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 9. The same by polling, with both protocols, and payloads that are wrong as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_payloads_are_answered() {
    let server = server().await;
    let address = server.address();
    let wrong_as_a_whole: &[&[u8]] = &[
        b"\xff\xfe\x00",
        b"\x1e\x1e\x1e",
        b"b!!!!",
        b"bAAAA",
        b"999999999999:4",
        b"-1:4",
        b"1:",
        b":",
        b"5:4",
        b"0:0:0:",
        b"\x00\x09\xff4",
        b"\x00\xff",
        b"\x01\x01\xff\x04",
        b"\x00\x09\x09\x09\x09\x09\x09\xff4",
    ];
    for version in [3, 4] {
        for payload in PACKETS
            .iter()
            .map(|p| p.as_bytes())
            .chain(wrong_as_a_whole.iter().copied())
        {
            let sid = poll(address, version).await;
            let framed = if version == 3 {
                [format!("{}:", payload.len()).as_bytes(), payload].concat()
            } else {
                payload.to_vec()
            };
            for (body, media) in [
                (&framed[..], "text/plain;charset=UTF-8"),
                (payload, "application/octet-stream"),
            ] {
                let head = format!(
                    "POST /socket.io/?EIO={version}&transport=polling&sid={sid} HTTP/1.1\r\nContent-Type: {media}"
                );
                let (status, ..) = http(address, &head, body).await;
                assert!(
                    status == 200 || (400..500).contains(&status),
                    "{status} to {:?}",
                    String::from_utf8_lossy(body)
                );
            }
        }
    }
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 8. A thousand binary bodies of garbage: all are answered, none is held open.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_binary_posts_of_garbage_are_all_answered() {
    const POSTS: usize = 1_000;
    const AT_ONCE: usize = 10;
    let server = server().await;
    let address = server.address();
    let mut attackers = Vec::new();
    for n in 0..AT_ONCE {
        attackers.push(tokio::spawn(async move {
            let sid = poll(address, if n % 2 == 0 { 4 } else { 3 }).await;
            let mut answers = 0;
            for i in 0..POSTS / AT_ONCE {
                // Half of them on a session that is there, half on none.
                let sid = if i % 2 == 0 { sid.as_str() } else { "AAAAAAAAAAAAAAAA" };
                let body: Vec<u8> = (0..200).map(|b| ((b * 31 + i * 7 + n) % 256) as u8).collect();
                let head = format!(
                    "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nContent-Type: application/octet-stream"
                );
                let (status, ..) = http(address, &head, &body).await;
                // A session that is on a namespace is told there.
                assert!(status == 200 || (400..500).contains(&status), "{status}");
                answers += 1;
            }
            let head = format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1");
            http(address, &head, b"1").await;
            answers
        }));
    }
    let mut answers = 0;
    for attacker in attackers {
        answers += tokio::time::timeout(PATIENCE, attacker)
            .await
            .expect("all answered")
            .unwrap();
    }
    assert_eq!(answers, POSTS);
    assert_served(address).await;
    // Nothing is left of them.
    until_connections(address, 0).await;
    server.shutdown().await;
}
