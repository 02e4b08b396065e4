//! What breaks around a server that goes on, one thing after the other.

use std::time::Duration;

use anyhow::Context;
use rand::{RngExt, rngs::StdRng};
use serde::Serialize;
use unsaid_testkit::{Answer, Script};

use crate::{single::Single, watchers::Watchers};

/// How long each lasts, in seconds.
const LASTS_S: std::ops::RangeInclusive<u64> = 2..=15;

/// How long a server stands still.
const STANDS: Duration = Duration::from_secs(3);

/// How often each has happened.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub(crate) struct Faults {
    /// Nobody listens where callbacks go.
    pub(crate) receiver_away: u32,
    /// It answers 503.
    pub(crate) receiver_fails: u32,
    /// It never answers.
    pub(crate) receiver_hangs: u32,
    /// It cuts one connection of three instead of answering.
    pub(crate) receiver_cuts: u32,
    /// It takes 300 ms for each.
    pub(crate) receiver_slow: u32,
    /// All devices lose their connections at once.
    pub(crate) devices_cut: u32,
    /// The server is stopped (SIGSTOP), and goes on.
    pub(crate) server_stands: u32,
}

impl Faults {
    /// Breaks something, and mends it.
    pub(crate) async fn next(
        &mut self,
        single: &mut Single,
        watchers: &Watchers,
        random: &mut StdRng,
    ) -> anyhow::Result<()> {
        let lasts = Duration::from_secs(random.random_range(LASTS_S));
        let (count, script) = match random.random_range(0..7) {
            0 => {
                single.receiver.stop().await;
                tokio::time::sleep(lasts).await;
                single.receiver.start_again().await.context("the receiver cannot be started again")?;
                self.receiver_away += 1;
                return Ok(());
            }
            1 => {
                watchers.cut();
                self.devices_cut += 1;
                return Ok(());
            }
            2 => {
                single.signal("STOP")?;
                tokio::time::sleep(STANDS).await;
                single.signal("CONT")?;
                self.server_stands += 1;
                return Ok(());
            }
            3 => (&mut self.receiver_fails, Script::always(Answer::Status(503))),
            4 => (&mut self.receiver_hangs, Script::always(Answer::Hang)),
            5 => (
                &mut self.receiver_slow,
                Script::always(Answer::Delay(Duration::from_millis(300), Box::new(Answer::Ok))),
            ),
            _ => {
                let cut = |number: u64| if number.is_multiple_of(3) { Answer::Close } else { Answer::Ok };
                (&mut self.receiver_cuts, Script::function(move |_, number| cut(number)))
            }
        };
        single.receiver.play(script);
        tokio::time::sleep(lasts).await;
        single.receiver.play(Script::default());
        *count += 1;
        Ok(())
    }
}
