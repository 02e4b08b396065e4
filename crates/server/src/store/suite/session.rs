//! Sessions begin and end, and the app backend hears of it (rules C1 and C9, callbacks 4.9).

use unsaid_protocol::callback::{CallbackCommand, Platform};

use super::{
    START_S, World,
    actors::{APP, Outcome, app, app_with, json, settled, user},
};
use crate::{
    apps::App,
    chat::{
        Command, DeleteAccount, Done, EndReason, Kick, Leaving, LogIn, LogOut, LoggedIn, Origin, RequestId, SessionId,
        Settlement,
    },
};

/// An app that hears of states alone.
fn hears_of_states() -> App {
    app_with(|app| app.callback.commands = [CallbackCommand::StateChange].into())
}

fn id(name: &str) -> SessionId {
    SessionId(name.into())
}

fn log_in(who: &str, session: &str, platform: Platform) -> LogIn {
    let origin = Origin { platform, ..Origin::LOCAL };
    let signed_s = u64::from(START_S) + 1;
    LogIn { app: APP, user: user(who), session: id(session), resumes: None, signed_s, origin }
}

impl World {
    async fn log_in(&self, log_in: LogIn) -> Outcome<LoggedIn> {
        let done = self.done(Command::LogIn(log_in)).await?;
        let Done::LoggedIn(logged_in) = done else { panic!("a login says what it has found: {done:?}") };
        Ok(logged_in)
    }

    async fn log_out(&self, who: &str, session: &str, how: Leaving) {
        let log_out = LogOut { app: APP, user: user(who), session: id(session), how, request: RequestId::NONE };
        self.done(Command::LogOut(log_out)).await.expect("a session ends");
    }

    async fn session_names(&self, who: &str) -> Vec<String> {
        let sessions = self.store.sessions(APP, vec![user(who)]).await.expect("the store works");
        sessions[0].iter().map(|session| session.id.to_string()).collect()
    }

    /// Platform, action, reason and displaced platforms of what is owed.
    async fn states(&self) -> Vec<String> {
        let states = self.owed().await.into_iter().map(|event| {
            assert_eq!(event.command, CallbackCommand::StateChange);
            let body = json(&event);
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let kicked = body["KickedDevice"].as_array().cloned().unwrap_or_default();
            let kicked: Vec<_> = kicked.iter().map(|device| text(&device["Platform"])).collect();
            let (action, reason) = (text(&body["Info"]["Action"]), text(&body["Info"]["Reason"]));
            let platform = event.origin.platform.as_str();
            format!("{} {platform} {action} {reason} {}", text(&body["Info"]["To_Account"]), kicked.join(" "))
                .trim_end()
                .to_owned()
        });
        states.collect()
    }
}

pub(super) async fn c1_a_login_is_told_and_makes_an_account(mut world: World) {
    world.with(hears_of_states(), &[]).await;
    let logged_in = world.log_in(log_in("alice", "s_1", Platform::Ios)).await.expect("she may");
    assert_eq!((logged_in.account.sync_number, logged_in.ended), (0, vec![]));
    world.reopen().await;
    assert_eq!(world.store.unread(APP, user("alice")).await, Ok(Some(0)), "her account is there");
    assert_eq!(world.session_names("alice").await, ["s_1"]);
    assert_eq!(world.states().await, ["alice iOS Login Register"]);
}

pub(super) async fn c1_a_login_displaces_those_of_its_platform(world: World) {
    let mut settings = hears_of_states();
    settings.sessions_per_platform = 2;
    world.with(settings, &[]).await;
    for (number, platform) in [Platform::Web, Platform::Ios, Platform::Web].into_iter().enumerate() {
        world.clock.shift(1);
        let logged_in = world.log_in(log_in("alice", &format!("s_{number}"), platform)).await.expect("she may");
        assert_eq!(logged_in.ended, []);
    }
    world.clock.shift(1);
    let logged_in = world.log_in(log_in("alice", "s_3", Platform::Web)).await.expect("she may");
    assert_eq!(logged_in.ended, [(id("s_0"), EndReason::OtherLogin)], "the one that logged in first");
    assert_eq!(world.session_names("alice").await, ["s_1", "s_2", "s_3"]);
    assert_eq!(world.states().await.last().expect("four"), "alice Web Login Register Web");
    // What was displaced leaves no second trace.
    world.log_out("alice", "s_0", Leaving::LinkClosed).await;
    assert_eq!(world.states().await.len(), 4);
}

pub(super) async fn c1_whoever_comes_back_displaces_nobody(world: World) {
    world.with(hears_of_states(), &["bob"]).await;
    world.log_in(log_in("alice", "s_1", Platform::Web)).await.expect("she may");
    let again = LogIn { resumes: Some(id("s_1")), ..log_in("alice", "s_2", Platform::Web) };
    assert_eq!(world.log_in(again).await.expect("she may").ended, [(id("s_1"), EndReason::Resumed)]);
    assert_eq!(world.states().await, ["alice Web Login Register", "alice Web Login Register"]);
    // Somebody else's session is not ended by its name.
    let foreign = LogIn { resumes: Some(id("s_2")), ..log_in("bob", "s_3", Platform::Web) };
    assert_eq!(world.log_in(foreign).await.expect("he may").ended, []);
    assert_eq!(world.session_names("alice").await, ["s_2"]);
}

pub(super) async fn c1_whoever_comes_back_too_late_displaces_nobody(mut world: World) {
    world.with(hears_of_states(), &[]).await;
    world.log_in(log_in("alice", "s_1", Platform::Web)).await.expect("she may");
    world.log_in(log_in("alice", "s_2", Platform::Web)).await.expect("she may, and displaces the first");
    world.reopen().await;
    let late = LogIn { resumes: Some(id("s_1")), ..log_in("alice", "s_3", Platform::Web) };
    assert_eq!(world.log_in(late.clone()).await.expect_err("it was displaced"), 6208);
    assert_eq!(world.session_names("alice").await, ["s_2"]);
    // On another platform there is room, and here, too, once the other one has gone.
    let phone = LogIn { resumes: Some(id("s_0")), ..log_in("alice", "s_4", Platform::Ios) };
    assert_eq!(world.log_in(phone).await.expect("she may").ended, []);
    world.log_out("alice", "s_2", Leaving::LinkClosed).await;
    assert_eq!(world.log_in(late).await.expect("she may").ended, []);
}

pub(super) async fn c1_whoever_has_not_heard_the_answer_comes_back_as_often_as_it_takes(mut world: World) {
    world.with(hears_of_states(), &[]).await;
    world.log_in(log_in("alice", "s_1", Platform::Web)).await.expect("she may");
    let back = |session: &str| LogIn { resumes: Some(id("s_1")), ..log_in("alice", session, Platform::Web) };
    world.log_in(back("s_2")).await.expect("she may");
    // She was not told of s_2, and knows s_1 only.
    world.reopen().await;
    assert_eq!(world.log_in(back("s_3")).await.expect("she may").ended, [(id("s_2"), EndReason::Resumed)]);
    assert_eq!(world.log_in(back("s_4")).await.expect("she may").ended, [(id("s_3"), EndReason::Resumed)]);
    assert_eq!(world.session_names("alice").await, ["s_4"]);
}

pub(super) async fn c1_the_end_of_a_session_is_told_once(mut world: World) {
    world.with(hears_of_states(), &[]).await;
    for (how, words) in [
        (Leaving::LoggedOut, "Logout Unregister"),
        (Leaving::LinkClosed, "Disconnect LinkClose"),
        (Leaving::TimedOut, "Disconnect TimeOut"),
    ] {
        world.log_in(log_in("alice", "s_1", Platform::Mac)).await.expect("she may");
        world.deliver_all().await;
        for _ in 0..2 {
            world.log_out("alice", "s_1", how).await;
        }
        world.reopen().await;
        assert_eq!(world.states().await, [format!("alice Mac {words}")]);
        assert!(world.session_names("alice").await.is_empty());
        world.deliver_all().await;
    }
}

pub(super) async fn c1_a_kick_and_a_deletion_end_all_sessions(world: World) {
    world.with(hears_of_states(), &[]).await;
    let kick = Command::Kick(Kick { app: APP, user: user("alice"), request: RequestId::NONE });
    let delete = Command::DeleteAccount(DeleteAccount { app: APP, user: user("alice"), request: RequestId::NONE });
    for (command, signed_s) in [(kick, u64::from(START_S)), (delete, u64::from(START_S) + 1)] {
        for (session, platform) in [("s_1", Platform::Web), ("s_2", Platform::Android)] {
            world.clock.shift(1);
            world.log_in(LogIn { signed_s, ..log_in("alice", session, platform) }).await.expect("she may");
        }
        world.deliver_all().await;
        assert_eq!(world.done(command).await, Ok(Done::Ended(vec![id("s_1"), id("s_2")])));
        assert_eq!(world.states().await, ["alice Web Logout Unregister", "alice Android Logout Unregister"]);
        assert!(world.session_names("alice").await.is_empty());
        world.deliver_all().await;
    }
}

pub(super) async fn whoever_was_kicked_needs_a_new_usersig(mut world: World) {
    world.with(app(APP), &["alice"]).await;
    let signed_at = |signed_s: u32| LogIn { signed_s: signed_s.into(), ..log_in("alice", "s_1", Platform::Web) };
    world.log_in(signed_at(0)).await.expect("nobody has kicked her");
    world
        .done(Command::Kick(Kick { app: APP, user: user("alice"), request: RequestId::NONE }))
        .await
        .expect("she is there");
    world.reopen().await;
    assert_eq!(world.log_in(signed_at(START_S)).await, Err(70001), "made in the same second");
    assert!(world.log_in(signed_at(START_S + 1)).await.is_ok());
}

pub(super) async fn nobody_logs_in_to_a_disabled_app(world: World) {
    world.with(app_with(|app| app.disabled = true), &["alice"]).await;
    assert_eq!(world.log_in(log_in("alice", "s_1", Platform::Web)).await, Err(60016));
    assert!(world.session_names("alice").await.is_empty());
}

pub(super) async fn sessions_are_found_piece_by_piece(world: World) {
    world.with(app(APP), &[]).await;
    for who in ["alice", "bob", "carol"] {
        world.log_in(log_in(who, &format!("s_{who}"), Platform::Web)).await.expect("they may");
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let piece = world.store.all_sessions(after.clone(), 2).await.expect("the store works");
        let Some((last, _)) = piece.last() else {
            break;
        };
        after = Some(last.clone());
        found.extend(piece.iter().map(|((_, user, session), _)| format!("{user} {session}")));
    }
    assert_eq!(found, ["alice s_alice", "bob s_bob", "carol s_carol"]);
}

pub(super) async fn c9_with_a_full_backlog_the_last_state_takes_the_place_of_others(mut world: World) {
    let mut settings = app_with(|app| app.callback.backlog_events_max = 3);
    world.with(settings.clone(), &["alice", "bob"]).await;
    world.log_in(log_in("alice", "s_1", Platform::Web)).await.expect("she may");
    world.sent("bob", "alice", 1).await;
    world.log_out("alice", "s_1", Leaving::LinkClosed).await;
    assert_eq!(world.lane("alice").await, [(1, 1, 0), (2, 2, 1), (3, 3, 2)]);
    assert!(world.send(super::actors::message("bob", "alice", 2)).await.is_err(), "the backlog is full");

    world.log_in(log_in("alice", "s_2", Platform::Web)).await.expect("nobody is kept from coming");
    assert_eq!(world.lane("alice").await, [(2, 2, 0), (4, 4, 2)], "who follows sees no gap");
    world.log_out("alice", "s_2", Leaving::TimedOut).await;
    world.log_in(log_in("alice", "s_3", Platform::Web)).await.expect("nobody is kept from coming");
    world.reopen().await;
    let owed = world.owed().await;
    let commands: Vec<_> = owed.iter().map(|event| event.command).collect();
    assert_eq!(commands, [CallbackCommand::AfterSendMsg, CallbackCommand::StateChange]);
    assert_eq!(json(&owed[1])["Info"]["Action"], "Login");
    assert_eq!(world.backlog().await.waiting, 2);
    assert_eq!(world.backlog().await.waiting_bytes, world.owed_bytes().await);

    // What was taken out is not told when its attempt comes back.
    world.settle(vec![settled(&owed[0], Settlement::Delivered)]).await;
    settings.callback.backlog_events_max = 1000;
    world.with(settings, &[]).await;
    world.log_in(log_in("alice", "s_4", Platform::Web)).await.expect("she may");
    let lane: Vec<_> = world.lane("alice").await.iter().map(|(_, number, previous)| (*number, *previous)).collect();
    assert_eq!(lane, [(6, 2), (7, 6)], "the states behind the bound: the last one, and the next");
}
