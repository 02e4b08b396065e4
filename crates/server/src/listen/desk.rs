//! Where a callback is judged and answered: its checks, whether it is a repeat, whether others were missed before it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use tokio::sync::mpsc;
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};
use unsaid_receiver::{Check, Delivery, Judgement, Memory, Recent, Rejection, Verifier};
use unsaid_testkit::Arrival;

use super::answers::{Answers, Given, Kind};

/// Deliveries and lanes that are remembered, at least; a megabyte or two.
const REMEMBERED_MIN: usize = 10_000;

/// What signatures are checked with.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    pub(super) token: Option<String>,
    pub(super) webhook: Option<String>,
}

pub(super) struct Desk {
    /// Without an app that is named, the one that a callback names is taken for it.
    app: Option<SdkAppId>,
    secrets: Secrets,
    answers: Answers,
    memory: Mutex<Recent>,
    tell: mpsc::Sender<Taken>,
    /// Since the last one that was told.
    untold: AtomicU64,
}

/// A callback that was answered.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) arrival: Arrival,
    pub(super) checks: Vec<Check>,
    pub(super) delivery: Option<Delivery>,
    /// None where it is rejected, where it is a question, and where nothing names it.
    pub(super) judgement: Option<Judgement>,
    pub(super) given: Given,
    /// How many before it were answered, but not told of.
    pub(super) untold: u64,
}

/// What a callback that passed its checks is.
struct Judged {
    delivery: Option<Delivery>,
    judgement: Option<Judgement>,
    is_question: bool,
}

impl Secrets {
    /// What is not checked for lack of them.
    pub(super) fn said(&self, app: Option<u32>) -> Vec<&'static str> {
        let missing = [
            (app.is_none(), "SdkAppid is not checked: give --app"),
            (self.token.is_none(), "Sign is not checked: set UNSAID_CALLBACK_TOKEN to callback.token of the app"),
            (
                self.webhook.is_none(),
                "webhook-signature is not checked: set UNSAID_CALLBACK_WEBHOOK_SECRET to callback.webhook_secret of the app",
            ),
        ];
        missing.into_iter().filter_map(|(missing, said)| missing.then_some(said)).collect()
    }

    fn verifier(&self, app: SdkAppId) -> Result<Verifier, unsaid_receiver::SecretError> {
        let verifier = match &self.token {
            Some(token) => Verifier::with_tokens(app, [token.as_str()])?,
            None => Verifier::without_sign(app),
        };
        match &self.webhook {
            Some(secret) => verifier.and_webhook_secrets([secret.as_str()]),
            None => Ok(verifier),
        }
    }
}

impl Desk {
    pub(super) fn new(
        app: Option<u32>,
        secrets: Secrets,
        answers: Answers,
        tell: mpsc::Sender<Taken>,
    ) -> anyhow::Result<Self> {
        let app = app.map(SdkAppId);
        secrets.verifier(app.unwrap_or(SdkAppId(1))).context("--callback-token, --webhook-secret")?;
        let memory = Mutex::new(Recent::new(REMEMBERED_MIN));
        Ok(Self { app, secrets, answers, memory, tell, untold: AtomicU64::new(0) })
    }

    /// Judges a callback, remembers it if it is handled, and says what to answer.
    pub(super) fn take(&self, arrival: &Arrival, number: u64) -> unsaid_testkit::Answer {
        let claimed = || arrival.query("SdkAppid").and_then(|app| app.parse().ok()).map(SdkAppId);
        let app = self.app.or_else(claimed).unwrap_or(SdkAppId(0));
        let verifier = self.secrets.verifier(app).expect("it was tried at the start");
        let now_s = arrival.wall_ms.div_euclid(1000);
        let mut checks = verifier.checks(arrival.request(), now_s);
        let judged = self.judge(&verifier, arrival, now_s);
        let (judged, given) = match judged {
            Ok(judged) => {
                let kind = if judged.is_question { Kind::Question } else { Kind::Event };
                let given = self.answers.to(number, kind);
                (judged, given)
            }
            Err(rejection) => {
                if checks.iter().all(|check| check.result.is_ok()) {
                    checks.push(Check { name: "the body has what its command has", result: Err(rejection.clone()) });
                }
                let given = self.answers.to(number, Kind::Rejected(&rejection));
                (Judged { delivery: None, judgement: None, is_question: false }, given)
            }
        };
        let Judged { delivery, judgement, .. } = judged;
        if let Some(delivery) = delivery.as_ref().filter(|_| given.handled) {
            let Ok(()) = self.memory().remember(delivery);
        }
        let answer = given.sent();
        self.tell(Taken { arrival: arrival.clone(), checks, delivery, judgement, given, untold: 0 });
        answer
    }

    fn judge(&self, verifier: &Verifier, arrival: &Arrival, now_s: i64) -> Result<Judged, Rejection> {
        let verified = verifier.verify(arrival.request(), now_s)?;
        verified.event()?;
        let is_question = verified.command == CallbackCommand::BeforeSendMsg.as_str();
        let named = verified.delivery.as_ref().filter(|_| !is_question);
        let judgement = named.map(|delivery| {
            let Ok(remembered) = self.memory().look_up(delivery);
            delivery.judge(remembered)
        });
        Ok(Judged { delivery: verified.delivery, judgement, is_question })
    }

    /// Full: it is answered all the same, and the next one says how many are missing.
    fn tell(&self, taken: Taken) {
        let Ok(permit) = self.tell.try_reserve() else {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        };
        permit.send(Taken { untold: self.untold.swap(0, Ordering::Relaxed), ..taken });
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
