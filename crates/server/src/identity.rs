//! Verified UserSigs: proving one costs more than everything else that is read of a request, and callers use the same
//! one for days, so what was proven is remembered.
//!
//! Only the signature is remembered. Whether the caller is an admin, the app enabled and the signature unexpired is
//! asked at every use.

#[cfg(any(test, feature = "pieces"))]
pub(crate) mod pieces;

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use unsaid_protocol::{
    SdkAppId, error,
    usersig::{self, DecodeError},
};

use crate::{apps::App, chat::Refusal, limits};

/// The signatures that were proven, by what was proven.
#[derive(Debug)]
pub struct Identities {
    verified: Cache<Key, Verified>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    app: SdkAppId,
    key_generation: u64,
    /// Of the text, so that the text itself is not kept.
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
struct Verified {
    identifier: String,
    validity: Validity,
}

/// From when until when a signature holds, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    pub made_s: u64,
    pub expires_s: u64,
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}

impl Identities {
    pub fn new() -> Self {
        Self { verified: Cache::new(limits::VERIFIED_USERSIGS_MAX) }
    }

    /// Proves that `usersig` was made for `identifier` with a key of the app, and still holds: steps 4 to 9 of
    /// rest 1.6.
    pub fn verify(&self, app: &App, identifier: Option<&str>, usersig: &str, now_s: u64) -> Result<Validity, Refusal> {
        let digest: [u8; 32] = Sha256::digest(usersig.as_bytes()).into();
        let key = |key_generation| Key { app: app.sdkappid, key_generation, digest };
        for secret in &app.keys {
            if let Some(known) = self.verified.get(&key(secret.generation))
                && identifier == Some(known.identifier.as_str())
            {
                return known.validity.at(now_s);
            }
        }
        let (generation, verified) = prove(app, identifier, usersig)?;
        let validity = verified.validity;
        self.verified.insert(key(generation), verified);
        validity.at(now_s)
    }
}

fn prove(app: &App, identifier: Option<&str>, usersig: &str) -> Result<(u64, Verified), Refusal> {
    let refuse = |code, info: String| Err(Refusal::new(code, info));
    let claims = match usersig::decode(usersig) {
        Ok(claims) => claims,
        Err(DecodeError::Empty) => {
            return refuse(error::USERSIG_EMPTY, "usersig is missing or empty".to_owned());
        }
        Err(error) => return refuse(error::USERSIG_ILLEGAL, error.to_string()),
    };
    if claims.sdkappid != u64::from(app.sdkappid.0) {
        let info = format!("the UserSig was made for app {}, not for {}", claims.sdkappid, app.sdkappid);
        return refuse(error::USERSIG_SDKAPPID, info);
    }
    match identifier {
        None | Some("") => {
            return refuse(error::IDENTIFIER_MISSING, "identifier is missing".to_owned());
        }
        Some(identifier) if identifier != claims.identifier => {
            return refuse(error::USERSIG_IDENTIFIER, "the UserSig was made for another identifier".to_owned());
        }
        Some(_) => {}
    }
    let Some(key) = app.keys.iter().find(|key| claims.verify(key.secret.expose())) else {
        return refuse(error::USERSIG_WRONG, "the UserSig was not made with a key of this app".to_owned());
    };
    let validity = Validity { made_s: claims.time_s, expires_s: claims.expires_s() };
    Ok((key.generation, Verified { identifier: claims.identifier, validity }))
}

impl Validity {
    /// Itself, if it still holds.
    fn at(self, now_s: u64) -> Result<Self, Refusal> {
        if now_s > self.expires_s {
            let info = format!("the UserSig expired {} s ago: make a new one", now_s - self.expires_s);
            return Err(Refusal::new(error::USERSIG_EXPIRED, info));
        }
        Ok(self)
    }
}
