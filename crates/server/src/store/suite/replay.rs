//! Sending events again, and what is counted and kept of them: rules C6, C8, C9, C11.

use unsaid_protocol::callback::CallbackCommand;

use super::{
    START, World,
    actors::{APP, app, app_with, by_admin, message, name, parked, settled, user},
};
use crate::{
    apps::LaneBy,
    chat::{
        Backlog, Command, Done, EventId, Lane, OwedEvent, ParkedFilter, Replay, Replayed, Settlement, Standing, Tries,
        What,
    },
    clock::Timestamp,
    limits,
};

const WHO: [&str; 3] = ["alice", "bob", "x y"];

fn all_parked() -> What {
    What::Parked { filter: ParkedFilter::default(), after: None }
}

fn delivered_since(since: Timestamp) -> What {
    What::Delivered { since, rows: None }
}

impl World {
    async fn replay_piece(&self, what: What) -> Result<Replayed, i32> {
        let done = self.done(Command::Replay(Replay { app: APP, what })).await?;
        let Done::Replayed(replayed) = done else { panic!("a replay says what it has done: {done:?}") };
        Ok(replayed)
    }

    /// All pieces of it.
    async fn replay(&self, what: What) -> u32 {
        let (mut count, mut next) = (0, Some(what));
        while let Some(what) = next {
            let piece = self.replay_piece(what).await.expect("there is room");
            assert_eq!(piece.skipped, 0);
            (count, next) = (count + piece.count, piece.next);
        }
        count
    }

    /// Recalls, whose events hold no text, by alice of messages to bob; answers their events.
    async fn recalls(&self, numbers: std::ops::RangeInclusive<u32>) -> Vec<OwedEvent> {
        for number in numbers {
            let sent = self.sent("alice", "bob", number).await;
            self.recall(by_admin(name("alice", "bob", &sent))).await.expect("it is recalled");
        }
        self.owed().await
    }

    async fn park_all(&self) -> Vec<OwedEvent> {
        let owed = self.owed().await;
        self.settle(owed.iter().map(parked).collect()).await;
        owed
    }

    async fn parked(&self, filter: ParkedFilter) -> Vec<EventId> {
        let piece = self.store.parked(APP, filter, None, 1000).await.expect("the store works");
        piece.events.into_iter().map(|event| event.id).collect()
    }
}

/// Only the switch of the recall is on.
fn recalls_only() -> crate::apps::App {
    app_with(|app| app.callback.commands = [CallbackCommand::AfterMsgWithDraw].into())
}

pub(super) async fn c6_a_replay_keeps_id_body_and_number_and_goes_to_the_end_of_its_lane(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=3 {
        world.sent("alice", "bob", number).await;
    }
    let owed = world.owed().await;
    world.settle(vec![parked(&owed[0])]).await;
    world.hinted();
    world.wait_s(60);
    assert_eq!(world.replay(all_parked()).await, 1);
    let hinted = world.hinted();
    world.reopen().await;
    let events = world.owed().await;
    let replayed = &events[2];
    assert_eq!((&replayed.id, &replayed.body, replayed.number), (&owed[0].id, &owed[0].body, 1));
    assert_eq!((replayed.place, replayed.replay, replayed.tries), (4, true, Tries::default()));
    assert_eq!((replayed.created, replayed.age_from), (START, START.plus(std::time::Duration::from_secs(60))));
    assert_eq!(hinted, events[2..], "the dispatcher is told of it as of a new one");
    assert_eq!(world.counts().await, (3, 0));
}

pub(super) async fn c6_nothing_follows_a_replay(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "bob", 1).await;
    world.park_all().await;
    world.sent("alice", "bob", 2).await;
    assert_eq!(world.replay(all_parked()).await, 1);
    world.sent("alice", "bob", 3).await;
    world.reopen().await;
    // Place, number, and what it follows: the first one was parked, so the second follows nothing.
    assert_eq!(world.lane("bob").await, [(2, 2, 0), (3, 1, 2), (4, 4, 2)]);
}

pub(super) async fn c6_a_replay_that_is_parked_again_mends_nothing(mut world: World) {
    world.with(app_with(|app| app.lane = LaneBy::Conversation), &WHO).await;
    world.sent("alice", "bob", 1).await;
    world.sent("alice", "bob", 2).await;
    let owed = world.owed().await;
    world.settle(vec![parked(&owed[0]), settled(&owed[1], Settlement::Delivered)]).await;
    world.replay(all_parked()).await;
    world.sent("alice", "bob", 3).await;
    let replayed = world.owed().await.remove(0);
    world.settle(vec![parked(&replayed)]).await;
    world.reopen().await;
    assert_eq!(world.lane("alice\tbob").await, [(4, 4, 2)]);
    // And an event that is parked before a replay mends who comes behind that.
    world.replay(all_parked()).await;
    let fourth = world.owed().await.remove(0);
    world.sent("alice", "bob", 4).await;
    world.settle(vec![parked(&fourth)]).await;
    assert_eq!(world.lane("alice\tbob").await, [(5, 1, 4), (6, 6, 2)]);
}

pub(super) async fn c6_parked_events_are_replayed_one_by_one_by_filter_or_all(world: World) {
    world.with(app(APP), &WHO).await;
    for to in ["bob", "x y"] {
        let sent = world.sent("alice", to, 1).await;
        world.recall(by_admin(name("alice", to, &sent))).await.expect("it is recalled");
    }
    let owed = world.park_all().await;
    let by = |filter: ParkedFilter| What::Parked { filter, after: None };
    let one = ParkedFilter { id: Some(owed[2].id.clone()), ..ParkedFilter::default() };
    let of_bob = ParkedFilter { lane: Some(Lane::of_account(&user("bob"))), ..ParkedFilter::default() };
    let recalls = ParkedFilter { command: Some(CallbackCommand::AfterMsgWithDraw), ..ParkedFilter::default() };
    let later = ParkedFilter { since: Some(Timestamp(START.0 + 1)), ..ParkedFilter::default() };
    assert_eq!(world.parked(one.clone()).await, [owed[2].id.clone()]);
    assert_eq!(world.parked(of_bob.clone()).await, [owed[0].id.clone(), owed[1].id.clone()]);
    assert_eq!(world.parked(recalls.clone()).await, [owed[1].id.clone(), owed[3].id.clone()]);
    assert!(world.parked(later.clone()).await.is_empty());
    assert_eq!(world.replay(by(later)).await, 0);
    assert_eq!(world.replay(by(one)).await, 1);
    assert_eq!(world.replay(by(recalls)).await, 2);
    assert_eq!(world.counts().await, (3, 1));
    assert_eq!(world.replay(by(of_bob)).await, 1);
    assert_eq!(world.replay(all_parked()).await, 0);
}

pub(super) async fn c6_what_is_parked_again_meanwhile_is_not_replayed_for_ever(world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "bob", 1).await;
    world.park_all().await;
    let before = ParkedFilter { until: Some(Timestamp(START.0 - 1)), ..ParkedFilter::default() };
    assert!(world.parked(before.clone()).await.is_empty());
    assert_eq!(world.replay(What::Parked { filter: before, after: None }).await, 0);
    let by_now = ParkedFilter { until: Some(START), ..ParkedFilter::default() };
    assert_eq!(world.replay(What::Parked { filter: by_now, after: None }).await, 1);
}

pub(super) async fn c6_many_are_replayed_in_pieces(world: World) {
    world.with(app(APP), &WHO).await;
    let many = limits::REPLAY_PIECE_EVENTS + 7;
    for number in 1..=many {
        world.sent("alice", if number % 2 == 0 { "bob" } else { "x y" }, number).await;
    }
    world.park_all().await;
    let piece = world.replay_piece(all_parked()).await.expect("there is room");
    assert_eq!(piece.count, limits::REPLAY_PIECE_EVENTS);
    assert_eq!(world.replay(piece.next.expect("there are more")).await, 7);
    assert_eq!(world.counts().await, (u64::from(many), 0));
    for lane in ["bob", "x y"] {
        let numbers: Vec<_> = world.lane(lane).await.iter().map(|(_, number, _)| *number).collect();
        assert!(numbers.is_sorted(), "they keep their order: {numbers:?}");
    }
}

pub(super) async fn c9_what_was_delivered_is_sent_again_from_a_time_on(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.recalls(1..=2).await;
    world.deliver_all().await;
    world.wait_s(10);
    let later = world.clock.now();
    world.recalls(3..=4).await;
    world.read("bob", "alice", None).await.expect("it is read");
    let owed = world.owed().await;
    world.deliver_all().await;
    world.reopen().await;
    assert_eq!(world.replay(delivered_since(later)).await, 3, "sends hold text, and are not kept");
    let again: Vec<_> = world.owed().await.into_iter().map(|event| (event.id, event.body, event.replay)).collect();
    let expected: Vec<_> = owed.into_iter().filter(|event| !event.command.holds_text()).collect();
    assert_eq!(again, expected.into_iter().map(|event| (event.id, event.body, true)).collect::<Vec<_>>());
    world.deliver_all().await;
    assert_eq!(world.replay(delivered_since(START)).await, 5);
    assert_eq!(world.replay(delivered_since(Timestamp(later.0 + 1))).await, 0);
}

pub(super) async fn c9_what_waits_or_is_parked_is_not_sent_again_as_delivered(world: World) {
    world.with(recalls_only(), &WHO).await;
    let owed = world.recalls(1..=3).await;
    world.settle(vec![settled(&owed[0], Settlement::Delivered), parked(&owed[1])]).await;
    assert_eq!(world.replay(delivered_since(START)).await, 1);
    assert_eq!(world.replay(delivered_since(START)).await, 0, "its replay waits");
    let replayed = world.owed().await.pop().expect("it is the last of the lane");
    world.settle(vec![parked(&replayed)]).await;
    assert_eq!(world.replay(delivered_since(START)).await, 0, "its replay is parked");
}

pub(super) async fn c9_delivered_events_are_forgotten_after_a_while(world: World) {
    world.with(recalls_only(), &WHO).await;
    let owed = world.recalls(1..=4).await;
    world
        .settle(vec![
            settled(&owed[0], Settlement::Delivered),
            parked(&owed[1]),
            settled(&owed[3], Settlement::Delivered),
        ])
        .await;
    assert_eq!(world.replay(delivered_since(START)).await, 2);
    let first = world.owed().await.into_iter().find(|event| event.id == owed[0].id).expect("it waits again");
    world.settle(vec![settled(&first, Settlement::Delivered)]).await;
    let prune = |before| world.store.prune_events(before, 0);
    assert_eq!(prune(START).await.expect("the store works").erased, 0, "they are not that old");
    assert_eq!(prune(Timestamp(START.0 + 1)).await.expect("the store works").erased, 1);
    assert_eq!(
        prune(Timestamp(START.0 + 1)).await.expect("the store works").erased,
        0,
        "what waits or is parked stays"
    );
    assert_eq!(world.counts().await, (2, 1));
    assert_eq!(world.replay(all_parked()).await, 1);
    assert_eq!(world.owed().await.len(), 3);
}

pub(super) async fn c9_with_a_full_backlog_nothing_more_is_owed_and_nothing_is_changed(mut world: World) {
    world.with(app_with(|app| app.callback.backlog_events_max = 4), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    world.sent("alice", "bob", 2).await;
    world.recall(by_admin(name("alice", "bob", &first))).await.expect("there is room");
    world.sent("alice", "bob", 3).await;
    world.reopen().await;
    let before = world.everything(&WHO).await;
    assert_eq!(world.send(message("alice", "bob", 4)).await.map(drop), Err(90992));
    let second = crate::chat::Sent { key: world.history("bob", "alice").await[1].key, id: String::new() };
    assert_eq!(world.recall(by_admin(name("alice", "bob", &second))).await, Err(90992));
    assert_eq!(world.read("bob", "alice", None).await, Err(90992));
    assert_eq!(world.replay_piece(all_parked()).await, Err(90992));
    assert_eq!(world.everything(&WHO).await, before);
    // What owes nothing goes on, and so does everything once there is room.
    let mut quiet = message("alice", "bob", 5);
    quiet.forbidden_callbacks = vec![CallbackCommand::AfterSendMsg];
    assert!(world.send(quiet).await.is_ok());
    world.deliver_all().await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
}

pub(super) async fn c9_the_event_that_waits_longest_is_found(world: World) {
    world.with(app(APP), &WHO).await;
    let oldest =
        async |after: Option<Lane>, lanes| world.store.oldest(APP, after, lanes).await.expect("the store works");
    assert_eq!(oldest(None, 10).await.since, None);
    world.sent("alice", "x y", 1).await;
    world.wait_s(5);
    world.sent("alice", "bob", 1).await;
    world.wait_s(5);
    world.sent("alice", "alice", 1).await;
    assert_eq!(oldest(None, 10).await.since, Some(START));
    assert_eq!(oldest(None, 10).await.next, None);
    let part = oldest(None, 2).await;
    assert_eq!(part.since, Some(START.plus(std::time::Duration::from_secs(5))));
    assert_eq!(oldest(part.next, 2).await.since, Some(START));
    assert_eq!(world.backlog().await, Backlog { waiting: 3, waiting_bytes: world.owed_bytes().await, parked: 0 });
}

pub(super) async fn c8_an_event_tells_where_it_stands(world: World) {
    world.with(app(APP), &WHO).await;
    let owed = world.recalls(1..=2).await;
    let standing = async |event: &OwedEvent| {
        let kept = world.store.event(APP, event.id.clone()).await.expect("the store works");
        kept.map(|kept| kept.standing)
    };
    let tries = Tries { attempts: 2, refusals: 1, unavailable_since: Some(START) };
    let again = Settlement::DueAgain { tries, due: Timestamp(7) };
    world.settle(vec![settled(&owed[0], again), parked(&owed[1]), settled(&owed[3], Settlement::Delivered)]).await;
    assert_eq!(standing(&owed[0]).await, Some(Standing::Waiting { place: 1, tries, due: Timestamp(7) }));
    let aside = Standing::Parked { place: 2, attempts: 3, at: START, reason: "refused".into() };
    assert_eq!(standing(&owed[1]).await, Some(aside));
    assert_eq!(standing(&owed[3]).await, Some(Standing::Delivered));
    world.settle(vec![settled(&owed[2], Settlement::Delivered)]).await;
    assert_eq!(standing(&owed[2]).await, None, "it held text, and is gone");
    world.replay(delivered_since(START)).await;
    assert!(matches!(standing(&owed[3]).await, Some(Standing::Waiting { place: 5, .. })));
    let unknown = EventId("evt_01mcc5s896naavq72pkvnhwn7r".to_owned());
    assert_eq!(world.store.event(APP, unknown).await, Ok(None));
}

pub(super) async fn c11_parked_events_survive(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.recalls(1..=3).await;
    let owed = world.park_all().await;
    world.reopen().await;
    let parked = async |after: Option<(Lane, i64)>, events_max| {
        world.store.parked(APP, ParkedFilter::default(), after, events_max).await.expect("the store works")
    };
    let all = parked(None, 1000).await;
    assert_eq!(all.next, None);
    let kept = all.events;
    let seen: Vec<_> = kept.iter().map(|kept| (kept.id.clone(), kept.body.clone(), kept.number)).collect();
    assert_eq!(seen, owed.iter().map(|event| (event.id.clone(), event.body.clone(), event.number)).collect::<Vec<_>>());
    let page = parked(None, 2).await;
    let rest = parked(page.next, 1000).await;
    assert_eq!([page.events, rest.events].concat(), kept);
}
