//! The console, as far as it takes no browser: who is let in, for how long, and what a form has to bring.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use unsaid::apps::Origin;
use unsaid_client::{RestClient, RestConfig};
use unsaid_testkit::Authority;

use crate::{
    operator_callbacks::{OPERATOR_TOKEN, start},
    test_app::{SDKAPPID, SECRET_KEY, TOKEN, TestApp},
};

/// A browser, as far as it matters here: it keeps a cookie, and reads the forms of pages.
struct Browser {
    client: RestClient,
    cookie: String,
    /// What the forms of this session bring.
    csrf: String,
}

struct Shown {
    status: StatusCode,
    headers: HeaderMap,
    page: String,
}

impl Shown {
    fn leads_to(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |to| to.to_str().expect("ASCII"))
    }
}

impl Browser {
    fn new(app: &TestApp) -> Self {
        Self { client: app.admin(), cookie: String::new(), csrf: String::new() }
    }

    async fn signed_in(app: &TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        let shown = browser.sign_in(token).await;
        assert_eq!((shown.status, shown.leads_to()), (StatusCode::SEE_OTHER, "/console"));
        let page = browser.look("/console").await.page;
        browser.csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        browser
    }

    async fn sign_in(&mut self, token: &str) -> Shown {
        let shown = self.send(&[], "/console/sign-in", &[("token", token)]).await;
        if let Some(cookie) = shown.headers.get(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("ASCII");
            self.cookie = cookie.split(';').next().expect("it has a beginning").to_owned();
        }
        shown
    }

    async fn look(&self, path: &str) -> Shown {
        self.exchange(Request::builder().method(Method::GET).uri(path).body(Full::default()).expect("valid")).await
    }

    /// Sends a form of this session.
    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let fields: Vec<_> = [("csrf", self.csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.send(&[("sec-fetch-site", "same-origin")], path, &fields).await
    }

    async fn send(&self, headers: &[(&str, &str)], path: &str, fields: &[(&str, &str)]) -> Shown {
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(Full::from(body.join("&"))).expect("valid")).await
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Shown {
        if !self.cookie.is_empty() {
            request.headers_mut().insert(header::COOKIE, self.cookie.parse().expect("ASCII"));
        }
        let (status, headers, body) = self.client.raw(request).await.expect("an answer");
        Shown { status, headers, page: String::from_utf8(body.to_vec()).expect("text") }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).expect("it ends").0
}

fn page_of(app: &str) -> String {
    format!("/console/apps/{SDKAPPID}{app}")
}

/// Every page that can be opened without naming an event.
fn pages() -> Vec<String> {
    let of_app =
        ["", "/deliveries", "/waiting", "/parked", "/accounts", "/accounts?account=jared", "/usersig", "/delete"];
    let others = ["/console", "/console?span=1%20h", "/console/apps", "/console/audit", "/console/tokens"];
    of_app.map(page_of).into_iter().chain(others.map(str::to_owned)).collect()
}

/// Every form that changes something.
fn forms() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let of_app = [
        ("/settings", vec![("name", "another")]),
        ("/check", vec![("name", "another")]),
        ("/test", vec![]),
        ("/back", vec![]),
        ("/keys", vec![]),
        ("/keys/key_0/remove", vec![]),
        ("/enable", vec![]),
        ("/disable", vec![]),
        ("/delete", vec![("confirm", "1400000001")]),
        ("/parked/replay", vec![]),
        ("/parked/evt_none/discard", vec![]),
        ("/usersig", vec![("account", "jared")]),
    ];
    let others = [
        ("/console/apps", vec![("sdkappid", "7")]),
        ("/console/tokens", vec![("name", "another"), ("role", "operator")]),
        ("/console/tokens/tok_none/revoke", vec![]),
    ];
    let of_app = of_app.into_iter().map(|(path, fields)| (page_of(path), fields));
    of_app.chain(others.into_iter().map(|(path, fields)| (path.to_owned(), fields))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_a_page_without_signing_in() {
    let (app, ..) = start().await;
    let mut browser = Browser::new(&app);
    for page in pages() {
        let shown = browser.look(&page).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{page}");
        assert!(shown.leads_to().starts_with("/console/sign-in"), "{page}: {}", shown.leads_to());
        assert!(shown.page.is_empty());
    }
    for (form, fields) in forms() {
        assert_eq!(browser.send(&[], &form, &fields).await.status, StatusCode::SEE_OTHER, "{form}");
    }
    assert_eq!(
        browser.look(&page_of("/parked")).await.leads_to(),
        "/console/sign-in?to=%2Fconsole%2Fapps%2F1400000001%2Fparked"
    );
    for made_up in ["unsaid_console=", "unsaid_console=0123456789abcdef"] {
        browser.cookie = made_up.to_owned();
        assert_eq!(browser.look("/console").await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(app.settings().await.name, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let (app, ..) = start().await;
    let shown = Browser::new(&app).sign_in(OPERATOR_TOKEN).await;
    let cookie = shown.headers[header::SET_COOKIE].to_str().expect("ASCII");
    let (pair, rest) = cookie.split_once("; ").expect("it has attributes");
    assert_eq!(rest, "Path=/console; HttpOnly; SameSite=Strict");
    let (name, text) = pair.split_once('=').expect("a pair");
    assert_eq!((name, text.len()), ("unsaid_console", 64));
    assert!(!cookie.contains(OPERATOR_TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_is_for_tls_alone() {
    let (mut app, ..) = start().await;
    let authority = Authority::new();
    let files = crate::listener::tls_files(&app, &authority);
    app.restart_with(|config| config.tls = Some(files)).await;
    let config = RestConfig {
        base: format!("https://localhost:{}", app.server().address().port()),
        ca_pem: Some(authority.ca_pem().into_bytes()),
        sdkappid: SDKAPPID,
        identifier: String::new(),
        usersig: String::new(),
        connections_max: 1,
        timeout: std::time::Duration::from_secs(10),
    };
    let client = RestClient::new(&config).expect("the address is right");
    let mut browser = Browser { client, cookie: String::new(), csrf: String::new() };
    let shown = browser.sign_in(OPERATOR_TOKEN).await;
    let cookie = shown.headers[header::SET_COOKIE].to_str().expect("ASCII");
    assert!(cookie.starts_with("__Secure-unsaid_console="), "{cookie}");
    assert!(cookie.ends_with("; Path=/console; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    assert_eq!(browser.look("/console").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_has_an_address_clients_have_no_console() {
    let (mut app, ..) = start().await;
    assert_eq!(Browser::new(&app).look("/console/sign-in").await.status, StatusCode::OK);
    app.restart_with(|config| config.operator.listen = Some(([127, 0, 0, 1], 0).into())).await;
    for path in ["/console", "/console/sign-in", "/console/assets/console.js"] {
        assert_eq!(Browser::new(&app).look(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_it_may_load_and_that_it_is_kept_nowhere() {
    let (app, ..) = start().await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                  form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let paths = pages().into_iter().chain(["/console/sign-in".to_owned(), page_of("/events/evt_none")]);
    for path in paths {
        let shown = browser.look(&path).await;
        let text = |name: &str| shown.headers[name].to_str().expect("ASCII");
        assert_eq!(text("content-security-policy"), policy, "{path}");
        assert_eq!(text("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(text("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(text("cache-control"), "no-store", "{path}");
        let inline = [" style=", " onclick=", "<script>", "<style"];
        assert!(inline.iter().all(|part| !shown.page.contains(part)), "{path}: {}", shown.page);
    }
    let style = browser.look("/console/assets/console.css").await;
    assert_eq!(style.headers[header::CACHE_CONTROL], "no-cache");
    assert_eq!(style.headers["content-security-policy"], policy);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_shows_a_secret() {
    let (app, jared, jonh, _) = start().await;
    jared.send(&jonh, "what nobody else reads").await;
    app.all_settled().await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let deliveries = browser.look(&page_of("/deliveries")).await.page;
    let story = between(&deliveries, "<tr><td><a href=\"", "\"").to_owned();
    for path in pages().into_iter().chain([story]) {
        let shown = browser.look(&path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}");
        for secret in [SECRET_KEY, TOKEN, OPERATOR_TOKEN, "what nobody else reads"] {
            assert!(!shown.page.contains(secret), "{path} shows {secret:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_from_a_page_of_this_session_alone() {
    let (app, ..) = start().await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let other = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let csrf = browser.csrf.as_str();
    let refused = [
        (vec![], ""),
        (vec![], other.csrf.as_str()),
        (vec![("sec-fetch-site", "cross-site")], csrf),
        (vec![("sec-fetch-site", "same-site")], csrf),
        (vec![("origin", "https://evil.example")], csrf),
        (vec![("origin", "null")], csrf),
    ];
    for (headers, csrf) in refused {
        for (form, fields) in forms() {
            let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf)]).collect();
            let shown = browser.send(&headers, &form, &fields).await;
            assert_eq!(shown.status, StatusCode::FORBIDDEN, "{form} with {headers:?}");
            assert!(shown.page.contains("nothing was done"), "{}", shown.page);
        }
    }
    assert_eq!(app.settings().await.name, "");
    let shown = browser.send(&[], &page_of("/settings"), &[("csrf", csrf), ("name", "Ferry")]).await;
    assert_eq!((shown.status, shown.leads_to()), (StatusCode::SEE_OTHER, page_of("").as_str()));
    assert_eq!(app.settings().await.name, "Ferry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_every_page_and_changes_nothing() {
    let (app, ..) = start().await;
    let operator = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    assert!(operator.look(&page_of("")).await.page.contains(">Save</button>"));
    let (_, made) =
        app.api(Method::POST, "/tokens", OPERATOR_TOKEN, json!({"name": "on call", "role": "viewer"})).await;
    let viewer = Browser::signed_in(&app, made["token"].as_str().expect("text")).await;
    for page in pages() {
        let shown = viewer.look(&page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        // Signing out and searching are what everybody does.
        let buttons = shown.page.split("<button").skip(1).map(|rest| between(rest, ">", "</button>"));
        let others: Vec<_> = buttons.filter(|text| !["Sign out", "Search"].contains(text)).collect();
        assert!(others.is_empty(), "{page} has {others:?}");
    }
    let before = (app.settings().await, app.audit("").await.len());
    for (form, fields) in forms() {
        let shown = viewer.submit(&form, &fields).await;
        assert_eq!(shown.status, StatusCode::FORBIDDEN, "{form}");
        assert!(shown.page.contains("only reads"), "{}", shown.page);
    }
    assert_eq!((app.settings().await, app.audit("").await.len()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_and_by_signing_out() {
    let (app, ..) = start().await;
    let (_, made) = app.api(Method::POST, "/tokens", OPERATOR_TOKEN, json!({"name": "Ann", "role": "operator"})).await;
    let ann = Browser::signed_in(&app, made["token"].as_str().expect("text")).await;
    assert_eq!(ann.look("/console").await.status, StatusCode::OK);
    let id = made["id"].as_str().expect("text");
    assert_eq!(app.api(Method::DELETE, &format!("/tokens/{id}"), OPERATOR_TOKEN, json!(null)).await.0, StatusCode::OK);
    assert_eq!(ann.look("/console").await.leads_to(), "/console/sign-in");
    assert_eq!(ann.submit(&page_of("/disable"), &[]).await.leads_to(), "/console/sign-in");

    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let shown = browser.submit("/console/sign-out", &[]).await;
    let cookie = shown.headers[header::SET_COOKIE].to_str().expect("ASCII");
    assert!(cookie.starts_with("unsaid_console=;") && cookie.ends_with("; Max-Age=0"), "{cookie}");
    assert_eq!(browser.look("/console").await.status, StatusCode::SEE_OTHER, "the old cookie opens nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_to_sign_in_are_bounded() {
    let (app, ..) = start().await;
    let mut browser = Browser::new(&app);
    for number in 0..20 {
        let shown = browser.sign_in(&format!("wrong {number}")).await;
        assert_eq!(shown.status, StatusCode::UNAUTHORIZED);
        assert!(shown.page.contains("not valid") && !shown.page.contains("wrong 1"), "{}", shown.page);
    }
    let shown = browser.sign_in(OPERATOR_TOKEN).await;
    assert_eq!(shown.status, StatusCode::TOO_MANY_REQUESTS, "not even the right one is looked at");
    assert!(shown.page.contains("try again in"), "{}", shown.page);
    assert!(browser.cookie.is_empty());
    let (status, _) = app.api(Method::GET, "/apps", OPERATOR_TOKEN, json!(null)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "it is one bound for the API and the console");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_console_does_is_in_the_audit_log_under_the_tokens_name() {
    let (app, ..) = start().await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let shown = browser.submit("/console/apps", &[("sdkappid", "7"), ("name", "Seven")]).await;
    assert_eq!(shown.leads_to(), "/console/apps/7");
    let page = browser.look("/console/apps/7").await.page;
    let key = between(&page, "id=\"secret-text\">", "<").to_owned();
    assert_eq!(key.len(), 64);
    assert!(!browser.look("/console/apps/7").await.page.contains(&key), "it is shown once");
    browser.submit("/console/apps/7/settings", &[("name", "Seven"), ("recall_window_s", "60")]).await;
    browser.submit("/console/apps/7/usersig", &[("account", "mira"), ("expire_s", "3600")]).await;
    let page = browser.look("/console/apps/7/usersig").await.page;
    let usersig = between(&page, "id=\"secret-text\">", "<").to_owned();
    browser.submit("/console/apps/7/delete", &[("confirm", "8")]).await;
    browser.submit("/console/apps/7/delete", &[("confirm", "7")]).await;
    let entries = app.audit("?app=7").await;
    let told: Vec<_> = entries.iter().rev().map(|entry| (&entry["action"], &entry["what"])).collect();
    assert_eq!(
        told,
        [
            (&json!("app.create"), &json!("Seven")),
            (&json!("app.change"), &json!("recall_window_s")),
            (&json!("usersig.make"), &json!("account mira, 3600 s")),
            (&json!("app.delete"), &json!("Seven")),
        ]
    );
    for entry in &entries {
        assert_eq!((&entry["actor"], &entry["client_ip"]), (&json!("configuration"), &json!("127.0.0.1")));
        assert!(!entry.to_string().contains(&key) && !entry.to_string().contains(&usersig), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_form_is_said_beside_its_field_and_nothing_is_lost() {
    let (app, ..) = start().await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let before = app.settings().await;
    let typed = [("url", "ftp://app.example/"), ("age_max_s", "120")];
    let shown = browser.submit(&page_of("/settings"), &typed).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(between(&shown.page, "id=\"wrong-url\">", "<"), "must begin with https:// or http://");
    assert!(shown.page.contains("value=\"ftp://app.example/\"") && shown.page.contains("value=\"120\""));
    let checked = browser.submit(&page_of("/check"), &typed).await;
    let checked: serde_json::Value = serde_json::from_str(&checked.page).expect("JSON");
    assert_eq!(checked, json!({"field": "url", "message": "must begin with https:// or http://"}));
    assert_eq!(browser.submit(&page_of("/check"), &[("url", "https://app.example/")]).await.page, "{}");
    assert_eq!(app.settings().await, before, "a check changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_the_configuration_file_is_read_only() {
    let (app, ..) = TestApp::start_with(|config, settings| {
        config.operator.token = Some(unsaid::apps::Secret::new(OPERATOR_TOKEN));
        settings.origin = Origin::File;
    })
    .await;
    let browser = Browser::signed_in(&app, OPERATOR_TOKEN).await;
    let page = browser.look(&page_of("")).await.page;
    assert!(page.contains("declared in the configuration file") && !page.contains(">Save</button>"), "{page}");
    let shown = browser.submit(&page_of("/settings"), &[("name", "another")]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.page.contains("change it there"), "{}", shown.page);
}
