//! Subjects: where what is said is heard. They are made of hashes, since UserIDs may hold what means something to NATS (`.`,
//! `*`, `>`, blanks); with a key, so that whoever reads along cannot find out whom they name by trying.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unsaid_protocol::{SdkAppId, UserId, sign::hex};

use crate::cluster::Shard;

/// What is listened to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Subject {
    /// What is for the devices of an account.
    Account([u8; 16]),
    /// What is for whoever delivers the lanes of a shard.
    Shard(Shard),
}

/// The subjects of one cluster.
pub(super) struct Subjects {
    mac: Hmac<Sha256>,
    prefix: Arc<str>,
}

impl Subjects {
    pub(super) fn new(key: &[u8; 32], epoch: &str) -> Self {
        let mac = mac(key, "subjects");
        let cluster = mac.clone().chain_update(b"cluster\0").chain_update(epoch).finalize().into_bytes();
        Self { mac, prefix: format!("unsaid.{}", hex(&cluster[..8])).into() }
    }

    pub(super) fn account(&self, app: SdkAppId, user: &UserId) -> Subject {
        let hash = self.mac.clone().chain_update(b"account\0").chain_update(app.0.to_be_bytes());
        let hash = hash.chain_update(user.as_str()).finalize().into_bytes();
        Subject::Account(hash[..16].try_into().expect("a hash has 32 bytes"))
    }

    /// As NATS knows it.
    pub(super) fn name(&self, subject: Subject) -> String {
        match subject {
            Subject::Account(hash) => format!("{}.a.{}", self.prefix, hex(&hash)),
            Subject::Shard(Shard(number)) => format!("{}.s.{number}", self.prefix),
        }
    }
}

impl Subject {
    /// What this subscription is called on a connection: the same each time, so that saying it twice changes nothing.
    pub(super) fn subscription(self) -> String {
        match self {
            Self::Account(hash) => hex(&hash),
            Self::Shard(Shard(number)) => format!("s{number}"),
        }
    }
}

/// A key of its own for each purpose.
pub(super) fn mac(key: &[u8; 32], purpose: &str) -> Hmac<Sha256> {
    let new = |key: &[u8]| <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    let own = new(key).chain_update(b"unsaid bus\0").chain_update(purpose).finalize().into_bytes();
    new(&own)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    #[test]
    fn whatever_a_user_is_called_its_subject_is_one_that_nats_takes() {
        let subjects = Subjects::new(&[7; 32], "epoch");
        let mut seen = HashSet::new();
        for user in ["a", "a.b", "*", ">", "a b", "..", "$SYS.>", " ", "a*", "unsaid", "\"", "{}"] {
            let name = subjects.name(subjects.account(APP, &UserId::new(user).expect("a name")));
            let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            assert!(name.split('.').all(is_plain) && name.split('.').count() == 4, "{name}");
            assert!(seen.insert(name), "{user:?}");
        }
    }

    #[test]
    fn another_key_epoch_or_app_is_another_subject() {
        let jared = UserId::new("jared").expect("a name");
        let name = |key: u8, epoch: &str, app: u32| {
            let subjects = Subjects::new(&[key; 32], epoch);
            subjects.name(subjects.account(SdkAppId(app), &jared))
        };
        let all = [name(1, "e", 1), name(2, "e", 1), name(1, "f", 1), name(1, "e", 2)];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4, "{all:?}");
        assert_eq!(name(1, "e", 1), name(1, "e", 1));
    }
}
