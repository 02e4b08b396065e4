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
    send::Send,
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

/// What names a send while it is under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    app: SdkAppId,
    from: UserId,
    to: UserId,
    seq: u32,
    random: u32,
    content_hash: i64,
}

/// Sends that are being asked about. Each is there as long as someone waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    sends: Arc<Mutex<HashMap<Key, Arc<Slot>>>>,
}

type Slot = tokio::sync::Mutex<Option<Result<Sent, ChatError>>>;

/// A place among those who wait for one send.
struct Place<'a> {
    sends: &'a Mutex<HashMap<Key, Arc<Slot>>>,
    key: Key,
    slot: Arc<Slot>,
}

impl UnderWay {
    /// Does it, or waits for whoever does the same already and gives the same answer. If that one goes away, the next one
    /// that waits does it.
    pub(super) async fn once<F>(&self, send: &Send, work: F) -> Result<Sent, ChatError>
    where
        F: Future<Output = Result<Sent, ChatError>>,
    {
        let key = Key {
            app: send.app,
            from: send.from.clone(),
            to: send.to.clone(),
            seq: send.seq,
            random: send.random,
            content_hash: send.content_hash(),
        };
        let slot = Arc::clone(lock(&self.sends).entry(key.clone()).or_default());
        let place = Place { sends: &self.sends, key, slot };
        let mut answer = place.slot.lock().await;
        if let Some(answer) = &*answer {
            return answer.clone();
        }
        let done = work.await;
        *answer = Some(done.clone());
        done
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut sends = lock(self.sends);
        // The map's own, and this one.
        if Arc::strong_count(&self.slot) <= 2 {
            sends.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
