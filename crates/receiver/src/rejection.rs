//! Why a request is not taken as a callback, and why a secret is not taken as one. What they say is for developers, and
//! shows no secret.

use unsaid_protocol::{
    SdkAppId,
    sign::SIGN_AGE_MAX_S,
    webhook::{WEBHOOK_AGE_MAX_S, WebhookSecretError},
};

/// Why a request is not taken as a callback of this app, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    #[error("the method is {method:?}, but a callback is a POST: is something else calling this URL?")]
    Method { method: String },
    #[error("{name} is missing in the query: check that no proxy on the way drops the query of the URL")]
    ParameterMissing { name: &'static str },
    #[error("{name} stands in the query more than once: take it out of the configured callback URL")]
    ParameterRepeated { name: &'static str },
    #[error("{name} in the query is not UTF-8 when decoded: check that no proxy on the way rewrites the query")]
    ParameterNotText { name: &'static str },
    #[error("SdkAppid is {found:?}, but this receiver is for app {expected}: check the callback URL of that app")]
    OtherApp { expected: SdkAppId, found: String },
    #[error(
        "the callback is not signed, {name} is missing: set the token in the callback settings of the app as well, \
         or leave the tokens out here"
    )]
    Unsigned { name: &'static str },
    #[error("RequestTime is {found:?}, but it has to be whole seconds since 1970")]
    RequestTimeFormat { found: String },
    #[error("Sign was made with another token: compare the token here with that in the callback settings of the app")]
    Sign,
    #[error(
        "RequestTime differs from the clock here by {age_s} s, at most {SIGN_AGE_MAX_S} s are allowed: set both \
         clocks by NTP; if they are right, an old request was sent again"
    )]
    Age { age_s: u64 },
    #[error(
        "the callback has no Standard Webhooks signature, the header {name} is missing: set webhook_secret in the \
         callback settings of the app as well, and check that no proxy on the way drops headers"
    )]
    WebhookUnsigned { name: &'static str },
    #[error(
        "webhook-signature was made with another secret, or for another body: compare the secret here with that in the \
         callback settings of the app, and hand over the body as it came"
    )]
    WebhookSignature,
    #[error(
        "webhook-timestamp differs from the clock here by {age_s} s, at most {WEBHOOK_AGE_MAX_S} s are allowed: set \
         both clocks by NTP; if they are right, an old request was sent again"
    )]
    WebhookAge { age_s: u64 },
    #[error("the header {name} is {found:?}, but it has to be {expected}: does a proxy on the way change headers?")]
    Header { name: &'static str, found: String, expected: &'static str },
    #[error("the body is not the JSON object that was expected: {reason}")]
    Body { reason: String },
    #[error("CallbackCommand is {query:?} in the query but {body:?} in the body: the request was put together wrongly")]
    CommandsDiffer { query: String, body: String },
}

/// A token or secret that proves nothing. It shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    #[error("there is no token: pass the one of the app's callback settings, or call Verifier::without_sign")]
    NoToken,
    #[error("a token is empty, so anyone could sign with it: check the setting or variable that it is read from")]
    EmptyToken,
    #[error("there is no webhook secret: pass the one of the app's callback settings, or leave this call out")]
    NoWebhookSecret,
    #[error("a webhook secret {0}")]
    WebhookSecret(#[from] WebhookSecretError),
}
