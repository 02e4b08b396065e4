//! The way of a callback through a receiver: verified, held against the memory, handled once, remembered, answered.

use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Answer, Delivery, Event, Judgement, Memory, Missed, Rejection, Request, Verifier};

/// What arrives is handed to a handler of yours at most once at a time, and not again once it was accepted.
#[derive(Debug)]
pub struct Receiver<M> {
    verifier: Verifier,
    state: Mutex<State<M>>,
}

#[derive(Debug)]
struct State<M> {
    memory: M,
    /// Deliveries that are being handled, by id and replay.
    under_way: HashSet<(String, Option<u64>)>,
}

/// A callback that is verified.
#[derive(Clone, PartialEq, Debug)]
pub struct Callback {
    pub event: Event,
    /// `ClientIP`: from where it was caused.
    pub client_ip: Option<String>,
    /// `OptPlatform`: through which kind of client, `RESTAPI` for an admin.
    pub platform: Option<String>,
    /// None from a service that names no events; then the handler itself has to see repeats.
    pub delivery: Option<Delivery>,
    /// What was delivered before it in its lane, but not here. Ask whoever runs the server for a replay.
    pub missed: Option<Missed>,
}

/// What a request is.
#[derive(Debug)]
#[must_use = "a new callback has to be handled"]
pub enum Begun<'a, M> {
    /// To be handled.
    New(Box<Handling<'a, M>>),
    /// It was handled before; the answer is that of then.
    Repeat(Delivery),
    /// Another request has brought it and is not answered yet; it is told to come again.
    UnderWay(Delivery),
}

/// A callback in the hands of its handler. Dropped without [`Handling::finish`], it counts as not handled.
#[derive(Debug)]
pub struct Handling<'a, M> {
    pub callback: Callback,
    of: &'a Receiver<M>,
}

/// Why a request is not handled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unhandled<E> {
    /// It is no callback of this app.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The memory failed, so it is not known whether it was handled; the callback comes again.
    #[error("the memory of callbacks failed: {0}")]
    Memory(E),
}

impl<M: Memory> Receiver<M> {
    pub fn new(verifier: Verifier, memory: M) -> Self {
        Self { verifier, state: Mutex::new(State { memory, under_way: HashSet::new() }) }
    }

    /// Verifies a request, lets `handler` handle it unless it is a repeat, and says what to answer. `now_s` is the time
    /// in seconds since 1970.
    pub fn receive(
        &self,
        request: Request<'_>,
        now_s: i64,
        handler: impl FnOnce(&Callback) -> Answer,
    ) -> Result<Answer, Unhandled<M::Error>> {
        match self.begin(request, now_s)? {
            Begun::New(handling) => {
                let answer = handler(&handling.callback);
                handling.finish(answer)
            }
            Begun::Repeat(_) => Ok(Answer::accept()),
            Begun::UnderWay(_) => Ok(Answer::under_way()),
        }
    }

    /// The first half of [`Receiver::receive`], for a handler that has to be waited for.
    pub fn begin(&self, request: Request<'_>, now_s: i64) -> Result<Begun<'_, M>, Unhandled<M::Error>> {
        let verified = self.verifier.verify(request, now_s)?;
        let event = verified.event()?;
        // A question is asked once, and its answer is not remembered.
        let named = verified.delivery.as_ref().filter(|_| !event.is_question());
        let missed = match named {
            None => None,
            Some(delivery) => {
                let state = &mut *self.state();
                let remembered = state.memory.look_up(delivery).map_err(Unhandled::Memory)?;
                let Judgement::New { missed } = delivery.judge(remembered) else {
                    return Ok(Begun::Repeat(delivery.clone()));
                };
                if !state.under_way.insert(key(delivery)) {
                    return Ok(Begun::UnderWay(delivery.clone()));
                }
                missed
            }
        };
        let callback = Callback {
            event,
            client_ip: verified.client_ip.map(Into::into),
            platform: verified.platform.map(Into::into),
            delivery: verified.delivery,
            missed,
        };
        Ok(Begun::New(Box::new(Handling { callback, of: self })))
    }
}

impl<M> Receiver<M> {
    /// A memory that panicked is used on: what it has forgotten comes again.
    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Memory> Handling<'_, M> {
    /// Remembers the callback if it was accepted, and gives the answer back. If it can't be remembered, it is not
    /// accepted: the callback comes again.
    pub fn finish(self, answer: Answer) -> Result<Answer, Unhandled<M::Error>> {
        if let Some(delivery) = self.named()
            && answer.accepts()
        {
            self.of.state().memory.remember(delivery).map_err(Unhandled::Memory)?;
        }
        Ok(answer)
    }
}

impl<M> Handling<'_, M> {
    /// The delivery, where it is one that is remembered.
    fn named(&self) -> Option<&Delivery> {
        self.callback.delivery.as_ref().filter(|_| !self.callback.event.is_question())
    }
}

impl<M> Drop for Handling<'_, M> {
    fn drop(&mut self) {
        if let Some(delivery) = self.named() {
            self.of.state().under_way.remove(&key(delivery));
        }
    }
}

impl<E: fmt::Display> Unhandled<E> {
    /// What to answer.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Rejected(rejection) => Answer::reject(rejection),
            Self::Memory(_) => Answer::later(None, "the memory of callbacks failed; see the receiver's log"),
        }
    }
}

fn key(delivery: &Delivery) -> (String, Option<u64>) {
    (delivery.id.clone(), delivery.replay)
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::SdkAppId;

    use super::*;
    use crate::{Headers, Recent, Remembered};

    const TARGET: &str =
        "/im?SdkAppid=7&CallbackCommand=C2C.CallbackAfterMsgWithDraw&ClientIP=203.0.113.9&OptPlatform=iOS";
    const BODY: &str =
        r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"a","To_Account":"b","MsgKey":"1_2_3"}"#;

    fn receiver<M: Memory>(memory: M) -> Receiver<M> {
        Receiver::new(Verifier::without_sign(SdkAppId(7)), memory)
    }

    fn recall(headers: Headers<'_>) -> Request<'_> {
        Request { method: "POST", path_and_query: TARGET, headers, body: BODY.as_bytes() }
    }

    const FIRST: Headers<'_> = Headers {
        id: Some("evt_1"),
        timestamp: None,
        signature: None,
        lane: Some("1.b"),
        number: Some("1"),
        previous: Some("0"),
        replay: None,
    };

    /// How often the handler was called for these requests, and what was answered to each.
    fn handled(receiver: &Receiver<Recent>, requests: &[Headers<'_>], answer: &Answer) -> (usize, Vec<u16>) {
        let mut count = 0;
        let mut statuses = Vec::new();
        for headers in requests {
            let handler = |_: &Callback| {
                count += 1;
                answer.clone()
            };
            statuses.push(receiver.receive(recall(*headers), 0, handler).expect("valid").status());
        }
        (count, statuses)
    }

    #[test]
    fn c3_a_repeat_is_answered_and_not_handled() {
        let receiver = receiver(Recent::default());
        assert_eq!(handled(&receiver, &[FIRST, FIRST], &Answer::accept()), (1, vec![200, 200]));
        let replay = Headers { replay: Some("1"), ..FIRST };
        assert_eq!(handled(&receiver, &[replay, replay], &Answer::accept()), (1, vec![200, 200]), "asked for again");
    }

    #[test]
    fn c4_what_was_not_accepted_is_handled_when_it_comes_again() {
        for answer in [Answer::refuse("no"), Answer::later(None, "busy")] {
            let receiver = receiver(Recent::default());
            assert_eq!(handled(&receiver, &[FIRST, FIRST], &answer).0, 2, "{answer:?}");
            assert_eq!(handled(&receiver, &[FIRST, FIRST], &Answer::accept()).0, 1);
        }
    }

    #[test]
    fn without_a_name_every_callback_is_handled() {
        let receiver = receiver(Recent::default());
        let unnamed = [Headers::default(), Headers::default()];
        assert_eq!(handled(&receiver, &unnamed, &Answer::accept()), (2, vec![200, 200]));
    }

    #[test]
    fn a_callback_is_handled_by_one_at_a_time() {
        let receiver = receiver(Recent::default());
        let Ok(Begun::New(first)) = receiver.begin(recall(FIRST), 0) else { panic!("it is new") };
        assert!(matches!(receiver.begin(recall(FIRST), 0), Ok(Begun::UnderWay(_))));
        let (count, statuses) = handled(&receiver, &[FIRST], &Answer::accept());
        assert_eq!((count, statuses), (0, vec![503]), "it comes again");
        drop(first);
        let Ok(Begun::New(second)) = receiver.begin(recall(FIRST), 0) else { panic!("the first was given up") };
        assert!(second.finish(Answer::accept()).is_ok());
        assert!(matches!(receiver.begin(recall(FIRST), 0), Ok(Begun::Repeat(_))));
    }

    #[test]
    fn a_question_is_handled_each_time() {
        let target = "/im?SdkAppid=7&CallbackCommand=C2C.CallbackBeforeSendMsg";
        let body = r#"{"CallbackCommand":"C2C.CallbackBeforeSendMsg","From_Account":"a","To_Account":"b","MsgSeq":1,"MsgRandom":2,"MsgTime":3,"MsgKey":"1_2_3","MsgBody":[]}"#;
        let headers = Headers { id: Some("ask_1"), ..Headers::default() };
        let question = Request { method: "POST", path_and_query: target, headers, body: body.as_bytes() };
        let receiver = receiver(Recent::default());
        let Ok(Begun::New(first)) = receiver.begin(question, 0) else { panic!("it is new") };
        let Ok(Begun::New(second)) = receiver.begin(question, 0) else { panic!("it is asked again") };
        for handling in [first, second] {
            assert!(handling.finish(Answer::accept()).is_ok());
        }
        assert!(matches!(receiver.begin(question, 0), Ok(Begun::New(_))));
    }

    #[test]
    fn c5_the_handler_is_told_what_was_missed() {
        let receiver = receiver(Recent::default());
        handled(&receiver, &[FIRST], &Answer::accept());
        let ninth = Headers { id: Some("evt_9"), number: Some("9"), previous: Some("8"), ..FIRST };
        let mut missed = None;
        let handler = |callback: &Callback| {
            missed.clone_from(&callback.missed);
            Answer::accept()
        };
        assert!(receiver.receive(recall(ninth), 0, handler).is_ok());
        assert_eq!(missed, Some(Missed { lane: "1.b".to_owned(), after: 1, through: 8 }));
    }

    /// A memory that fails when it is asked, or when it is told.
    struct Failing {
        when_asked: bool,
    }

    impl Memory for Failing {
        type Error = &'static str;

        fn look_up(&mut self, _: &Delivery) -> Result<Remembered, &'static str> {
            if self.when_asked { Err("disk full") } else { Ok(Remembered::default()) }
        }

        fn remember(&mut self, _: &Delivery) -> Result<(), &'static str> {
            Err("disk full")
        }
    }

    #[test]
    fn what_cannot_be_remembered_is_not_accepted() {
        for when_asked in [true, false] {
            let receiver = receiver(Failing { when_asked });
            let unhandled = receiver.receive(recall(FIRST), 0, |_| Answer::accept()).expect_err("it failed");
            assert_eq!(unhandled, Unhandled::Memory("disk full"));
            assert_eq!(unhandled.answer().status(), 503);
            let again = receiver.begin(recall(FIRST), 0);
            assert!(!matches!(again, Ok(Begun::UnderWay(_) | Begun::Repeat(_))), "{when_asked}");
        }
    }

    #[test]
    fn what_is_no_callback_reaches_no_handler() {
        let receiver = receiver(Recent::default());
        let request = Request { method: "GET", ..recall(FIRST) };
        let unhandled = receiver.receive(request, 0, |_| panic!("it is not handled")).expect_err("it is no POST");
        assert_eq!(unhandled.answer().status(), 405);
    }
}
