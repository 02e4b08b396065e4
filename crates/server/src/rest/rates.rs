//! How often an app may call (rest 1.3), where the operator sets a bound.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use unsaid_protocol::{SdkAppId, error};

use super::command::Command;
use crate::{chat::Refusal, clock::Clock};

/// The bounds; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateSettings {
    /// Calls a second of one command by one app. Three commands about many accounts have half of it.
    pub commands_per_s: u32,
    /// Recipients a minute of `batchsendmsg`.
    pub recipients_per_min: u32,
}

/// What each app has used.
#[derive(Debug)]
pub(super) struct Rates {
    settings: RateSettings,
    clock: Clock,
    used: Mutex<HashMap<(SdkAppId, &'static str), Used>>,
}

/// Until when what was taken is paid off: taking moves it on, time lets it pass.
#[derive(Clone, Copy, Debug)]
struct Used(Instant);

/// They have 100 calls a second where others have 200 (rest 1.3).
const HALVED: [&str; 3] = ["multiaccount_import", "account_delete", "account_check"];

const RECIPIENTS: &str = "batchsendmsg, recipients";

impl Rates {
    pub(super) fn new(settings: RateSettings, clock: Clock) -> Self {
        Self { settings, clock, used: Mutex::default() }
    }

    /// One call of a command.
    pub(super) fn take(&self, app: SdkAppId, command: &Command) -> Result<(), Refusal> {
        let most = self.settings.commands_per_s;
        let most = if HALVED.contains(&command.name) { most.div_ceil(2) } else { most };
        if self.takes(app, command.name, 1, most, Duration::from_secs(1)) {
            return Ok(());
        }
        let info = format!("{} may be called {most} times a second: wait, and spread the calls", command.name);
        Err(Refusal::new(error::TOO_OFTEN, info))
    }

    pub(super) fn take_recipients(&self, app: SdkAppId, count: u32) -> Result<(), Refusal> {
        let most = self.settings.recipients_per_min;
        if self.takes(app, RECIPIENTS, count, most, Duration::from_secs(60)) {
            return Ok(());
        }
        let info = format!("batchsendmsg may have {most} recipients a minute: wait, and spread them");
        Err(Refusal::new(error::TOO_OFTEN, info))
    }

    /// Whether there is room for `count` more among `most` in any `window`.
    fn takes(&self, app: SdkAppId, what: &'static str, count: u32, most: u32, window: Duration) -> bool {
        if most == 0 {
            return true;
        }
        let now = self.clock.instant();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let Used(until) = used.entry((app, what)).or_insert(Used(now));
        let after = (*until).max(now) + window.mul_f64(f64::from(count) / f64::from(most));
        let fits = after <= now + window;
        if fits {
            *until = after;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_may_come_at_once_and_then_as_time_passes() {
        let settings = RateSettings { commands_per_s: 10, recipients_per_min: 100 };
        let rates = Rates::new(settings, Clock::system());
        let (one, other) = (SdkAppId(1), SdkAppId(2));
        let sendmsg = &crate::rest::openim::sendmsg::COMMAND;
        let check = &crate::rest::account::account_check::COMMAND;
        let taken = |app, command: &Command| (0..20).filter(|_| rates.take(app, command).is_ok()).count();
        assert_eq!((taken(one, sendmsg), taken(one, check), taken(other, sendmsg)), (10, 5, 10));
        tokio::time::advance(Duration::from_millis(301)).await;
        assert_eq!((taken(one, sendmsg), taken(one, check)), (3, 1));
        assert!(rates.take_recipients(one, 60).is_ok());
        assert_eq!(rates.take_recipients(one, 60).expect_err("too many").code, error::TOO_OFTEN);
        assert!(rates.take_recipients(one, 40).is_ok());
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(rates.take_recipients(one, 10).is_ok() && rates.take_recipients(one, 1).is_err());
    }

    #[test]
    fn without_a_bound_everything_goes() {
        let rates = Rates::new(RateSettings::default(), Clock::system());
        assert!((0..1000).all(|_| rates.take_recipients(SdkAppId(1), 500).is_ok()));
    }
}
