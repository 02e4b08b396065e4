//! How often an app may call (rest 1.3), where the operator sets a bound.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use unsaid_protocol::{SdkAppId, error};

use super::{RestSettings, command::Command};
use crate::{chat::Refusal, clock::Clock, live::Live};

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
    settings: Live<RestSettings>,
    clock: Clock,
    /// From when parts of windows are counted.
    began: Instant,
    used: Mutex<HashMap<(SdkAppId, &'static str), Used>>,
}

/// What was taken in the last window, by the moment. However it is spread, no window holds more than its bound: calls are
/// counted one by one, for a bucket that is full and filled up again lets nearly twice the rate through.
#[derive(Debug, Default)]
struct Used {
    /// A part of the window each, the latest last, with how many were taken in it.
    parts: VecDeque<(u128, u32)>,
    /// The sum of them.
    taken: u32,
}

/// A window is counted in so many parts. What was taken stays in the count until its whole part has left the window.
const PARTS: u32 = 1000;

/// They have 100 calls a second where others have 200 (rest 1.3).
const HALVED: [&str; 3] = ["multiaccount_import", "account_delete", "account_check"];

const RECIPIENTS: &str = "batchsendmsg, recipients";

impl Rates {
    pub(super) fn new(settings: Live<RestSettings>, clock: Clock) -> Self {
        let began = clock.instant();
        Self { settings, clock, began, used: Mutex::default() }
    }

    /// One call of a command.
    pub(super) fn take(&self, app: SdkAppId, command: &Command) -> Result<(), Refusal> {
        let most = self.settings.now().rates.commands_per_s;
        let most = if HALVED.contains(&command.name) { most.div_ceil(2) } else { most };
        if self.takes(app, command.name, 1, most, Duration::from_secs(1)) {
            return Ok(());
        }
        let info = format!("{} may be called {most} times a second: wait, and spread the calls", command.name);
        Err(Refusal::new(error::TOO_OFTEN, info))
    }

    pub(super) fn take_recipients(&self, app: SdkAppId, count: u32) -> Result<(), Refusal> {
        let most = self.settings.now().rates.recipients_per_min;
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
        let part = self.clock.instant().duration_since(self.began).as_nanos() / (window / PARTS).as_nanos();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.entry((app, what)).or_default().takes(part, count, most)
    }
}

impl Used {
    fn takes(&mut self, part: u128, count: u32, most: u32) -> bool {
        while let Some((_, gone)) = self.parts.pop_front_if(|(old, _)| *old + u128::from(PARTS) < part) {
            self.taken -= gone;
        }
        let fits = self.taken.checked_add(count).is_some_and(|taken| taken <= most);
        if fits {
            self.taken += count;
            match self.parts.back_mut().filter(|(last, _)| *last == part) {
                Some((_, taken)) => *taken += count,
                None => self.parts.push_back((part, count)),
            }
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(rates: RateSettings) -> Rates {
        let body_timeout = Duration::from_secs(1);
        let settings = RestSettings { request_bytes_max: 0, body_timeout, egress_addresses: Vec::new(), rates };
        Rates::new(Live::new(settings), Clock::system())
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_may_come_at_once_and_then_as_time_passes() {
        let settings = RateSettings { commands_per_s: 10, recipients_per_min: 100 };
        let rates = rates(settings);
        let (one, other) = (SdkAppId(1), SdkAppId(2));
        let sendmsg = &crate::rest::openim::sendmsg::COMMAND;
        let check = &crate::rest::account::account_check::COMMAND;
        let taken = |app, command: &Command| (0..20).filter(|_| rates.take(app, command).is_ok()).count();
        assert_eq!((taken(one, sendmsg), taken(one, check), taken(other, sendmsg)), (10, 5, 10));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!((taken(one, sendmsg), taken(one, check)), (0, 0));
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!((taken(one, sendmsg), taken(one, check)), (10, 5));
        assert!(rates.take_recipients(one, 60).is_ok());
        assert_eq!(rates.take_recipients(one, 60).expect_err("too many").code, error::TOO_OFTEN);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(rates.take_recipients(one, 40).is_ok() && rates.take_recipients(one, 1).is_err());
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(rates.take_recipients(one, 60).is_ok() && rates.take_recipients(one, 1).is_err());
    }

    /// However calls come, no second of them holds more than the rate, and who calls all the time gets nearly all of it.
    #[tokio::test(start_paused = true)]
    async fn i6_no_second_holds_more_than_the_rate() {
        const MOST: u32 = 20;
        let rates = rates(RateSettings { commands_per_s: MOST, recipients_per_min: 0 });
        let sendmsg = &crate::rest::openim::sendmsg::COMMAND;
        for pauses_ms in
            [vec![1], vec![7, 0, 0], vec![49, 51], vec![990, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], vec![3, 400]]
        {
            let mut taken: Vec<Instant> = Vec::new();
            for pause_ms in pauses_ms.iter().cycle().take(5000) {
                tokio::time::advance(Duration::from_millis(*pause_ms)).await;
                if rates.take(SdkAppId(1), sendmsg).is_ok() {
                    taken.push(rates.clock.instant());
                }
            }
            let beyond =
                taken.windows(MOST as usize + 1).find(|calls| calls[MOST as usize] - calls[0] < Duration::from_secs(1));
            assert_eq!(beyond, None, "{pauses_ms:?}");
            if pauses_ms == [1] {
                assert!(taken.len() >= 98, "{} of 100 in 5 s", taken.len());
            }
            tokio::time::advance(Duration::from_secs(2)).await;
        }
    }

    #[test]
    fn without_a_bound_everything_goes() {
        let rates = rates(RateSettings::default());
        assert!((0..1000).all(|_| rates.take_recipients(SdkAppId(1), 500).is_ok()));
    }
}
