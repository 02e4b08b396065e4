//! `UserSig`, version 2: who a caller is, proven with the app's secret key (rest 2).
//!
//! The text is base64 (with `*`, `-`, `_` for `+`, `/`, `=`) of a zlib stream of JSON. It is not canonical, so it is
//! decoded and verified, never compared.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::SdkAppId;

/// The longest text that is looked at, in bytes.
pub const USERSIG_BYTES_MAX: usize = 8 * 1024;

/// How much the compressed part may inflate to, in bytes: a bomb ends here.
const INFLATED_BYTES_MAX: u64 = 64 * 1024;

/// What a `UserSig` claims. Nothing of it holds before [`Claims::verify`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    pub identifier: String,
    #[serde(rename = "TLS.sdkappid")]
    pub sdkappid: u64,
    /// How long it is valid, in seconds.
    #[serde(rename = "TLS.expire")]
    pub expire_s: u64,
    /// When it was made, in seconds since 1970.
    #[serde(rename = "TLS.time")]
    pub time_s: u64,
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf_base64: Option<String>,
    #[serde(rename = "TLS.sig")]
    sig_base64: String,
}

/// Why a text is no `UserSig`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the UserSig is empty")]
    Empty,
    #[error("the UserSig is longer than {USERSIG_BYTES_MAX} bytes")]
    TooLong,
    #[error("the UserSig is not in its base64 form: it was truncated, or escaped twice")]
    Base64,
    #[error("the compressed part of the UserSig is broken or far too large")]
    Compressed,
    #[error("the inner JSON of the UserSig lacks a field or has a wrong type")]
    Fields,
}

/// What a `UserSig` is made from.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    pub sdkappid: SdkAppId,
    pub identifier: &'a str,
    /// Now, in seconds since 1970.
    pub time_s: u64,
    /// How long it shall be valid, in seconds.
    pub expire_s: u64,
    /// Privileges of other products; a chat server only carries them in what is signed.
    pub userbuf: Option<&'a [u8]>,
}

/// Makes a `UserSig`. `key` is the secret as it is shown: its characters are the key, it is not decoded.
pub fn make(key: &str, order: Order<'_>) -> String {
    let userbuf_base64 = order.userbuf.map(|bytes| STANDARD.encode(bytes));
    let mut claims = Claims {
        version: "2.0".to_owned(),
        identifier: order.identifier.to_owned(),
        sdkappid: u64::from(order.sdkappid.0),
        expire_s: order.expire_s,
        time_s: order.time_s,
        userbuf_base64,
        sig_base64: String::new(),
    };
    claims.sig_base64 = STANDARD.encode(claims.mac(key).finalize().into_bytes());
    let json = serde_json::to_vec(&claims).expect("strings and numbers serialize");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&json).expect("writing to memory succeeds");
    let compressed = zlib.finish().expect("writing to memory succeeds");
    STANDARD.encode(compressed).replace('+', "*").replace('/', "-").replace('=', "_")
}

/// Reads the text, already percent-decoded. The result proves nothing yet.
pub fn decode(text: &str) -> Result<Claims, DecodeError> {
    if text.is_empty() {
        return Err(DecodeError::Empty);
    }
    if text.len() > USERSIG_BYTES_MAX {
        return Err(DecodeError::TooLong);
    }
    let standard: String = text
        .trim_end_matches('_')
        .chars()
        .map(|character| match character {
            '*' => '+',
            '-' => '/',
            other => other,
        })
        .collect();
    let compressed =
        base64::engine::general_purpose::STANDARD_NO_PAD.decode(standard).map_err(|_| DecodeError::Base64)?;
    let mut json = Vec::new();
    ZlibDecoder::new(compressed.as_slice())
        .take(INFLATED_BYTES_MAX + 1)
        .read_to_end(&mut json)
        .map_err(|_| DecodeError::Compressed)?;
    if json.len() as u64 > INFLATED_BYTES_MAX {
        return Err(DecodeError::Compressed);
    }
    if json.first() != Some(&b'{') {
        return Err(DecodeError::Fields);
    }
    serde_json::from_slice(&json).map_err(|_| DecodeError::Fields)
}

impl Claims {
    /// Whether they were signed with `key`. Takes the same time wherever the signature differs.
    pub fn verify(&self, key: &str) -> bool {
        let Ok(sig) = STANDARD.decode(&self.sig_base64) else {
            return false;
        };
        self.mac(key).verify_slice(&sig).is_ok()
    }

    /// Whether they no longer hold at `now_s`. The last second still counts.
    pub fn expired(&self, now_s: u64) -> bool {
        now_s > self.expires_s()
    }

    /// The last second at which they hold.
    pub fn expires_s(&self) -> u64 {
        self.time_s.saturating_add(self.expire_s)
    }

    fn mac(&self, key: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(
            format!(
                "TLS.identifier:{}\nTLS.sdkappid:{}\nTLS.time:{}\nTLS.expire:{}\n",
                self.identifier, self.sdkappid, self.time_s, self.expire_s
            )
            .as_bytes(),
        );
        if let Some(userbuf) = &self.userbuf_base64 {
            mac.update(format!("TLS.userbuf:{userbuf}\n").as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        sdkappid: u32,
        key: String,
        identifier: String,
        time: u64,
        expire: u64,
        userbuf_base64: Option<String>,
        sig: String,
        usersig: Vec<String>,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("../tests/usersig-vectors.json")).expect("the vectors are valid")
    }

    #[test]
    fn the_texts_of_the_public_generators_verify() {
        for vector in vectors() {
            for text in &vector.usersig {
                let claims = decode(text).expect(&vector.name);
                assert_eq!(claims.identifier, vector.identifier);
                assert_eq!(claims.sdkappid, u64::from(vector.sdkappid));
                assert_eq!(claims.sig_base64, vector.sig);
                assert!(claims.verify(&vector.key), "{}", vector.name);
                assert!(!claims.verify("another key"), "{}", vector.name);
                assert!(!claims.expired(vector.time + vector.expire));
                assert!(claims.expired(vector.time + vector.expire + 1));
                assert!(decode(text.trim_end_matches('_')).is_ok(), "padding may be missing");
            }
        }
    }

    #[test]
    fn what_is_made_has_the_signature_of_the_public_generators() {
        for vector in vectors() {
            let userbuf = vector.userbuf_base64.map(|text| STANDARD.decode(text).expect("valid"));
            let text = make(
                &vector.key,
                Order {
                    sdkappid: SdkAppId(vector.sdkappid),
                    identifier: &vector.identifier,
                    time_s: vector.time,
                    expire_s: vector.expire,
                    userbuf: userbuf.as_deref(),
                },
            );
            assert_eq!(decode(&text).expect("what we make decodes").sig_base64, vector.sig, "{}", vector.name);
        }
    }

    #[test]
    fn a_changed_claim_does_not_verify() {
        for vector in vectors() {
            let claims = decode(&vector.usersig[0]).expect("valid");
            for changed in [
                Claims { identifier: "mallory".to_owned(), ..claims.clone() },
                Claims { sdkappid: claims.sdkappid + 1, ..claims.clone() },
                Claims { expire_s: claims.expire_s + 1, ..claims.clone() },
                Claims { time_s: claims.time_s + 1, ..claims.clone() },
                Claims { userbuf_base64: Some("eA==".to_owned()), ..claims.clone() },
                Claims { sig_base64: String::new(), ..claims.clone() },
                Claims { sig_base64: "?".to_owned(), ..claims.clone() },
            ] {
                assert!(!changed.verify(&vector.key), "{changed:?}");
            }
        }
    }

    #[test]
    fn a_bomb_ends_early() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&vec![b' '; 4 * 1024 * 1024]).expect("memory");
        let text =
            STANDARD.encode(zlib.finish().expect("memory")).replace('+', "*").replace('/', "-").replace('=', "_");
        assert!(text.len() < USERSIG_BYTES_MAX);
        assert_eq!(decode(&text), Err(DecodeError::Compressed));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9*_+/=-]{0,200}") {
            let _ = decode(&text);
        }

        #[test]
        fn no_inner_json_makes_it_panic(json in ".{0,200}") {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(json.as_bytes()).expect("memory");
            let _ = decode(&STANDARD.encode(zlib.finish().expect("memory")));
        }
    }
}
