//! Sends that nothing is stored of, remembered for as long as a repeat of them has to be recognised (rest 4.1).
//!
//! Only in memory and only so many: a restart, or very many of them, costs a repeat that is sent twice. What is stored is
//! recognised by the store itself (`send.rs`).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{applied::Sent, before::Key};
use crate::{clock::Clock, limits};

/// What was answered to the latest of them.
#[derive(Clone, Debug)]
pub(super) struct OnlineOnly {
    clock: Clock,
    recent: Arc<Mutex<Recent>>,
}

#[derive(Debug, Default)]
struct Recent {
    answers: HashMap<Key, Sent>,
    /// The same in their order, with the moment from which each is no repeat's any more.
    order: VecDeque<(Instant, Key)>,
}

impl OnlineOnly {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, recent: Arc::default() }
    }

    /// What the first one was answered.
    pub(super) fn first(&self, key: &Key) -> Option<Sent> {
        self.with_recent(|recent, _| recent.answers.get(key).cloned())
    }

    pub(super) fn remember(&self, key: Key, sent: Sent) {
        self.with_recent(|recent, now| {
            if recent.answers.len() >= limits::ONLINE_ONLY_REMEMBERED_MAX {
                recent.forget_oldest();
            }
            let until = now + Duration::from_secs(limits::REPEAT_WINDOW_S.into());
            if recent.answers.insert(key.clone(), sent).is_none() {
                recent.order.push_back((until, key));
            }
        });
    }

    /// Without those whose time is over.
    fn with_recent<T>(&self, use_it: impl FnOnce(&mut Recent, Instant) -> T) -> T {
        let now = self.clock.instant();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.order.front().is_some_and(|(until, _)| *until <= now) {
            recent.forget_oldest();
        }
        use_it(&mut recent, now)
    }
}

impl Recent {
    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.answers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::MsgKey;

    use super::*;

    fn sent(number: u32) -> Sent {
        Sent { key: MsgKey { seq: number, random: 1, time: 1 }, id: String::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn c2_a_send_that_is_stored_nowhere_is_remembered_for_120_s() {
        let online_only = OnlineOnly::new(Clock::system());
        let key = Key::numbered(1);
        assert_eq!(online_only.first(&key), None);
        online_only.remember(key.clone(), sent(1));
        tokio::time::advance(Duration::from_millis(119_999)).await;
        assert_eq!((online_only.first(&key), online_only.first(&Key::numbered(2))), (Some(sent(1)), None));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(online_only.first(&key), None);
        online_only.remember(key.clone(), sent(2));
        assert_eq!(online_only.first(&key), Some(sent(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn i6_only_so_many_are_remembered_and_the_oldest_is_forgotten() {
        let online_only = OnlineOnly::new(Clock::system());
        let most = u32::try_from(limits::ONLINE_ONLY_REMEMBERED_MAX).expect("few");
        for number in 0..=most {
            online_only.remember(Key::numbered(number), sent(number));
        }
        assert_eq!(online_only.first(&Key::numbered(0)), None);
        assert_eq!(online_only.first(&Key::numbered(1)), Some(sent(1)));
        assert_eq!(online_only.first(&Key::numbered(most)), Some(sent(most)));
        let recent = online_only.recent.lock().expect("nobody panicked with it");
        assert_eq!((recent.answers.len(), recent.order.len()), (most as usize, most as usize));
    }
}
