//! Who is signed in. A session is named by a random text that its browser alone has; here is only a hash of it.
//!
//! It ends after an hour without a click, after twelve hours anyway, by signing out, and with its token: that is asked again at
//! each request. None outlives the server.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use unsaid_protocol::sign::hex;

use super::page::Said;
use crate::{
    apps::Secret,
    clock::{Clock, Entropy},
    limits,
};

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions {
    by_name: Mutex<HashMap<Name, Session>>,
}

/// The hash of the text that a browser has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Name([u8; 32]);

struct Session {
    /// The token that it was opened with.
    token: String,
    /// What every form of it has to bring.
    csrf: Secret,
    began: Instant,
    used: Instant,
    /// What is to be said once, and on which page.
    said: Option<(String, Said)>,
}

/// Why a session is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// Somebody has clicked.
    Click,
    /// A page looks for news by itself, which keeps nobody signed in.
    Poll,
}

/// A session that was found.
pub(super) struct Known {
    pub(super) name: Name,
    pub(super) token: String,
    pub(super) csrf: Secret,
}

impl Sessions {
    /// Opens one; the answer is the text for the browser.
    pub(super) fn open(&self, token: String, clock: &Clock, entropy: &Entropy) -> Secret {
        let (text, csrf, now) = (draw(entropy), draw(entropy), clock.instant());
        let mut by_name = self.by_name();
        by_name.retain(|_, session| session.is_open(now));
        // Whoever was away longest has to sign in again.
        if by_name.len() >= limits::CONSOLE_SESSIONS_MAX
            && let Some(name) = by_name.iter().min_by_key(|(_, session)| session.used).map(|(name, _)| *name)
        {
            by_name.remove(&name);
        }
        by_name.insert(name_of(text.expose()), Session { token, csrf, began: now, used: now, said: None });
        text
    }

    pub(super) fn find(&self, text: &str, why: Use, clock: &Clock) -> Option<Known> {
        let (name, now) = (name_of(text), clock.instant());
        let mut by_name = self.by_name();
        let session = by_name.get_mut(&name)?;
        if !session.is_open(now) {
            by_name.remove(&name);
            return None;
        }
        if why == Use::Click {
            session.used = now;
        }
        Some(Known { name, token: session.token.clone(), csrf: session.csrf.clone() })
    }

    pub(super) fn close(&self, name: Name) {
        self.by_name().remove(&name);
    }

    /// Keeps what the page at `path` has to say once.
    pub(super) fn say(&self, name: Name, path: &str, said: Said) {
        if let Some(session) = self.by_name().get_mut(&name) {
            session.said = Some((path.to_owned(), said));
        }
    }

    pub(super) fn hear(&self, name: Name, path: &str) -> Option<Said> {
        let mut by_name = self.by_name();
        let said = &mut by_name.get_mut(&name)?.said;
        said.take_if(|(place, _)| place == path).map(|(_, said)| said)
    }

    fn by_name(&self) -> MutexGuard<'_, HashMap<Name, Session>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_open(&self, now: Instant) -> bool {
        now - self.used < limits::CONSOLE_IDLE_MAX && now - self.began < limits::CONSOLE_SESSION_MAX
    }
}

impl Known {
    /// Whether a form is one of this session's; compared in the same time wherever it differs.
    pub(super) fn gave(&self, csrf: &str) -> bool {
        self.csrf.expose().as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

fn name_of(text: &str) -> Name {
    Name(Sha256::digest(text).into())
}

/// 256 bits.
fn draw(entropy: &Entropy) -> Secret {
    let bytes: Vec<u8> = (0..4).flat_map(|_| entropy.next_u64().to_be_bytes()).collect();
    Secret::new(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;

    fn start() -> (Sessions, Clock, Entropy) {
        (Sessions::default(), Clock::standing_at(Timestamp(0)), Entropy::seeded([7; 32]))
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_an_hour_after_the_last_click() {
        let (sessions, clock, entropy) = start();
        let text = sessions.open("tok_1".to_owned(), &clock, &entropy);
        let find = |why| sessions.find(text.expose(), why, &clock).is_some();
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(50 * 60)).await;
            assert!(find(Use::Click));
        }
        tokio::time::advance(Duration::from_secs(50 * 60)).await;
        assert!(find(Use::Poll), "a page that polls is still shown");
        tokio::time::advance(Duration::from_secs(11 * 60)).await;
        assert!(!find(Use::Click), "and keeps nobody signed in");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_twelve_hours_of_clicks() {
        let (sessions, clock, entropy) = start();
        let text = sessions.open("tok_1".to_owned(), &clock, &entropy);
        let mut clicks = 0;
        while sessions.find(text.expose(), Use::Click, &clock).is_some() {
            tokio::time::advance(Duration::from_secs(30 * 60)).await;
            clicks += 1;
        }
        assert_eq!(clicks, 24);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_and_the_longest_away_goes_first() {
        let (sessions, clock, entropy) = start();
        let first = sessions.open("tok_1".to_owned(), &clock, &entropy);
        let second = sessions.open("tok_1".to_owned(), &clock, &entropy);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(sessions.find(first.expose(), Use::Click, &clock).is_some());
        for _ in 2..=limits::CONSOLE_SESSIONS_MAX {
            sessions.open("tok_1".to_owned(), &clock, &entropy);
        }
        assert_eq!(sessions.by_name().len(), limits::CONSOLE_SESSIONS_MAX);
        assert!(sessions.find(first.expose(), Use::Click, &clock).is_some());
        assert!(sessions.find(second.expose(), Use::Click, &clock).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_is_heard_once_and_on_its_page_only() {
        let (sessions, clock, entropy) = start();
        let text = sessions.open("tok_1".to_owned(), &clock, &entropy);
        let known = sessions.find(text.expose(), Use::Click, &clock).expect("it is open");
        sessions.say(known.name, "/console/apps", Said::Done("made".to_owned()));
        assert!(sessions.hear(known.name, "/console/tokens").is_none());
        assert!(sessions.hear(known.name, "/console/apps").is_some());
        assert!(sessions.hear(known.name, "/console/apps").is_none());
        assert!(known.gave(known.csrf.expose()) && !known.gave("") && !known.gave(text.expose()));
    }
}
