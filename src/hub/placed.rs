//! A client that the application's own service puts into a room, whatever its token says.

use std::{sync::Arc, time::Duration};

use super::{
    Hub, JoinReply, JoinRequest, Subscription,
    panics::{Recorder, options},
};
use crate::{
    access::{
        Identity,
        authz::{Filter, Permissions, Policy},
    },
    channel::Namespace,
    config::Rules,
    journal::{MemoryJournal, Retention},
    ledger::Ledger,
    observe::Metrics,
    update::{Table, TransformOptions, UpdateShape},
};

const ID: &str = "01a219d0-7c1f-7b3a-9d5e-0f1a2b3c4d5e";

#[tokio::test]
async fn a_client_stays_in_a_room_that_it_was_put_into() {
    let journal = MemoryJournal::new(Retention {
        max_events: 100,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 20,
    });
    let table = Table::new(TransformOptions::default());
    let (hub, handle, _) = Hub::new(options(), Arc::new(journal), table, Metrics::new());
    tokio::spawn(hub.run());
    let policy = Arc::new(Policy {
        rules: Rules::default(),
        ledger: Ledger::new(10).into(),
    });
    let permissions = Permissions::new(None, None, None, policy).unwrap();
    let chat = Namespace::declare("/hub.placed").unwrap();
    let request = JoinRequest {
        outlet: Arc::new(Recorder::default()),
        namespace: chat,
        client_id: ID.into(),
        user: None,
        subscription: Subscription::Filter(Filter::default()),
        permissions: permissions.clone(),
        batch: false,
        shape: UpdateShape::Full,
        silent: false,
    };
    let welcome = JoinReply {
        rooms: Vec::new(),
        own_rooms: vec![ID.into()],
        greeting: None,
        snapshot: false,
        state: Vec::new(),
        requested: std::time::Instant::now(),
        resume: None,
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
    assert_eq!(place(chat, ID, true).await, Err("unknown_room_type"));
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
