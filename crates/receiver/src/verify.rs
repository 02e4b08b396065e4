//! The checks of a callback, each of them once: [`Verifier::verify`] stops at the first that fails, and
//! [`Verifier::checks`] shows them all to a person.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use serde_json::value::RawValue;
use subtle::{Choice, ConstantTimeEq};
use unsaid_protocol::{
    SdkAppId,
    sign::{SIGN_AGE_MAX_S, sign},
    webhook::{self, WEBHOOK_AGE_MAX_S, WebhookSecret},
};

use crate::{Delivery, Event, Headers, Rejection, SecretError, query::Query};

/// What a receiver knows of its app. Knows neither the time nor the network.
#[derive(Clone)]
pub struct Verifier {
    sdkappid: SdkAppId,
    /// Any of them may have signed, so that a token can be replaced without a gap. Empty: `Sign` is not looked at.
    tokens: Vec<String>,
    /// The same for Standard Webhooks.
    webhook_secrets: Vec<WebhookSecret>,
}

/// A request as the HTTP server received it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// As in the request line: `/im?SdkAppid=...`, not decoded.
    pub path_and_query: &'a str,
    /// `Headers::default()` for a service that sends none of them.
    pub headers: Headers<'a>,
    /// As it came: a signature covers each byte.
    pub body: &'a [u8],
}

/// A callback that passed every check.
#[derive(Clone, Debug)]
pub struct Verified<'a> {
    /// `CallbackCommand`, the same in the query and in the body.
    pub command: Cow<'a, str>,
    /// `ClientIP`, if the query has it.
    pub client_ip: Option<Cow<'a, str>>,
    /// `OptPlatform`, if the query has it.
    pub platform: Option<Cow<'a, str>>,
    /// Which delivery of which event it is; none from a service that does not say.
    pub delivery: Option<Delivery>,
    /// The body as it was sent, a JSON object. [`Verified::json`] reads it.
    pub body: &'a RawValue,
}

/// One check and how it went; its `Display` is a line for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What should hold.
    pub name: &'static str,
    pub result: Result<(), Rejection>,
}

/// A check that is done, and how.
type Rule = (&'static str, fn(&Verifier, Request<'_>, i64) -> Result<(), Rejection>);

const OF_EVERY_CALLBACK: [Rule; 2] =
    [("the method is POST", Verifier::method_is_post), ("SdkAppid is that of our app", Verifier::app_is_ours)];

/// Before the body is looked at, so that a stranger's is not even parsed.
const WHERE_SIGNED: [Rule; 2] = [
    ("Sign was made with our token", Verifier::sign_is_of_our_token),
    ("RequestTime is within 60 s of our clock", Verifier::time_is_near),
];

/// Where there are secrets of Standard Webhooks.
const WHERE_WEBHOOK: [Rule; 2] = [
    ("webhook-signature was made with our secret", Verifier::webhook_is_of_our_secret),
    ("webhook-timestamp is within 300 s of our clock", Verifier::webhook_time_is_near),
];

const LAST: [Rule; 3] = [
    ("ClientIP and OptPlatform can be read", Verifier::origin_is_readable),
    ("the headers name the delivery", Verifier::delivery_is_readable),
    ("query and body name the same CallbackCommand", Verifier::commands_agree),
];

impl Verifier {
    /// Accepts callbacks of this app that are signed with any of `tokens`.
    pub fn with_tokens(
        sdkappid: SdkAppId,
        tokens: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, SecretError> {
        let tokens: Vec<String> = tokens.into_iter().map(Into::into).collect();
        if tokens.is_empty() {
            return Err(SecretError::NoToken);
        }
        if tokens.iter().any(String::is_empty) {
            return Err(SecretError::EmptyToken);
        }
        Ok(Self { tokens, ..Self::without_sign(sdkappid) })
    }

    /// Accepts callbacks of this app, whoever sends them. Either [`Verifier::and_webhook_secrets`] or something else has
    /// to keep strangers out.
    pub fn without_sign(sdkappid: SdkAppId) -> Self {
        Self { sdkappid, tokens: Vec::new(), webhook_secrets: Vec::new() }
    }

    /// Accepts only what has, besides, a Standard Webhooks signature of any of `secrets` (`whsec_...`). It covers the
    /// event's id, the time and the body, of which `Sign` says nothing.
    pub fn and_webhook_secrets<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, SecretError> {
        self.webhook_secrets = secrets.into_iter().map(WebhookSecret::parse).collect::<Result<_, _>>()?;
        if self.webhook_secrets.is_empty() { Err(SecretError::NoWebhookSecret) } else { Ok(self) }
    }

    /// Does every check; the first that fails is the error. `now_s` is the time in seconds since 1970.
    pub fn verify<'a>(&self, request: Request<'a>, now_s: i64) -> Result<Verified<'a>, Rejection> {
        for (_, check) in self.rules() {
            check(self, request, now_s)?;
        }
        let query = Query::of(request.path_and_query);
        Ok(Verified {
            command: query.required("CallbackCommand")?,
            client_ip: query.optional("ClientIP")?,
            platform: query.optional("OptPlatform")?,
            delivery: Delivery::read(request.headers)?,
            body: parse(request.body)?,
        })
    }

    /// The same checks one by one, for a person who wants to see which of them fail.
    pub fn checks(&self, request: Request<'_>, now_s: i64) -> Vec<Check> {
        self.rules().map(|(name, check)| Check { name, result: check(self, request, now_s) }).collect()
    }

    fn rules(&self) -> impl Iterator<Item = Rule> {
        let signed = if self.tokens.is_empty() { &[][..] } else { &WHERE_SIGNED[..] };
        let webhook = if self.webhook_secrets.is_empty() { &[][..] } else { &WHERE_WEBHOOK[..] };
        OF_EVERY_CALLBACK.iter().chain(signed).chain(webhook).chain(&LAST).copied()
    }

    fn method_is_post(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        if request.method == "POST" { Ok(()) } else { Err(Rejection::Method { method: request.method.to_owned() }) }
    }

    fn app_is_ours(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        let found = Query::of(request.path_and_query).required("SdkAppid")?;
        if found.parse() == Ok(self.sdkappid) {
            Ok(())
        } else {
            Err(Rejection::OtherApp { expected: self.sdkappid, found: found.into_owned() })
        }
    }

    fn sign_is_of_our_token(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        let query = Query::of(request.path_and_query);
        let found = query.optional("Sign")?.ok_or(Rejection::Unsigned { name: "Sign" })?;
        let request_time_s = request_time_s(query)?;
        // Every token is tried and every byte compared: how long it takes tells nothing of a token.
        let made_with_any = self
            .tokens
            .iter()
            .fold(Choice::from(0), |any, token| any | sign(token, request_time_s).as_bytes().ct_eq(found.as_bytes()));
        if bool::from(made_with_any) { Ok(()) } else { Err(Rejection::Sign) }
    }

    fn time_is_near(&self, request: Request<'_>, now_s: i64) -> Result<(), Rejection> {
        let age_s = now_s.abs_diff(request_time_s(Query::of(request.path_and_query))?);
        if age_s <= SIGN_AGE_MAX_S { Ok(()) } else { Err(Rejection::Age { age_s }) }
    }

    fn webhook_is_of_our_secret(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        let given = |name, value: Option<_>| value.ok_or(Rejection::WebhookUnsigned { name });
        let Headers { id, timestamp, signature, .. } = request.headers;
        let id = given(webhook::ID_HEADER, id)?;
        let timestamp = given(webhook::TIMESTAMP_HEADER, timestamp)?;
        let signature = given(webhook::SIGNATURE_HEADER, signature)?;
        let verifies = |secret: &WebhookSecret| secret.verifies(id, timestamp, request.body, signature);
        let made_with_any = self.webhook_secrets.iter().fold(false, |any, secret| any | verifies(secret));
        if made_with_any { Ok(()) } else { Err(Rejection::WebhookSignature) }
    }

    fn webhook_time_is_near(&self, request: Request<'_>, now_s: i64) -> Result<(), Rejection> {
        let name = webhook::TIMESTAMP_HEADER;
        let found = request.headers.timestamp.ok_or(Rejection::WebhookUnsigned { name })?;
        let expected = "whole seconds since 1970";
        let sent_s: i64 = found.parse().map_err(|_| Rejection::Header { name, found: found.to_owned(), expected })?;
        let age_s = now_s.abs_diff(sent_s);
        if age_s <= WEBHOOK_AGE_MAX_S { Ok(()) } else { Err(Rejection::WebhookAge { age_s }) }
    }

    fn delivery_is_readable(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        Delivery::read(request.headers).map(drop)
    }

    fn origin_is_readable(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        let query = Query::of(request.path_and_query);
        query.optional("ClientIP")?;
        query.optional("OptPlatform")?;
        Ok(())
    }

    fn commands_agree(&self, request: Request<'_>, _now_s: i64) -> Result<(), Rejection> {
        let query = Query::of(request.path_and_query).required("CallbackCommand")?;
        let Head { command: body } = parse(request.body)?;
        if query == body {
            Ok(())
        } else {
            Err(Rejection::CommandsDiffer { query: query.into_owned(), body: body.into_owned() })
        }
    }
}

fn request_time_s(query: Query<'_>) -> Result<i64, Rejection> {
    let found = query.optional("RequestTime")?.ok_or(Rejection::Unsigned { name: "RequestTime" })?;
    found.parse().map_err(|_| Rejection::RequestTimeFormat { found: found.into_owned() })
}

/// What every body has. A body with two of them is an error of `serde`.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "CallbackCommand", borrow)]
    command: Cow<'a, str>,
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    // Else serde would take the items of an array for the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Rejection::Body { reason: "it does not begin with {".to_owned() });
    }
    serde_json::from_slice(body).map_err(|error| Rejection::Body { reason: error.to_string() })
}

impl<'a> Verified<'a> {
    /// The body as a typed event.
    pub fn event(&self) -> Result<Event, Rejection> {
        Event::read(&self.command, self.body)
    }

    /// The body as a type of yours, or as a `serde_json::Value`.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, Rejection> {
        parse(self.body.get().as_bytes())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(()) => write!(f, "passed: {}", self.name),
            Err(rejection) => write!(f, "FAILED: {}. {rejection}", self.name),
        }
    }
}

/// Without the tokens, which belong in no log.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("sdkappid", &self.sdkappid)
            .field("tokens", &self.tokens.len())
            .field("webhook_secrets", &self.webhook_secrets.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: SdkAppId = SdkAppId(1_400_009_999);
    const NOW_S: i64 = 1_731_400_198;
    const SIGN: &str = "46e21d4876e86c9a6cc8131ef5360a79e427de189da1d2222e97f5f4510754d3";
    const BODY: &str = r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42","MsgKey":"2893104417_1530220984_1731400123","EventTime":1731400198305,"UnreadMsgNum":4}"#;

    fn documented_query() -> String {
        format!(
            "/hooks/im?SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw&contenttype=json\
             &ClientIP=203.0.113.9&OptPlatform=Android&Sign={SIGN}&RequestTime={NOW_S}"
        )
    }

    fn verifier() -> Verifier {
        Verifier::with_tokens(APP, ["s3cret-Token_01"]).expect("not empty")
    }

    /// As the original service sends it.
    fn post(path_and_query: &str) -> Request<'_> {
        Request { method: "POST", path_and_query, headers: Headers::default(), body: BODY.as_bytes() }
    }

    /// What the documented request is rejected with once `from` in its query is replaced by `to`.
    fn rejection(from: &str, to: &str) -> Rejection {
        let path_and_query = documented_query();
        assert!(path_and_query.contains(from), "{from}");
        let path_and_query = path_and_query.replacen(from, to, 1);
        let request = post(&path_and_query);
        verifier().verify(request, NOW_S).expect_err(&path_and_query)
    }

    #[test]
    fn the_request_of_callbacks_1_2_passes() {
        let path_and_query = documented_query();
        let request = post(&path_and_query);
        let verified = verifier().verify(request, NOW_S).expect("valid");
        assert_eq!(verified.command, "C2C.CallbackAfterMsgWithDraw");
        assert_eq!(verified.client_ip.as_deref(), Some("203.0.113.9"));
        assert_eq!(verified.platform.as_deref(), Some("Android"));
        assert_eq!(verified.body.get(), BODY);
        assert_eq!(verified.json::<serde_json::Value>().expect("JSON")["UnreadMsgNum"], 4);
    }

    #[test]
    fn the_order_of_parameters_does_not_matter() {
        let path_and_query = format!(
            "/?RequestTime={NOW_S}&OptPlatform=RESTAPI&CallbackCommand=C2C%2ECallbackAfterMsgWithDraw\
             &ClientIP=2001%3Adb8::1&Sign={SIGN}&appId=1&SdkAppid=1400009999"
        );
        let request = post(&path_and_query);
        let verified = verifier().verify(request, NOW_S).expect("valid");
        assert_eq!(verified.client_ip.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn the_vectors_of_callbacks_2_2_pass() {
        for (token, time_s, sign) in [
            ("xxxxyyyy", 1_669_872_112, "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"),
            ("xxxyyy", 1_669_872_112, "e78a85473bed2cdc8d6fa8c4d5a4ba4735fd64156e15a99516b9890293e135de"),
            ("s3cret-Token_01", 1_700_000_000, "3802279ca893ffd20875c24fa0346cb223d1b5af14e570cfc6d6653a6204863d"),
            ("s3cret-Token_01", NOW_S, SIGN),
        ] {
            let path_and_query = format!(
                "/?SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw&Sign={sign}&RequestTime={time_s}"
            );
            let request = post(&path_and_query);
            let verifier = Verifier::with_tokens(APP, ["the next token", token]).expect("not empty");
            assert!(verifier.verify(request, time_s).is_ok(), "{token}");
        }
    }

    #[test]
    fn each_fault_of_the_query_is_named() {
        for (from, to, expected) in [
            ("SdkAppid=1400009999", "a=1", Rejection::ParameterMissing { name: "SdkAppid" }),
            ("=1400009999", "=1400009998", Rejection::OtherApp { expected: APP, found: "1400009998".into() }),
            ("=1400009999", "=x", Rejection::OtherApp { expected: APP, found: "x".into() }),
            ("?SdkAppid", "?SdkAppid=1&SdkAppid", Rejection::ParameterRepeated { name: "SdkAppid" }),
            ("CallbackCommand", "callbackcommand", Rejection::ParameterMissing { name: "CallbackCommand" }),
            ("Sign=", "sign=", Rejection::Unsigned { name: "Sign" }),
            ("RequestTime=", "Time=", Rejection::Unsigned { name: "RequestTime" }),
            ("=1731400198", "=now", Rejection::RequestTimeFormat { found: "now".into() }),
            ("=1731400198", "=1731400199", Rejection::Sign),
            ("Sign=46e2", "Sign=46e3", Rejection::Sign),
            ("Sign=46e2", "Sign=", Rejection::Sign),
            ("203.0.113.9", "%ff", Rejection::ParameterNotText { name: "ClientIP" }),
        ] {
            assert_eq!(rejection(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn another_command_in_the_query_than_in_the_body_is_rejected() {
        assert_eq!(
            rejection("AfterMsgWithDraw", "AfterSendMsg"),
            Rejection::CommandsDiffer {
                query: "C2C.CallbackAfterSendMsg".into(),
                body: "C2C.CallbackAfterMsgWithDraw".into()
            }
        );
    }

    #[test]
    fn other_methods_and_bodies_are_rejected() {
        let path_and_query = documented_query();
        let request = post(&path_and_query);
        assert_eq!(
            verifier().verify(Request { method: "GET", ..request }, NOW_S).expect_err("GET"),
            Rejection::Method { method: "GET".into() }
        );
        for body in
            ["", "[]", "{", "{}", r#"{"CallbackCommand":7}"#, r#"{"CallbackCommand":"a","CallbackCommand":"a"}"#]
        {
            let rejection = verifier().verify(Request { body: body.as_bytes(), ..request }, NOW_S).expect_err(body);
            assert!(matches!(rejection, Rejection::Body { .. }), "{body}: {rejection}");
        }
    }

    #[test]
    fn a_signature_holds_for_60_s_in_both_directions() {
        let path_and_query = documented_query();
        let request = post(&path_and_query);
        for (now_s, age_s) in [(NOW_S - 60, None), (NOW_S + 60, None), (NOW_S - 61, Some(61)), (NOW_S + 61, Some(61))] {
            assert_eq!(verifier().verify(request, now_s).err(), age_s.map(|age_s| Rejection::Age { age_s }));
        }
        assert!(verifier().verify(request, i64::MIN).is_err());
    }

    #[test]
    fn without_tokens_sign_is_not_looked_at() {
        let path_and_query = "/?SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw";
        let request = post(path_and_query);
        let verifier = Verifier::without_sign(APP);
        assert!(verifier.verify(request, 0).is_ok());
        assert_eq!(verifier.checks(request, 0).len(), 5);
    }

    #[test]
    fn tokens_that_anyone_has_are_refused() {
        assert_eq!(Verifier::with_tokens(APP, [""; 0]).err(), Some(SecretError::NoToken));
        assert_eq!(Verifier::with_tokens(APP, ["a", ""]).err(), Some(SecretError::EmptyToken));
    }

    const WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    /// What the documented request, signed for Standard Webhooks, is rejected with once it is changed.
    fn webhook_rejection(change: impl FnOnce(&mut Request<'_>)) -> Option<Rejection> {
        let (path_and_query, now) = (documented_query(), NOW_S.to_string());
        let secret = WebhookSecret::parse(WEBHOOK_SECRET).expect("valid");
        let signature = secret.sign("evt_1", NOW_S, BODY.as_bytes());
        let (id, timestamp, signature) = (Some("evt_1"), Some(now.as_str()), Some(signature.as_str()));
        let headers = Headers { id, timestamp, signature, ..Headers::default() };
        let mut request = Request { headers, ..post(&path_and_query) };
        change(&mut request);
        let other = "whsec_AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let verifier = verifier().and_webhook_secrets([other, WEBHOOK_SECRET]).expect("valid");
        verifier.verify(request, NOW_S).err()
    }

    #[test]
    fn c3_standard_webhooks_is_demanded_where_a_secret_is_set() {
        assert_eq!(webhook_rejection(|_| {}), None);
        let unsigned = |name| Some(Rejection::WebhookUnsigned { name });
        assert_eq!(webhook_rejection(|request| request.headers.id = None), unsigned("webhook-id"));
        assert_eq!(webhook_rejection(|request| request.headers.timestamp = None), unsigned("webhook-timestamp"));
        assert_eq!(webhook_rejection(|request| request.headers.signature = None), unsigned("webhook-signature"));
        let wrong = Some(Rejection::WebhookSignature);
        assert_eq!(webhook_rejection(|request| request.headers.id = Some("evt_2")), wrong);
        assert_eq!(webhook_rejection(|request| request.headers.timestamp = Some("1731400199")), wrong);
        assert_eq!(webhook_rejection(|request| request.headers.signature = Some("v1,AAAA")), wrong);
        assert_eq!(webhook_rejection(|request| request.body = b"{}"), wrong);
    }

    #[test]
    fn c3_a_webhook_is_accepted_for_300_s() {
        let secret = WebhookSecret::parse(WEBHOOK_SECRET).expect("valid");
        let verifier = Verifier::without_sign(APP).and_webhook_secrets([WEBHOOK_SECRET]).expect("valid");
        let path_and_query = documented_query();
        for (sent_s, age_s) in
            [(NOW_S - 300, None), (NOW_S + 300, None), (NOW_S - 301, Some(301)), (NOW_S + 301, Some(301))]
        {
            let (sent, signature) = (sent_s.to_string(), secret.sign("evt_1", sent_s, BODY.as_bytes()));
            let (id, timestamp, signature) = (Some("evt_1"), Some(sent.as_str()), Some(signature.as_str()));
            let headers = Headers { id, timestamp, signature, ..Headers::default() };
            let request = Request { headers, ..post(&path_and_query) };
            let rejection = age_s.map(|age_s| Rejection::WebhookAge { age_s });
            assert_eq!(verifier.verify(request, NOW_S).err(), rejection, "{sent_s}");
        }
    }

    #[test]
    fn what_is_no_webhook_secret_is_refused() {
        let refused = |secrets: &[&'static str]| verifier().and_webhook_secrets(secrets.iter().copied()).err();
        assert_eq!(refused(&[]), Some(SecretError::NoWebhookSecret));
        assert!(matches!(refused(&[WEBHOOK_SECRET, "s3cret"]), Some(SecretError::WebhookSecret(_))));
    }

    #[test]
    fn the_checks_show_every_fault_at_once() {
        let path_and_query = documented_query().replace("1400009999", "7");
        let request = Request { body: b"{}", ..post(&path_and_query) };
        let checks = verifier().checks(request, NOW_S);
        let failed: Vec<bool> = checks.iter().map(|check| check.result.is_err()).collect();
        assert_eq!(failed, [false, true, false, false, false, false, true]);
        assert_eq!(checks[0].to_string(), "passed: the method is POST");
        assert_eq!(
            checks[1].to_string(),
            "FAILED: SdkAppid is that of our app. SdkAppid is \"7\", but this receiver is for app 1400009999: check \
             the callback URL of that app"
        );
    }

    #[test]
    fn no_token_is_shown() {
        assert_eq!(
            format!("{:?}", verifier()),
            "Verifier { sdkappid: SdkAppId(1400009999), tokens: 1, webhook_secrets: 0, .. }"
        );
    }
}
