//! What this server wants to hear: of the accounts whose sessions are connected here, and of the shards that it delivers.
//!
//! It is a state that the link reads, not a queue of orders: an order that was lost would be a subscription that is missing
//! until the next start. It grows with the sessions that are connected, which are bounded (`limits.connections_max`).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::sync::Notify;
use unsaid_protocol::{SdkAppId, UserId};

use super::subject::{Subject, Subjects};
use crate::cluster::{Shard, ShardSet};

#[derive(Default)]
pub(super) struct Interest {
    /// Known once the bus has its link.
    subjects: OnceLock<Arc<Subjects>>,
    wanted: Mutex<Wanted>,
    changed: Notify,
}

struct Wanted {
    /// How many sessions there are of each account.
    accounts: HashMap<[u8; 16], u32>,
    shards: ShardSet,
    /// What has changed since the link looked last; none while it is away, for then it begins with everything.
    changes: Option<HashSet<Subject>>,
}

/// What the link has to do about a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Listen(Subject),
    Leave(Subject),
}

/// One session's interest in what is for its account, for as long as it is held.
pub struct Following(Option<(Arc<Interest>, [u8; 16])>);

impl Default for Wanted {
    fn default() -> Self {
        Self { accounts: HashMap::new(), shards: ShardSet::EMPTY, changes: None }
    }
}

impl Interest {
    pub(super) fn link(&self, subjects: &Arc<Subjects>) {
        assert!(self.subjects.set(Arc::clone(subjects)).is_ok(), "a bus has one link");
    }

    pub(super) fn follow(self: &Arc<Self>, app: SdkAppId, user: &UserId) -> Following {
        let subjects = self.subjects.get().expect("nobody connects before the bus has its link");
        let Subject::Account(account) = subjects.account(app, user) else { unreachable!("it is of an account") };
        let mut wanted = self.wanted();
        let sessions = wanted.accounts.entry(account).or_default();
        *sessions += 1;
        let is_first = *sessions == 1;
        if is_first {
            self.change(&mut wanted, Subject::Account(account));
        }
        Following(Some((Arc::clone(self), account)))
    }

    fn unfollow(&self, account: [u8; 16]) {
        let mut wanted = self.wanted();
        let Some(sessions) = wanted.accounts.get_mut(&account) else {
            return;
        };
        *sessions -= 1;
        if *sessions == 0 {
            wanted.accounts.remove(&account);
            self.change(&mut wanted, Subject::Account(account));
        }
    }

    pub(super) fn deliver(&self, shards: ShardSet) {
        let mut wanted = self.wanted();
        let before = std::mem::replace(&mut wanted.shards, shards);
        let changed = Shard::all().filter(|shard| before.contains(*shard) != shards.contains(*shard));
        changed.for_each(|shard| self.change(&mut wanted, Subject::Shard(shard)));
    }

    /// Everything that is wanted. From now on, what changes is noted.
    pub(super) fn begin(&self) -> Vec<Subject> {
        let mut wanted = self.wanted();
        wanted.changes = Some(HashSet::new());
        let accounts = wanted.accounts.keys().copied().map(Subject::Account);
        accounts.chain(wanted.shards.iter().map(Subject::Shard)).collect()
    }

    /// Nobody listens: what changes is not noted.
    pub(super) fn end(&self) {
        self.wanted().changes = None;
    }

    /// Waits until something may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is wanted now of what has changed since; at most `most` at once.
    pub(super) fn take_changes(&self, most: usize) -> Vec<Change> {
        let mut wanted = self.wanted();
        let Wanted { accounts, shards, changes } = &mut *wanted;
        let Some(changes) = changes else {
            return Vec::new();
        };
        let some: Vec<Subject> = changes.iter().take(most).copied().collect();
        some.iter().for_each(|subject| {
            changes.remove(subject);
        });
        if !changes.is_empty() {
            self.changed.notify_one();
        }
        let is_wanted = |subject| match subject {
            Subject::Account(account) => accounts.contains_key(&account),
            Subject::Shard(shard) => shards.contains(shard),
        };
        let change = |subject| if is_wanted(subject) { Change::Listen(subject) } else { Change::Leave(subject) };
        some.into_iter().map(change).collect()
    }

    fn change(&self, wanted: &mut Wanted, subject: Subject) {
        if let Some(changes) = &mut wanted.changes {
            changes.insert(subject);
            self.changed.notify_one();
        }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// Where there is no bus.
    pub fn nobody() -> Self {
        Self(None)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some((interest, account)) = self.0.take() {
            interest.unfollow(account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    fn interest() -> (Arc<Interest>, Arc<Subjects>) {
        let (interest, subjects) = (Arc::new(Interest::default()), Arc::new(Subjects::new(&[1; 32], "epoch")));
        interest.link(&subjects);
        (interest, subjects)
    }

    #[test]
    fn the_first_session_of_an_account_is_a_change_and_so_is_the_last() {
        let ((interest, subjects), jared) = (interest(), UserId::new("jared").expect("a name"));
        let subject = subjects.account(APP, &jared);
        assert!(interest.begin().is_empty());
        let phone = interest.follow(APP, &jared);
        assert_eq!(interest.take_changes(9), [Change::Listen(subject)]);
        let web = interest.follow(APP, &jared);
        drop(phone);
        assert!(interest.take_changes(9).is_empty(), "one is still there");
        drop(web);
        assert_eq!(interest.take_changes(9), [Change::Leave(subject)]);
        let _again = interest.follow(APP, &jared);
        interest.end();
        assert!(interest.take_changes(9).is_empty(), "nobody listens");
        assert_eq!(interest.begin(), [subject], "whoever begins to listen gets everything");
    }

    #[test]
    fn changes_come_in_pieces_and_shards_are_among_them() {
        let (interest, _) = interest();
        interest.begin();
        let two: ShardSet = [Shard(1), Shard(2)].into_iter().collect();
        interest.deliver(two);
        let mut changes = [interest.take_changes(1), interest.take_changes(1), interest.take_changes(1)].concat();
        changes.sort_by_key(|change| format!("{change:?}"));
        assert_eq!(changes, [Change::Listen(Subject::Shard(Shard(1))), Change::Listen(Subject::Shard(Shard(2)))]);
        interest.deliver([Shard(2), Shard(3)].into_iter().collect());
        let mut changes = interest.take_changes(9);
        changes.sort_by_key(|change| format!("{change:?}"));
        assert_eq!(changes, [Change::Leave(Subject::Shard(Shard(1))), Change::Listen(Subject::Shard(Shard(3)))]);
    }
}
