//! Receipts: the recipient acknowledges single messages (rule C1, rest 4.9).

use serde_json::json;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};

use super::{
    START, World,
    actors::{APP, Outcome, app, app_with, json as body_of, user},
};
use crate::chat::{Command, MessageFlags, Origin, Receipt, Sent};

const WHO: [&str; 3] = ["alice", "bob", "carol"];

fn receipt(reader: &str, peer: &str, messages: &[&Sent]) -> Receipt {
    let keys = messages.iter().map(|sent| sent.key).collect();
    Receipt { app: APP, reader: user(reader), peer: user(peer), keys, origin: Origin::LOCAL }
}

impl World {
    async fn receipt(&self, receipt: Receipt) -> Outcome {
        self.done(Command::Receipt(receipt)).await.map(drop)
    }

    /// The keys that bob has acknowledged, as alice sees them, oldest first.
    async fn acknowledged(&self) -> Vec<MsgKey> {
        let history = self.history("alice", "bob").await;
        let acknowledged = history.iter().filter(|message| message.flags.contains(MessageFlags::PEER_READ));
        acknowledged.map(|message| message.key).rev().collect()
    }
}

pub(super) async fn c1_a_receipt_tells_of_what_is_newly_acknowledged(mut world: World) {
    world.with(app_with(|app| app.callback.commands = [CallbackCommand::AfterMsgReadReceipt].into()), &WHO).await;
    let (one, two) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    assert_eq!(world.receipt(receipt("bob", "alice", &[&one])).await, Ok(()));
    world.deliver_all().await;
    world.reopen().await;
    assert_eq!(world.acknowledged().await, [one.key]);
    assert_eq!(world.receipt(receipt("bob", "alice", &[&one, &one])).await, Ok(()));
    assert!(world.owed().await.is_empty(), "nothing of it is new");

    world.clock.shift(2500);
    assert_eq!(world.receipt(receipt("bob", "alice", &[&two, &one, &two])).await, Ok(()));
    assert_eq!(world.acknowledged().await, [one.key, two.key]);
    let event = world.only_owed().await;
    assert_eq!(event.lane.0, "bob", "C5: the lane of who sent the receipt");
    assert_eq!(
        body_of(&event),
        json!({
            "CallbackCommand": "C2C.CallbackAfterMsgReadReceipt", "Operator_Account": "bob", "Peer_Account": "alice",
            "C2CMsgInfo": [{"From_Account": "alice", "To_Account": "bob", "MsgKey": two.key.to_string(), "MsgId": two.id}],
            "EventTime": START.0 + 2500,
        })
    );
    assert_eq!(world.unread("bob").await, 2, "a receipt is no read report");
}

pub(super) async fn r2_a_receipt_is_refused_as_a_whole_and_changes_nothing(world: World) {
    world.with(app(APP), &WHO).await;
    let (one, other) = (world.sent("alice", "bob", 1).await, world.sent("bob", "alice", 2).await);
    let before = world.everything(&WHO).await;
    for (receipt, expected) in [
        (receipt("nobody", "no one", &[&one]), 90008),
        (receipt("bob", "no one", &[&one]), 90003),
        (receipt("bob", "carol", &[&one]), 20022),
        // Only who has received a message acknowledges it.
        (receipt("alice", "bob", &[&one]), 20022),
        (receipt("bob", "alice", &[&one, &other]), 20022),
    ] {
        assert_eq!(world.receipt(receipt.clone()).await, Err(expected), "{receipt:?}");
    }
    assert_eq!(world.everything(&WHO).await, before);
}

pub(super) async fn c1_a_message_to_oneself_can_be_acknowledged(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("bob", "bob", 1).await;
    world.deliver_all().await;
    for _ in 0..2 {
        assert_eq!(world.receipt(receipt("bob", "bob", &[&sent])).await, Ok(()));
    }
    world.reopen().await;
    assert_eq!(world.only_owed().await.command, CallbackCommand::AfterMsgReadReceipt);
}
