//! Clients: rules R1, R2, R8 and C1 over real sessions.

use serde_json::{Value, json};
use unsaid_protocol::{
    callback::CallbackCommand,
    session::{Conversations, DeleteMessages, History, Modify, Push, Receipt, Send, SetProfile, Users, What},
};
use unsaid_testkit::{Answer, Script};

use crate::{
    device::{code, text},
    test_app::{TestApp, of_command},
};

const WITHDRAW: CallbackCommand = CallbackCommand::AfterMsgWithDraw;

fn history(peer: &str) -> History {
    History { peer: peer.to_owned(), before: None, max_time_s: None, count: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_every_device_of_both_hears_of_a_recall_and_the_backend_knows_from_where() {
    let (app, _, jonh_by_rest, receiver) = TestApp::start().await;
    let mut phone = app.device("jared", "Android").await;
    let mut web = app.device("jared", "Web").await;
    let mut jonh = app.device("Jonh", "iOS").await;
    let key = phone.send("Jonh", "I never liked your mother's soup").await;
    for device in [&mut phone, &mut web, &mut jonh] {
        let message = device.hear_message().await;
        assert_eq!((message.msg_key.as_str(), message.recalled_by), (key.to_string().as_str(), None));
    }
    assert_eq!((jonh.unread, web.unread), (1, 0));

    assert_eq!(phone.recall("Jonh", key).await, Ok(()));
    for device in [&mut phone, &mut web, &mut jonh] {
        let tombstone = device.hear_recall().await;
        assert_eq!((tombstone.msg_key, tombstone.recalled_by.as_deref()), (key.to_string(), Some("jared")));
        assert_eq!((tombstone.body.get(), tombstone.types.as_str()), ("[]", "TIMTextElem"));
        let last = device.conversations[0].last_message.as_ref().expect("the conversation has one");
        assert_eq!(last.recalled_by.as_deref(), Some("jared"), "it is shown as the last message, recalled");
        assert_eq!((device.unread, device.conversations[0].unread), (0, 0));
    }
    assert_eq!(jonh_by_rest.unread().await, 0);
    let arrivals = receiver.wait_until(|arrivals| !of_command(arrivals, WITHDRAW).is_empty()).await;
    let callback = &of_command(&arrivals, WITHDRAW)[0];
    assert_eq!(callback.query("OptPlatform").as_deref(), Some("Android"));
    assert_eq!(callback.query("ClientIP").as_deref(), Some("127.0.0.1"));
    assert_eq!(callback.json()["UnreadMsgNum"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_devices_hear_of_what_an_admin_does_too() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let mut device = app.device("Jonh", "Web").await;
    let key = jared.send(&jonh, "by REST").await;
    assert_eq!(device.hear_message().await.msg_key, key.to_string());
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    assert_eq!(device.hear_recall().await.recalled_by.as_deref(), Some("administrator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_a_device_that_was_away_hears_of_it_when_it_comes_back() {
    let (mut app, jared, jonh, _) = TestApp::start().await;
    let mut device = app.device("Jonh", "Web").await;
    let first = jared.send(&jonh, "one").await;
    device.hear_message().await;
    let away = device.goes_away();
    // Nobody hears for it meanwhile; one message is even sent and recalled.
    let second = jared.send(&jonh, "two").await;
    assert_eq!(jared.recall(&jonh, first).await, Ok(()));
    assert_eq!(jared.recall(&jonh, second).await, Ok(()));
    let mut device = away.come_back(&app).await;
    assert!(!device.logged_in.reload);
    assert_eq!(device.hear_message().await.recalled_by.as_deref(), Some("administrator"), "a tombstone already");
    assert_eq!(device.hear_recall().await.msg_key, first.to_string());
    assert_eq!(device.hear_recall().await.msg_key, second.to_string());
    assert_eq!(device.unread, 0);

    // The same across a restart of the server.
    app.stop().await;
    assert_eq!(device.closed().await.code, Some(1001));
    app.start_again().await;
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    let third = jared.send(&jonh, "three").await;
    let mut device = device.come_back(&app).await;
    assert!(!device.logged_in.reload);
    assert_eq!(device.hear_message().await.msg_key, third.to_string());
    assert_eq!(device.unread, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_who_cannot_go_on_is_told_to_reload() {
    let (app, jared, jonh, _) = TestApp::start().await;
    app.change_app(|app| app.callback.commands.clear()).await;
    let device = app.device("Jonh", "Web").await;
    let (cursor, session) = (device.cursor.clone(), device.logged_in.session.clone());
    assert!(device.logged_in.reload, "it held nothing");
    drop(device);
    for _ in 0..501 {
        jared.send(&jonh, "more than is told").await;
    }
    let back = |cursor: String| unsaid_protocol::session::Login {
        cursor: Some(cursor),
        session: Some(session.clone()),
        ..app.login("Jonh", "Web")
    };
    let mut cursors = vec![cursor.clone(), "nonsense".to_owned()];
    cursors.push(cursor.replacen(|letter: char| letter.is_ascii_alphanumeric(), "x", 3));
    cursors.push(cursor.replace("-0-", "-1-"));
    for cursor in cursors {
        let device = app.device_with(back(cursor.clone())).await.expect("it may log in");
        assert!(device.logged_in.reload, "{cursor}");
        assert_eq!(device.logged_in.unread, 501);
    }
    let now = app.device_with(back(cursor)).await.expect("it may log in").logged_in.cursor;
    let device = app.device_with(back(now)).await.expect("it may log in");
    assert!(!device.logged_in.reload, "from the present on it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_r2_a_client_recalls_its_own_messages_within_the_window() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let (mut mine, theirs) = (app.device("jared", "Web").await, app.device("Jonh", "Web").await);
    let key = mine.send("Jonh", "one").await;
    assert_eq!(theirs.recall("jared", key).await, Err(20022), "it is not Jonh's message");
    assert_eq!(mine.recall("Jonh", "1_2_3".parse().expect("a key")).await, Err(20022));
    assert_eq!(mine.recall("nobody", key).await, Err(20003));
    assert_eq!(code(mine.client.recall("Jonh", "key").await.expect_err("no key")), 20001);
    app.change_app(|app| app.recall_window_s = 0).await;
    app.all_settled().await;
    app.world.clock.shift(1000);
    assert_eq!(mine.recall("Jonh", key).await, Err(20016));
    app.world.clock.shift(-1000);
    assert_eq!(jared.recall(&jonh, key).await, Ok(()), "an admin may");
    assert_eq!(mine.recall("Jonh", key).await, Err(20023));
    app.all_settled().await;
    assert_eq!(of_command(&receiver.arrivals(), WITHDRAW).len(), 1, "R4: one that succeeded, one event");
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_the_codes_of_the_backend_reach_the_client() {
    let everything = |_: &mut _, app: &mut unsaid::apps::App| app.callback.commands = CallbackCommand::ALL.into();
    let (app, _, jonh, receiver) = TestApp::start_with(everything).await;
    let mut device = app.device("jared", "Web").await;
    for (answer, expected) in [(1, 20006), (120_001, 120_001), (130_000, 130_000)] {
        receiver.play(Script::function(move |arrival, _| {
            let question = arrival.command().as_deref() == Some("C2C.CallbackBeforeSendMsg");
            let refusal = json!({"ErrorInfo": "no", "ErrorCode": answer}).to_string();
            if question { Answer::Body(refusal) } else { Answer::Ok }
        }));
        let message = device.message("Jonh", "hello");
        assert_eq!(code(device.client.send(&message).await.expect_err("refused")), expected);
    }
    assert_eq!(jonh.unread().await, 0);
    receiver.play(Script::always(Answer::Ok));
    device.send("Jonh", "hello").await;
    assert_eq!(jonh.unread().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_not_send_has_its_code() {
    let (app, _, jonh, receiver) = TestApp::start().await;
    let (mut mine, theirs) = (app.device("jared", "Web").await, app.device("Jonh", "Web").await);
    let blocked = theirs.client.block(&Users { users: vec!["jared".to_owned()] }).await.expect("he may");
    assert_eq!(blocked.users, ["jared"]);
    let raw = |json: &str| serde_json::value::RawValue::from_string(json.to_owned()).expect("JSON");
    let message = mine.message("Jonh", "hello");
    let with = |body: &str| Send { body: raw(body), ..message.clone() };
    for (send, expected) in [
        (message.clone(), 20007),
        (Send { to: "nobody".to_owned(), ..message.clone() }, 20003),
        (Send { to: String::new(), ..message.clone() }, 20003),
        (with("[]"), 90002),
        (with("{}"), 90007),
        (with(r#"[{"MsgType":"TIMTextElem"}]"#), 90010),
        (Send { custom_data: "x".repeat(8192), ..message.clone() }, 80002),
        (Send { push_info: Some(raw("[]")), ..message.clone() }, 20001),
        (Send { push_info: Some(raw(&format!(r#"{{"Ext":"{}"}}"#, "x".repeat(4096)))), ..message.clone() }, 20001),
    ] {
        assert_eq!(code(mine.client.send(&send).await.expect_err("refused")), expected, "{send:?}");
    }
    app.all_settled().await;
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterSendMsg);
    assert_eq!((told.len(), &told[0].json()["SendMsgResult"]), (1, &json!(20007)), "what is blocked is told as failed");
    assert_eq!(jonh.unread().await, 0);
    assert!(theirs.client.unblock(&Users { users: vec!["jared".to_owned()] }).await.expect("he may").users.is_empty());
    assert!(mine.client.send(&message).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_repeat_after_a_break_is_one_message() {
    let (app, _, jonh, _) = TestApp::start().await;
    let mut device = app.device("jared", "Web").await;
    let message = device.message("Jonh", "once");
    let first = device.client.send(&message).await.expect("sent");
    let device = device.come_back(&app).await;
    assert_eq!(device.client.send(&message).await.expect("a repeat"), first);
    assert_eq!(jonh.unread().await, 1);
    assert!(first.msg_id.ends_with(&format!("-{}-{}", message.client_time_s, message.random)), "{}", first.msg_id);
    assert!(first.msg_id.starts_with(&device.logged_in.account_number));
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_what_one_has_read_all_its_devices_and_the_other_know() {
    let (app, ..) = TestApp::start().await;
    let mut jared = app.device("jared", "Web").await;
    let (mut phone, mut web) = (app.device("Jonh", "iOS").await, app.device("Jonh", "Web").await);
    jared.send("Jonh", "one").await;
    let key = jared.send("Jonh", "two").await;
    for device in [&mut phone, &mut web, &mut jared] {
        device.hear_message().await;
        device.hear_message().await;
    }
    assert_eq!((phone.unread, web.unread), (2, 2));
    phone.client.read("jared", None).await.expect("he may");
    for device in [&mut phone, &mut web] {
        assert!(matches!(device.hear().await, What::Read { peer, .. } if peer == "jared"));
        assert_eq!((device.unread, device.conversations[0].unread, device.conversations[0].read_position), (0, 0, 2));
    }
    assert!(matches!(jared.hear().await, What::ReadByPeer { peer, .. } if peer == "Jonh"));
    assert_eq!(jared.conversations[0].peer_read_position, 2);

    let receipt = Receipt { peer: "jared".to_owned(), msg_keys: vec![key.to_string()] };
    web.client.receipt(&receipt).await.expect("he has it");
    for device in [&mut phone, &mut web, &mut jared] {
        let What::Receipt { message } = device.hear().await else { panic!("a receipt") };
        assert!(message.has_receipt && message.msg_key == key.to_string());
    }
    jared.send("Jonh", "three").await;
    phone.hear_message().await;
    assert_eq!(phone.unread, 1);
    phone.client.read_all().await.expect("he may");
    assert!(matches!(phone.hear().await, What::ReadAll { .. }));
    assert_eq!(phone.unread, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_modifies_and_deletes_in_its_own_place() {
    let (app, ..) = TestApp::start().await;
    let (mut jared, mut jonh) = (app.device("jared", "Web").await, app.device("Jonh", "Web").await);
    let key = jared.send("Jonh", "at onw?").await.to_string();
    jonh.hear_message().await;
    let modify =
        |to: &str| Modify { to: to.to_owned(), msg_key: key.clone(), body: Some(text("at one?")), custom_data: None };
    assert_eq!(code(jonh.client.modify(&modify("jared")).await.expect_err("not his own")), 20022);
    jared.client.modify(&modify("Jonh")).await.expect("his own");
    let What::Modify { message } = jonh.hear().await else { panic!("a modification") };
    assert!(message.modified && message.body.get().contains("at one?"));

    let delete = DeleteMessages { peer: "jared".to_owned(), msg_keys: vec![key.clone()] };
    jonh.client.delete_messages(&delete).await.expect("his view");
    assert!(matches!(jonh.hear().await, What::Delete { msg_key, .. } if msg_key == key));
    assert_eq!(jonh.unread, 0);
    assert!(jonh.client.history(&history("jared")).await.expect("readable").messages.is_empty());
    assert_eq!(jared.client.history(&history("Jonh")).await.expect("readable").messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_and_conversations_come_in_pages() {
    let (app, ..) = TestApp::start().await;
    app.change_app(|app| app.callback.commands.clear()).await;
    let mut jared = app.device("jared", "Web").await;
    let mut keys = Vec::new();
    for number in 0..20 {
        keys.push(jared.send("Jonh", &format!("text {number}")).await.to_string());
    }
    let (mut seen, mut before) = (Vec::<String>::new(), None);
    loop {
        let asked = History { before: before.clone(), count: Some(7), ..history("Jonh") };
        let page = jared.client.history(&asked).await.expect("readable");
        before = page.messages.first().map(|message| message.msg_key.clone());
        let keys: Vec<_> = page.messages.into_iter().map(|message| message.msg_key).collect();
        seen.splice(0..0, keys);
        if page.complete {
            break;
        }
    }
    // Within a second their order is that of MsgSeq, which is the same here, and then of commits.
    assert_eq!(seen, keys);
    assert_eq!(jared.client.history(&history("Jonh")).await.expect("readable").messages.len(), 15);
    assert_eq!(code(jared.client.history(&history("nobody")).await.expect_err("no peer")), 20003);

    for number in 0..55 {
        app.account(&format!("peer{number:02}")).await;
        jared.send(&format!("peer{number:02}"), "hello").await;
    }
    let first = jared.client.conversations(&Conversations::default()).await.expect("readable");
    let after = Conversations { after: first.next.clone(), ..Conversations::default() };
    let second = jared.client.conversations(&after).await.expect("readable");
    assert_eq!((first.conversations.len(), second.conversations.len(), second.next), (50, 6, None));
    let mut peers: Vec<_> =
        [first.conversations, second.conversations].concat().into_iter().map(|one| one.peer).collect();
    peers.sort();
    peers.dedup();
    assert_eq!(peers.len(), 56, "none is missing, and none comes twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_does_not_bring_a_deleted_account_back() {
    let (app, ..) = TestApp::start().await;
    let profile = SetProfile { nick: Some("Mira".to_owned()), face_url: None };
    for round in 0..20 {
        let name = format!("mira{round}");
        let mira = app.device(&name, "Web").await;
        let account = json!({"DeleteItem": [{"UserID": &name}]});
        let admin = app.admin();
        let (_, deleted) = tokio::join!(
            mira.client.set_profile(&profile),
            admin.call("im_open_login_svc", "account_delete", &account)
        );
        deleted.expect("deleted");
        let asked = json!({"CheckItem": [{"UserID": &name}]});
        let answer: Value = admin.call("im_open_login_svc", "account_check", &asked).await.expect("answered");
        assert_eq!(answer["ResultItem"][0]["AccountStatus"], "NotImported");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_online_message_reaches_who_is_there_and_is_stored_nowhere() {
    if crate::test_app::left_out_without_a_bus("it reaches the sessions of one of them") {
        return;
    }
    let (app, jared_by_rest, jonh_by_rest, _) = TestApp::start().await;
    let (mut jared, mut phone, mut web) =
        (app.device("jared", "Web").await, app.device("Jonh", "iOS").await, app.device("Jonh", "Web").await);
    let message = Send { online_only: true, ..jared.message("Jonh", "typing") };
    let sent = jared.client.send(&message).await.expect("sent");
    for device in [&mut phone, &mut web, &mut jared] {
        let Push::Online(message) = device.push().await else { panic!("an online message") };
        assert_eq!((message.msg_key.as_str(), message.position), (sent.msg_key.as_str(), 0));
        assert!(message.body.get().contains("typing"));
    }
    assert_eq!((jonh_by_rest.unread().await, jonh_by_rest.history(&jared_by_rest).await.len()), (0, 0));
    assert_eq!(jared.recall("Jonh", sent.msg_key.parse().expect("a key")).await, Err(20022));
    let by_rest = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgRandom": 1, "OnlineOnlyFlag": 1,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "by REST"}}]});
    app.admin().call("openim", "sendmsg", &by_rest).await.expect("sent");
    assert!(matches!(web.push().await, Push::Online(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_faces_and_who_is_online() {
    let (app, ..) = TestApp::start().await;
    let mut jared = app.device("jared", "Web").await;
    let profile = SetProfile { nick: Some("Jared K.".to_owned()), face_url: None };
    jared.client.set_profile(&profile).await.expect("his own");
    let long = SetProfile { nick: Some("x".repeat(501)), face_url: None };
    assert_eq!(code(jared.client.set_profile(&long).await.expect_err("too long")), 40601);
    let jonh = app.device("Jonh", "iOS").await;
    let both = Users { users: vec!["jared".to_owned(), "ghost".to_owned()] };
    let profiles = jonh.client.profiles(&both).await.expect("readable").profiles;
    assert_eq!((profiles.len(), profiles[0].nick.as_str()), (1, "Jared K."));
    jared.send("Jonh", "hello").await;
    let conversation = jonh.client.conversations(&Conversations::default()).await.expect("readable").conversations;
    assert_eq!(conversation[0].nick, "Jared K.");

    app.account("mira").await;
    let users = Users { users: vec!["Jonh".to_owned(), "mira".to_owned(), "ghost".to_owned()] };
    let states = jared.client.online(&users).await.expect("readable").states;
    let states: Vec<_> = states.iter().map(|state| (state.user_id.as_str(), state.online)).collect();
    assert_eq!(states, [("Jonh", true), ("mira", false)]);
    let asked = json!({"To_Account": ["Jonh", "mira"], "IsNeedDetail": 1});
    let answer: Value = app.admin().call("openim", "query_online_status", &asked).await.expect("answered");
    let expected = json!([{"To_Account": "Jonh", "Status": "Online", "Detail": [{"Platform": "iPhone", "Status": "Online"}]},
        {"To_Account": "mira", "Status": "Offline"}]);
    assert_eq!(answer["QueryResult"], expected);
}
