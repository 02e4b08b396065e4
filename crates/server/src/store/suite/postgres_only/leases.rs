//! Leases: of several servers on one database, each shard is delivered by one.

use std::time::Duration;

use super::{
    super::{
        Kind, World,
        actors::{APP, app, user},
        block_on,
    },
    WHO, another, database,
};
use crate::{
    chat::{Command, Lane, LogIn, Origin, SessionId, Settled, Settlement, Store, Tries},
    clock::Timestamp,
    cluster::{Renewal, Renewed, Shard, ShardSet},
    store::postgres::Postgres,
};

const LONG: Duration = Duration::from_secs(60);

/// Ends before anybody has asked again.
const SHORT: Duration = Duration::from_millis(1);

async fn renews(server: &Postgres, lease: Duration, hand_back: ShardSet) -> Renewed {
    let leases = server.leases().expect("servers share it");
    leases.renew(Renewal { lease, session_return: LONG, hand_back, tells: true }).await.expect("the store works")
}

async fn takes_over(server: &Postgres) -> Renewed {
    loop {
        let renewed = renews(server, LONG, ShardSet::EMPTY).await;
        if renewed.held == ShardSet::ALL {
            return renewed;
        }
    }
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c5_a_shard_is_held_by_one_server_and_each_gets_its_part() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let [first, second, third] = [(); 3].map(|()| another(&world, database(&world).address(), 1));
        let alone = renews(&first, LONG, ShardSet::EMPTY).await;
        assert_eq!((alone.held, alone.members, alone.surplus()), (ShardSet::ALL, 1, ShardSet::EMPTY));
        assert_eq!(renews(&second, LONG, ShardSet::EMPTY).await.held, ShardSet::EMPTY, "there is nothing free");
        renews(&third, LONG, ShardSet::EMPTY).await;

        let surplus = renews(&first, LONG, ShardSet::EMPTY).await.surplus();
        let rest = renews(&first, LONG, surplus).await;
        assert_eq!((rest.held, rest.surplus()), (ShardSet::ALL.without(&surplus), ShardSet::EMPTY));
        let second = renews(&second, LONG, ShardSet::EMPTY).await;
        let third = renews(&third, LONG, ShardSet::EMPTY).await;
        let held = [rest.held, second.held, third.held];
        let mut parts = held.map(|held| held.len());
        parts.sort_unstable();
        assert_eq!(parts, [85, 85, 86]);
        let all = held.iter().flat_map(ShardSet::iter).collect::<ShardSet>();
        assert_eq!(all, ShardSet::ALL, "so none is held twice");
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c5_what_a_server_held_that_is_silent_is_taken_over_and_it_knows_when_it_comes_back() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let [silent, other] = [(); 2].map(|()| another(&world, database(&world).address(), 1));
        let before = renews(&silent, SHORT, ShardSet::EMPTY).await;
        let taken = takes_over(&other).await;
        assert_eq!((before.held, taken.members), (ShardSet::ALL, 1));
        let after = renews(&silent, LONG, ShardSet::EMPTY).await;
        assert_eq!((after.held, after.term, after.members), (ShardSet::EMPTY, before.term + 1, 2));
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c5_a_server_that_was_silent_holds_nothing_of_before_even_if_nobody_took_it() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let silent = another(&world, database(&world).address(), 1);
        let before = renews(&silent, SHORT, ShardSet::EMPTY).await;
        let after = loop {
            let after = renews(&silent, SHORT, ShardSet::EMPTY).await;
            if after.term != before.term {
                break after;
            }
        };
        assert_eq!((after.held, after.term), (ShardSet::ALL, before.term + 1));
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c5_what_a_server_holds_is_free_as_soon_as_it_is_known_to_be_gone() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let [leaves, other] = [(); 2].map(|()| another(&world, database(&world).address(), 1));
        renews(&leaves, LONG, ShardSet::EMPTY).await;
        leaves.leases().expect("servers share it").end(leaves.member()).await.expect("the store works");
        let taken = renews(&other, LONG, ShardSet::EMPTY).await;
        assert_eq!((taken.held, taken.members), (ShardSet::ALL, 1));
    });
}

/// Alice writes to Bob. A server that delivered Bob's lane is silent, and comes back late.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c5_what_came_of_an_attempt_is_noted_for_who_holds_the_shard_alone() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        world.sent("alice", "bob", 1).await;
        let [late, holder] = [(); 2].map(|()| another(&world, database(&world).address(), 1));
        let lane = Lane::of_account(&user("bob"));
        renews(&late, SHORT, ShardSet::EMPTY).await;
        takes_over(&holder).await;
        let parked = Settlement::Parked { tries: Tries::default(), at: Timestamp(1), reason: "late".into() };
        for to in [parked, Settlement::Delivered] {
            let settled = Settled { app: APP, lane: lane.clone(), place: 1, to };
            late.settle(vec![settled]).await.expect("the store works");
            assert_eq!(world.lane("bob").await, [(1, 1, 0)], "it waits");
        }
        assert_eq!(world.backlog().await.parked, 0);
        let settled = Settled { app: APP, lane: lane.clone(), place: 1, to: Settlement::Delivered };
        holder.settle(vec![settled]).await.expect("the store works");
        assert_eq!(world.lane("bob").await, []);
        assert!(takes_over(&holder).await.held.contains(Shard::of(APP, &lane)));
    });
}

/// Bob's phone is connected to a server that is killed.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn sessions_of_a_server_that_is_gone_are_left_alone_until_they_had_time_to_come_back() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let [killed, other] = [(); 2].map(|()| another(&world, database(&world).address(), 1));
        let sessions = async |server: &Postgres| server.all_sessions(None, 10).await.expect("the store works").len();
        renews(&killed, LONG, ShardSet::EMPTY).await;
        let signed_s = u64::from(super::super::START_S) + 1;
        let log_in = LogIn {
            app: APP,
            user: user("bob"),
            session: SessionId("s_1".into()),
            resumes: None,
            signed_s,
            origin: Origin::LOCAL,
        };
        killed.commit(Command::LogIn(log_in)).await.expect("the store works").expect("it is allowed");
        assert_eq!((sessions(&killed).await, sessions(&other).await), (1, 0));

        other.leases().expect("servers share it").end(killed.member()).await.expect("the store works");
        let leases = other.leases().expect("servers share it");
        let renewal = |session_return| Renewal { lease: LONG, session_return, hand_back: ShardSet::EMPTY, tells: true };
        leases.renew(renewal(LONG)).await.expect("the store works");
        assert_eq!(sessions(&other).await, 0, "it has a minute");
        while sessions(&other).await == 0 {
            leases.renew(renewal(Duration::ZERO)).await.expect("the store works");
        }
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c9_every_server_hears_that_an_endpoint_is_back_and_that_an_app_was_changed() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let [first, second] = [(); 2].map(|()| another(&world, database(&world).address(), 1));
        let before = renews(&second, LONG, ShardSet::EMPTY).await;
        assert_eq!(before.back, []);
        for number in 1..=2 {
            first.leases().expect("servers share it").say_back(APP).await.expect("the store works");
            assert_eq!(renews(&second, LONG, ShardSet::EMPTY).await.back, [(APP, number)]);
        }
        world.with(app(APP), &[]).await;
        let after = renews(&second, LONG, ShardSet::EMPTY).await;
        assert!(after.settings_version > before.settings_version);
    });
}
