//! Alarms for the operator (rule C9): callbacks wait longer than they should, or an app's backlog is half full. Each is told
//! once when it begins and once when it is over, by a POST to an address of the operator's, and in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use unsaid_protocol::SdkAppId;

use super::{Connector, EndpointRules, endpoint::Endpoint, phases::Stopwatch};
use crate::{
    apps::{App, AppError, Apps, CallbackSettings, EndpointSettings, Origin, Secret},
    chat::{Backlog, Fault, Store},
    clock::{Clock, Timestamp},
    cluster::Share,
    limits,
    live::Live,
    metrics::Metrics,
};

/// When an alarm begins, and who is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlarmSettings {
    /// None: alarms are in the log only.
    pub url: Option<String>,
    /// How long the oldest callback of an app may wait.
    pub lag_max: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The callback that waits longest waits too long.
    Lag,
    /// Half of what may wait is waiting.
    Backlog,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Begins,
    Over,
}

/// What is told.
#[derive(Serialize)]
struct Alarm {
    alarm: Kind,
    state: State,
    sdkappid: u32,
    waiting: u64,
    waiting_bytes: u64,
    oldest_waits_s: u64,
}

/// What was seen of an app.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    backlog: Backlog,
    oldest_since: Option<Timestamp>,
    oldest_waits: Duration,
}

/// Looks at the backlogs of all apps, and tells.
pub struct Alarms {
    pub store: Arc<dyn Store>,
    pub apps: Arc<Apps>,
    pub connector: Arc<Connector>,
    pub clock: Clock,
    pub settings: Live<AlarmSettings>,
    pub metrics: Arc<Metrics>,
    /// Of several servers one tells.
    pub share: watch::Receiver<Share>,
}

/// Between two looks; with a short bound of lag, a quarter of that.
const LOOK_PAUSE: Duration = Duration::from_secs(15);

/// Refuses an address that alarms cannot go to; it obeys the rules of endpoints.
pub fn check_alarm_url(url: &str, rules: &EndpointRules) -> Result<(), String> {
    rules.check(&app_of(url)).map_err(|AppError { problem, .. }| problem)
}

impl Alarms {
    pub async fn run(self, stop: CancellationToken) {
        let mut told: BTreeSet<(SdkAppId, Kind)> = BTreeSet::new();
        loop {
            match self.look().await {
                Ok(seen) => {
                    let since = seen.iter().filter_map(|(app, seen)| Some((*app, seen.oldest_since?)));
                    self.metrics.standing.oldest(since.collect());
                    if self.share.borrow().leads() {
                        self.tell_all(&seen, &mut told).await;
                    } else {
                        told.clear();
                    }
                }
                Err(fault) => tracing::warn!(%fault, "the backlogs could not be looked at; it is tried again"),
            }
            let pause = LOOK_PAUSE.min(self.settings.now().lag_max / 4).max(Duration::from_millis(100));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look(&self) -> Result<BTreeMap<SdkAppId, Seen>, Fault> {
        let mut seen = BTreeMap::new();
        for (app, backlog) in self.store.backlogs().await? {
            let oldest_since = if backlog.waiting == 0 { None } else { self.store.oldest_of_all(app).await? };
            let oldest_waits = oldest_since.map_or(Duration::ZERO, |since| self.clock.now().after(since));
            seen.insert(app, Seen { backlog, oldest_since, oldest_waits });
        }
        Ok(seen)
    }

    /// What could not be told is told at the next look.
    async fn tell_all(&self, seen: &BTreeMap<SdkAppId, Seen>, told: &mut BTreeSet<(SdkAppId, Kind)>) {
        for (app, seen) in seen {
            let Some(settings) = self.apps.get(*app) else {
                continue;
            };
            for kind in [Kind::Lag, Kind::Backlog] {
                let rings = kind.rings(seen, &settings.callback, self.settings.now().lag_max);
                let state = match (rings, told.contains(&(*app, kind))) {
                    (true, false) => State::Begins,
                    (false, true) => State::Over,
                    (true, true) | (false, false) => continue,
                };
                if !self.tell(*app, kind, state, seen).await {
                    continue;
                }
                match state {
                    State::Begins => told.insert((*app, kind)),
                    State::Over => told.remove(&(*app, kind)),
                };
            }
        }
    }

    /// Whether it is known now.
    async fn tell(&self, app: SdkAppId, kind: Kind, state: State, seen: &Seen) -> bool {
        let Backlog { waiting, waiting_bytes, .. } = seen.backlog;
        let oldest_waits_s = seen.oldest_waits.as_secs();
        if state == State::Begins {
            tracing::warn!(%app, ?kind, waiting, oldest_waits_s, "callbacks wait: see `unsaid callback status {app}`");
        } else {
            tracing::info!(%app, ?kind, waiting, oldest_waits_s, "callbacks do not wait too long any more");
        }
        let Some(url) = &self.settings.now().url else {
            return true;
        };
        let alarm = Alarm { alarm: kind, state, sdkappid: app.0, waiting, waiting_bytes, oldest_waits_s };
        let body = serde_json::to_vec(&alarm).expect("strings and numbers serialize");
        let post = tokio::time::timeout(limits::ATTEMPT_TIMEOUT, self.post(url, body.into()));
        let problem = match post.await {
            Ok(Ok(())) => return true,
            Ok(Err(problem)) => problem,
            Err(_) => "there was no answer within 2 s".to_owned(),
        };
        tracing::warn!(%app, ?kind, "alarm.url was not told, which is tried again: {problem}");
        false
    }

    async fn post(&self, url: &str, body: Bytes) -> Result<(), String> {
        let endpoint = Endpoint::new(Arc::new(app_of(url)), &self.connector)?;
        let request = Request::post(endpoint.path_and_query.as_str())
            .header(header::HOST, &endpoint.host_header)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let connection = self.connector.connect(&endpoint.target, &mut Stopwatch::start(&self.clock)).await;
        let mut sender = connection.map_err(|problem| problem.to_string())?.sender;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers HTTP {status}")) }
    }
}

impl Kind {
    /// Whether there is reason for it.
    fn rings(self, seen: &Seen, settings: &CallbackSettings, lag_max: Duration) -> bool {
        match self {
            Self::Lag => seen.oldest_waits > lag_max,
            Self::Backlog => {
                seen.backlog.waiting >= settings.backlog_events_max.div_ceil(2)
                    || seen.backlog.waiting_bytes >= settings.backlog_bytes_max.div_ceil(2)
            }
        }
    }
}

/// An address dresses as the endpoint of an app that nobody has, to be checked and dialled as one.
fn app_of(url: &str) -> App {
    let callback = CallbackSettings { endpoint: Some(EndpointSettings::new(url)), ..CallbackSettings::default() };
    App { callback, ..App::new(SdkAppId(1), Secret::new("no secret of anybody"), Origin::Runtime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c9_an_alarm_rings_for_lag_and_at_half_of_the_backlog() {
        let settings =
            CallbackSettings { backlog_events_max: 10, backlog_bytes_max: 1000, ..CallbackSettings::default() };
        let lag_max = Duration::from_secs(300);
        let seen = |waiting, waiting_bytes, waits_s| Seen {
            backlog: Backlog { waiting, waiting_bytes, parked: 0 },
            oldest_since: None,
            oldest_waits: Duration::from_secs(waits_s),
        };
        for (seen, lag, backlog) in [
            (seen(1, 10, 300), false, false),
            (seen(1, 10, 301), true, false),
            (seen(4, 499, 0), false, false),
            (seen(5, 10, 0), false, true),
            (seen(1, 500, 0), false, true),
        ] {
            assert_eq!(Kind::Lag.rings(&seen, &settings, lag_max), lag, "{seen:?}");
            assert_eq!(Kind::Backlog.rings(&seen, &settings, lag_max), backlog, "{seen:?}");
        }
    }
}
