//! Before a message is sent: whom to ask, and what the answer means (rule C2).
//!
//! A send that has to be asked about goes three ways: it is checked, by the same rules that will store it and changing
//! nothing; the app backend is asked, while no transaction is open; then it is stored as the answer says, or not. What
//! the caller repeats meanwhile waits for the first answer.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::CallbackCommand, element::MsgBody};

use super::{
    applied::{ChatError, Refusal, Sent},
    send::{Lifetime, Send},
};
use crate::apps::App;

/// Whoever asks the app backend. Knows the network, as the domain does not.
pub trait Before: fmt::Debug + std::marker::Send + Sync + 'static {
    fn ask<'a>(
        &'a self,
        app: SdkAppId,
        question: Question<'a>,
    ) -> Pin<Box<dyn Future<Output = Verdict> + std::marker::Send + 'a>>;
}

/// What is asked: whether this message may be sent.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub send: &'a Send,
    pub key: MsgKey,
    pub id: &'a str,
}

/// What the app backend says.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is sent; what is given replaces what it says.
    Pass { body: Option<MsgBody>, custom_data: Option<String> },
    /// It is not sent, and the sender is told.
    Refuse(Refusal),
    /// It is not sent, and the sender is told that it was.
    Discard,
    /// There is no usable answer; the reason.
    Unanswered(String),
}

/// Whether the app backend has to be asked about a message.
pub(super) fn asks(app: &App, send: &Send) -> bool {
    let command = CallbackCommand::BeforeSendMsg;
    app.owes(command) && !send.forbidden_callbacks.contains(&command)
}

/// What was fixed before the question: the message that is stored is the one that was asked about, and is recognised when
/// the sender repeats what it has sent, whatever the app backend made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The second that `MsgTime` and `MsgKey` of the question name.
    pub time_s: u32,
    /// Of the content as it was sent.
    pub content_hash: i64,
}

/// What names a send while it is under way, and after it where nothing is stored of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    app: SdkAppId,
    from: UserId,
    to: UserId,
    seq: u32,
    random: u32,
    lifetime: Lifetime,
    content_hash: i64,
}

impl Key {
    pub(super) fn of(send: &Send) -> Self {
        Self {
            app: send.app,
            from: send.from.clone(),
            to: send.to.clone(),
            seq: send.seq,
            random: send.random,
            lifetime: send.lifetime,
            content_hash: send.content_hash(),
        }
    }

    #[cfg(test)]
    pub(super) fn numbered(seq: u32) -> Self {
        let user = UserId::new("jared").expect("a valid name");
        let (app, lifetime) = (SdkAppId(1_400_000_001), Lifetime::OnlineOnly);
        Self { app, from: user.clone(), to: user, seq, random: 1, lifetime, content_hash: 1 }
    }
}

/// Sends that are being asked about, or that nothing will be stored of. Each is there as long as someone waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    sends: Arc<Mutex<HashMap<Key, Arc<Slot>>>>,
}

type Slot = tokio::sync::Mutex<Option<Result<Sent, ChatError>>>;

/// A place among those who wait for one send.
struct Place<'a> {
    sends: &'a Mutex<HashMap<Key, Arc<Slot>>>,
    key: Key,
    /// Taken out when the place is given up.
    slot: Option<Arc<Slot>>,
}

impl UnderWay {
    /// Does it, or waits for whoever does the same already and gives the same answer. If that one goes away, the next one
    /// that waits does it.
    pub(super) async fn once<F>(&self, send: &Send, work: F) -> Result<Sent, ChatError>
    where
        F: Future<Output = Result<Sent, ChatError>>,
    {
        let place = self.place(send);
        let mut answer = place.slot().lock().await;
        if let Some(answer) = &*answer {
            return answer.clone();
        }
        let done = work.await;
        *answer = Some(done.clone());
        done
    }

    /// Among those who wait for this send; who is the first of them opens it.
    fn place(&self, send: &Send) -> Place<'_> {
        let key = Key::of(send);
        let slot = Arc::clone(lock(&self.sends).entry(key.clone()).or_default());
        Place { sends: &self.sends, key, slot: Some(slot) }
    }
}

impl Place<'_> {
    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("a place has its slot until it is dropped")
    }
}

impl Drop for Place<'_> {
    /// The share is given up while the map is locked: of those who leave at once, the last one sees that it is the last.
    fn drop(&mut self) {
        let mut sends = lock(self.sends);
        self.slot = None;
        if sends.get(&self.key).is_some_and(|slot| Arc::strong_count(slot) == 1) {
            sends.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Barrier};

    use serde_json::value::RawValue;
    use unsaid_protocol::error;

    use super::*;
    use crate::chat::{Lifetime, MessageFlags, Origin};

    fn send() -> Send {
        let user = |name: &str| UserId::new(name).expect("a valid name");
        let json = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"lunch at noon?"}}]"#;
        let json = RawValue::from_string(json.to_owned()).expect("JSON");
        Send {
            app: SdkAppId(1_400_000_001),
            from: user("jared"),
            to: user("Jonh"),
            seq: 1,
            random: 2,
            body: MsgBody::parse(&json).expect("a body"),
            custom_data: String::new(),
            push_info: String::new(),
            lifetime: Lifetime::Stored,
            flags: MessageFlags::COUNTED,
            client_time_s: None,
            forbidden_callbacks: Vec::new(),
            origin: Origin::LOCAL,
            by_client: false,
            asked: None,
        }
    }

    /// An answer that can be told from others.
    fn refusal(text: &'static str) -> Result<Sent, ChatError> {
        Err(Refusal::new(error::BEFORE_REFUSED, text).into())
    }

    fn text(answer: Result<Sent, ChatError>) -> String {
        answer.expect_err("it was refused").to_string()
    }

    #[tokio::test]
    async fn c2_if_the_first_caller_goes_away_who_waits_does_it() {
        let (under_way, send) = (UnderWay::default(), send());
        let mut first = Box::pin(under_way.once(&send, pending()));
        let mut second = Box::pin(under_way.once(&send, async { refusal("of the second") }));
        assert!(now(first.as_mut()).is_none(), "it is being asked about");
        assert!(now(second.as_mut()).is_none(), "the second waits for the first");
        drop(first);
        assert!(text(second.await).contains("of the second"));
        assert!(lock(&under_way.sends).is_empty());
    }

    #[tokio::test]
    async fn c2_an_answer_is_forgotten_when_nobody_waits_for_it() {
        let (under_way, send) = (UnderWay::default(), send());
        assert!(text(under_way.once(&send, async { refusal("once") }).await).contains("once"));
        assert!(text(under_way.once(&send, async { refusal("twice") }).await).contains("twice"));
        assert!(lock(&under_way.sends).is_empty());
    }

    /// They leave at the same moment, on different threads; an answer that stayed would be given for ever.
    #[test]
    fn c2_an_answer_is_forgotten_when_all_leave_at_once() {
        const CALLERS: usize = 8;
        let under_way = UnderWay::default();
        let together = Barrier::new(CALLERS);
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    for round in 0..8_000 {
                        let place = under_way.place(&send());
                        together.wait();
                        drop(place);
                        together.wait();
                        assert!(lock(&under_way.sends).is_empty(), "round {round}: an answer stayed");
                        together.wait();
                    }
                });
            }
        });
    }

    /// What a future has come to by now.
    fn now<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
