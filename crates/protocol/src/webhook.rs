//! The headers of a callback, and Standard Webhooks: the signature over its id, time and body
//! (<https://www.standardwebhooks.com>).
//!
//! `Sign` proves that a server knows the token, and says nothing of the body. This signature covers all of it.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The header with the event's id, the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the attempt's time, in seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one signature or more, with blanks between them.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The header with the lane of an event, and the life of the store before it (rule C5).
pub const LANE_HEADER: &str = "unsaid-lane";
/// The header with the event's number in its lane.
pub const NUMBER_HEADER: &str = "unsaid-number";
/// The header with the number of the event that was delivered before it in its lane.
pub const PREVIOUS_HEADER: &str = "unsaid-previous";
/// The header of an event that is sent again on request.
pub const REPLAY_HEADER: &str = "unsaid-replay";
/// The request that caused the event, as its answer and the server's log call it.
pub const REQUEST_HEADER: &str = "unsaid-request";

/// How far the attempt's time may be from the receiver's clock, in seconds.
pub const WEBHOOK_AGE_MAX_S: u64 = 300;

/// What stands before the secret as people pass it on.
const SECRET_PREFIX: &str = "whsec_";
/// What stands before a symmetric signature.
const VERSION_PREFIX: &str = "v1,";

const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;

/// The key that server and receiver share.
#[derive(Clone)]
pub struct WebhookSecret {
    key: Vec<u8>,
}

/// Why a text is no secret. It shows nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookSecretError {
    #[error("must be whsec_ and base64: make one with `openssl rand -base64 32`, and put whsec_ before it")]
    Form,
    #[error("holds {0} bytes, but has to hold {KEY_BYTES_MIN} to {KEY_BYTES_MAX}: make one of 32 bytes")]
    Length(usize),
}

impl WebhookSecret {
    /// Reads `whsec_` and the key in base64.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let digits = text.strip_prefix(SECRET_PREFIX).ok_or(WebhookSecretError::Form)?;
        let key = STANDARD.decode(digits).map_err(|_| WebhookSecretError::Form)?;
        if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            Ok(Self { key })
        } else {
            Err(WebhookSecretError::Length(key.len()))
        }
    }

    /// One signature as the header carries it: `v1,` and base64.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let tag = self.mac(id, &timestamp_s.to_string(), body).finalize().into_bytes();
        format!("{VERSION_PREFIX}{}", STANDARD.encode(tag))
    }

    /// Whether one of the signatures in the header was made with this secret. Takes the same time wherever they differ.
    pub fn verifies(&self, id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
        let tag = self.mac(id, timestamp, body).finalize().into_bytes();
        let given = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix(VERSION_PREFIX)?).ok());
        given.fold(false, |found, given| found | bool::from(given.as_slice().ct_eq(tag.as_slice())))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const BODY: &[u8] = br#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw"}"#;

    #[test]
    fn c3_the_signature_is_what_another_implementation_makes() {
        let secret = WebhookSecret::parse(SECRET).expect("valid");
        let expected = "v1,dWiFe+Jlwid1uT2ZHE8xSoYubDbnLgPz+7eAhuPo7pM=";
        assert_eq!(secret.sign("evt_1", 1_731_400_198, BODY), expected);
    }

    #[test]
    fn c3_a_signature_covers_id_time_and_body() {
        let secret = WebhookSecret::parse(SECRET).expect("valid");
        let signature = secret.sign("evt_1", 1_731_400_198, BODY);
        assert!(secret.verifies("evt_1", "1731400198", BODY, &signature));
        assert!(secret.verifies("evt_1", "1731400198", BODY, &format!("v1,AAAA v1a,x {signature}")));
        assert!(!secret.verifies("evt_2", "1731400198", BODY, &signature));
        assert!(!secret.verifies("evt_1", "1731400199", BODY, &signature));
        assert!(!secret.verifies("evt_1", "1731400198", b"{}", &signature));
        assert!(!secret.verifies("evt_1", "1731400198", BODY, ""));
        assert!(!secret.verifies("evt_1", "1731400198", BODY, &signature[3..]));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for (text, expected) in [
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", WebhookSecretError::Form),
            ("whsec_no base64", WebhookSecretError::Form),
            ("whsec_AAEC", WebhookSecretError::Length(3)),
            ("whsec_", WebhookSecretError::Length(0)),
        ] {
            assert_eq!(WebhookSecret::parse(text).expect_err(text), expected);
        }
        assert!(!format!("{:?}", WebhookSecret::parse(SECRET)).contains("AAEC"));
    }
}
