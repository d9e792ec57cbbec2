//! A client that the application's own service puts into a room, whatever its token says.

use std::{sync::Arc, time::Duration};

use super::{
    Hub, HubHandle, HubOptions, JoinReply, JoinRequest,
    testing::{Recorder, options, reply, request},
};
use crate::{
    access::{
        Identity,
        authz::{Permissions, Policy},
    },
    channel::Namespace,
    config::Rules,
    journal::{MemoryJournal, Retention},
    ledger::Ledger,
    observe::Metrics,
    update::{Table, TransformOptions},
};

const ID: &str = "01a219d0-7c1f-7b3a-9d5e-0f1a2b3c4d5e";

/// A hub at work over an empty journal.
fn started(options: HubOptions) -> HubHandle {
    let journal = MemoryJournal::new(Retention {
        max_events: 100,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 20,
    });
    let table = Table::new(TransformOptions::default());
    let (hub, handle, _) = Hub::new(options, Arc::new(journal), table, Metrics::new());
    tokio::spawn(hub.run());
    handle
}

#[tokio::test]
async fn a_client_stays_in_a_room_that_it_was_put_into() {
    let handle = started(options());
    let policy = Arc::new(Policy {
        rules: Rules::default(),
        ledger: Ledger::new(10).into(),
    });
    let permissions = Permissions::new(None, None, None, policy).unwrap();
    let chat = Namespace::declare("/hub.placed").unwrap();
    let request = JoinRequest {
        namespace: chat,
        permissions: permissions.clone(),
        ..request(Arc::new(Recorder::default()), ID)
    };
    let welcome = JoinReply {
        own_rooms: vec![ID.into()],
        ..reply()
    };
    let membership = handle.join(request, welcome).await.unwrap();
    let place = async |namespace, room: &str, on| {
        let whom = (namespace, ID.into());
        let placed = handle.place(whom, room.to_owned(), on).await;
        placed.map_err(|refusal| refusal.code)
    };
    assert_eq!(place(chat, "lobby", true).await, Ok(1));
    assert_eq!(
        place(Namespace::Root, "lobby", true).await,
        Err("not_found")
    );
    assert_eq!(
        place(chat, "(operators)", true).await,
        Err("unknown_room_type")
    );
    for on in [true, false] {
        assert_eq!(place(chat, ID, on).await, Err("unknown_room_type"));
    }
    // The client joined another room by itself; its next token allows neither.
    let rooms = vec!["other".to_owned()];
    handle.join_rooms(membership.id(), rooms).await.unwrap();
    let who = Identity {
        token: Some("t".into()),
        permissions,
        ..Identity::default()
    };
    let lost = handle
        .reidentify(membership.id(), who.clone(), Vec::new())
        .await;
    assert_eq!(lost.unwrap(), [Arc::<str>::from("other")]);
    assert_eq!(place(chat, "lobby", false).await, Ok(0));
    assert_eq!(
        handle
            .join_rooms(membership.id(), vec!["lobby".into()])
            .await
            .unwrap(),
        1
    );
    // Taken out and come again by itself, it is there by its own right only.
    let lost = handle.reidentify(membership.id(), who, Vec::new()).await;
    assert_eq!(lost.unwrap(), [Arc::<str>::from("lobby")]);
    handle.stop().await;
}

/// Strangers fill neither a room nor the server for those whom the service puts somewhere.
#[tokio::test]
async fn the_service_has_room_where_strangers_have_none() {
    let options = HubOptions {
        max_room_size: 1,
        max_free: (8, 1 << 20),
        ..options()
    };
    let handle = started(options);
    let enter = async |client_id: &str| {
        let welcome = JoinReply {
            own_rooms: vec![client_id.into()],
            ..reply()
        };
        let request = request(Arc::new(Recorder::default()), client_id);
        handle.join(request, welcome).await.unwrap()
    };
    let stranger = enter("01a219d0-7c1f-7b3a-9d5e-0f1a2b3c4d5f").await;
    let _placed = enter(ID).await;
    let join = async |room: &str| {
        let joined = handle.join_rooms(stranger.id(), vec![room.to_owned()]);
        joined.await.map_err(|refusal| refusal.code)
    };
    let place = async |room: &str| {
        let placed = handle.place((Namespace::Root, ID.into()), room.to_owned(), true);
        placed.await.map_err(|refusal| refusal.code)
    };
    for n in 0..7 {
        assert_eq!(join(&format!("room {n}")).await, Ok(1));
    }
    assert_eq!(join("room 7").await, Err("overloaded"), "the last eighth");
    assert_eq!(place("room 0").await, Ok(2), "a full one");
    assert_eq!(place("of the service").await, Ok(1));
    assert_eq!(join("of the service").await, Err("room_full"));
    assert_eq!(
        place("another").await,
        Err("overloaded"),
        "all eight are there"
    );
    handle.stop().await;
}
