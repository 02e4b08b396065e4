//! Who may call: the gate's checks in their order (rest 1.6).

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use unsaid::apps::{App, Origin, Secret, SecretKey};
use unsaid_client::RestClient;
use unsaid_protocol::{SdkAppId, UserId};

use crate::test_app::{ADMIN, SDKAPPID, SECRET_KEY, TestApp, client, usersig};

async fn code(admin: &RestClient, method: Method, path_and_query: &str) -> i64 {
    let body = Full::from(r#"{"To_Account":"Jonh"}"#);
    let request = Request::builder().method(method).uri(path_and_query).body(body).expect("valid");
    let (status, _, body) = admin.raw(request).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).expect("the envelope");
    answer["ErrorCode"].as_i64().expect("a number")
}

const UNREAD: &str = "/v4/openim/get_c2c_unread_msg_num";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_caller_has_its_code() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let now_s = u64::from(app.world.clock.now().seconds());
    let sig = |key, app, identifier, time_s, expire_s| {
        let text = usersig(key, SdkAppId(app), identifier, time_s, expire_s);
        format!("identifier={identifier}&usersig={}", text.replace('*', "%2A"))
    };
    let id = SDKAPPID.0;
    let good = sig(SECRET_KEY, id, ADMIN, now_s, 60);
    let bare = good.split_once("usersig=").expect("it has one").1;
    for (query, expected) in [
        (format!("sdkappid={id}&{good}&random=1&contenttype=json"), 0),
        (format!("contenttype=json&{good}&sdkappid={id}"), 0),
        (format!("sdkappid={id}&identifier=%ff&usersig={bare}"), 60002),
        (good.clone(), 60012),
        (format!("sdkappid=&{good}"), 60012),
        (format!("sdkappid=x&{good}"), 60006),
        (format!("sdkappid=1400000002&{good}"), 60006),
        (format!("sdkappid={id}&identifier={ADMIN}"), 70002),
        (format!("sdkappid={id}&identifier={ADMIN}&usersig="), 70002),
        (format!("sdkappid={id}&identifier={ADMIN}&usersig=abc"), 70003),
        (format!("sdkappid={id}&identifier={ADMIN}&usersig={}", &bare[..bare.len() - 20]), 70003),
        (format!("sdkappid={id}&{}", sig(SECRET_KEY, 1_400_000_002, ADMIN, now_s, 60)), 70014),
        (format!("sdkappid={id}&usersig={bare}"), 60004),
        (format!("sdkappid={id}&identifier=Jonh&usersig={bare}"), 70013),
        (format!("sdkappid={id}&{}", sig("another key, as long", id, ADMIN, now_s, 60)), 70009),
        (format!("sdkappid={id}&{}", sig(SECRET_KEY, id, ADMIN, now_s - 100, 60)), 70001),
        (format!("sdkappid={id}&{}", sig(SECRET_KEY, id, "Jonh", now_s, 60)), 60010),
    ] {
        assert_eq!(code(&admin, Method::POST, &format!("{UNREAD}?{query}")).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn method_and_command_are_checked_after_the_caller() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    assert_eq!(code(&admin, Method::GET, &admin.path_and_query("openim", "sendmsg")).await, 60008);
    assert_eq!(code(&admin, Method::GET, "/v4/openim/sendmsg").await, 60012);
    for (service, command) in [("openim", "nothing"), ("group_open_http_svc", "create_group"), ("openim", "sendmsg/x")]
    {
        assert_eq!(code(&admin, Method::POST, &admin.path_and_query(service, command)).await, 60009);
    }
    assert_eq!(code(&admin, Method::POST, "/v4/openim/nothing?sdkappid=1").await, 60006);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usersig_that_was_verified_before_expires_all_the_same() {
    let (app, ..) = TestApp::start().await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let admin = client(&app.base(), ADMIN, &usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s, 60));
    let path = admin.path_and_query("openim", "get_c2c_unread_msg_num");
    assert_eq!(code(&admin, Method::POST, &path).await, 0);
    app.world.clock.shift(62_000);
    assert_eq!(code(&admin, Method::POST, &path).await, 70001);
    app.world.clock.shift(-62_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_that_is_none_any_more_is_refused_though_its_usersig_was_verified() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let path = admin.path_and_query("openim", "get_c2c_unread_msg_num");
    assert_eq!(code(&admin, Method::POST, &path).await, 0);
    app.change_app(|app| app.admins = vec![UserId::new("root").expect("valid")]).await;
    assert_eq!(code(&admin, Method::POST, &path).await, 60010);
    app.change_app(|app| app.disabled = true).await;
    assert_eq!(code(&admin, Method::POST, &path).await, 60016);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_are_valid_while_they_are_rotated() {
    let (app, ..) = TestApp::start().await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let new_key = "fedcba9876543210fedcba9876543210";
    let new = client(&app.base(), ADMIN, &usersig(new_key, SDKAPPID, ADMIN, now_s, 60));
    let (old, path) = (app.admin(), new.path_and_query("openim", "get_c2c_unread_msg_num"));
    let old_path = old.path_and_query("openim", "get_c2c_unread_msg_num");
    assert_eq!(code(&new, Method::POST, &path).await, 70009);
    app.change_app(|app| app.keys.push(SecretKey::new(Secret::new(new_key)))).await;
    assert_eq!(code(&new, Method::POST, &path).await, 0);
    assert_eq!(code(&old, Method::POST, &old_path).await, 0);
    app.change_app(|app| drop(app.keys.remove(0))).await;
    assert_eq!(code(&old, Method::POST, &old_path).await, 70009);
    assert_eq!(code(&new, Method::POST, &path).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_crosses_from_one_app_to_another() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let other = App::new(SdkAppId(7), Secret::new("the key of another app"), Origin::Runtime);
    app.save_app(other).await;
    let key = jared.send(&jonh, "one").await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let sig = usersig("the key of another app", SdkAppId(7), ADMIN, now_s, 60).replace('*', "%2A");
    let admin = app.admin();
    let post = async |command: &str, body: String| {
        let uri = format!("/v4/{command}?sdkappid=7&identifier={ADMIN}&usersig={sig}");
        let request = Request::builder().method(Method::POST).uri(uri).body(Full::from(body)).expect("valid");
        let (_, _, body) = admin.raw(request).await.expect("an answer");
        let answer: Value = serde_json::from_slice(&body).expect("the envelope");
        answer["ErrorCode"].as_i64().expect("a number")
    };
    let recall = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{key}"}}"#);
    assert_eq!(post("openim/admin_msgwithdraw", recall.clone()).await, 90008, "jared is unknown there");
    for user in ["jared", "Jonh"] {
        assert_eq!(post("im_open_login_svc/account_import", format!(r#"{{"UserID":"{user}"}}"#)).await, 0);
    }
    assert_eq!(post("openim/admin_msgwithdraw", recall).await, 20022, "and so is his message");
    assert_eq!(jonh.unread().await, 1);
    app.all_settled().await;
    assert_eq!(receiver.arrivals().len(), 1, "only the send was told");
}
