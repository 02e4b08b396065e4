//! `load growth`: what a recall costs among few messages, and among very many. The same recalls, by the same callers, in stores that
//! hold more and more; all are filled first, and take turns then.

use std::{fmt, fs, io, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use serde::Serialize;
use unsaid_protocol::callback::CallbackCommand;

use crate::{
    caller::Asking,
    clock,
    effort::{Effort, Used, UsedForEach},
    figures::{Answers, Delivered, grouped, rate, rounded},
    flags::{By, Ground, GrowthFlags},
    measure::{self, How},
    setup::{Setup, Site},
    stock::{self, Stock},
    table::Table,
};

#[derive(Debug, Serialize)]
pub(crate) struct GrowthReport {
    /// How many times longer a recall takes among the most messages than among the fewest: the median over the rounds, in each of
    /// which all sizes take turns, for the speed of a machine changes.
    growth_factor: f64,
    /// The same of the server's processor time, which a busy machine disturbs less.
    cpu_growth_factor: f64,
    /// Over all of them.
    lost: u64,
    unknown: u64,
    repeats: u64,
    failed: u64,
    sizes: Vec<Size>,
    recalls: u32,
    rounds: u32,
    connections: u32,
    accounts: u32,
    seed: u64,
}

/// A run with so many messages.
#[derive(Debug, Serialize)]
struct Size {
    /// Beside those that were recalled.
    stored: u32,
    recalls_per_second: f64,
    #[serde(flatten)]
    answers: Answers,
    #[serde(flatten)]
    delivered: Delivered,
    #[serde(flatten)]
    used: UsedForEach,
    store_mb: f64,
    /// Messages a second when the store was filled, in one process with it.
    filled_per_second: f64,
    #[serde(skip)]
    rounds: Vec<Cost>,
}

/// What a recall took in one round.
#[derive(Clone, Copy, Debug)]
struct Cost {
    us: f64,
    cpu_us: f64,
}

pub(crate) async fn run(flags: &GrowthFlags) -> anyhow::Result<GrowthReport> {
    ensure!(!flags.sizes.is_empty(), "no size: name one or more with --sizes");
    let on_postgres = flags.ground.set.iter().any(|set| set.starts_with("store="));
    ensure!(!on_postgres || flags.sizes.len() == 1, "one --sizes at a time with a store that all runs would share");
    let mut stores = Vec::new();
    for stored in &flags.sizes {
        let store = Store::filled(*stored, flags).await.with_context(|| format!("among {stored} messages"))?;
        eprintln!("load: {} messages are stored", grouped((*stored).into()));
        stores.push(store);
    }
    for round in 0..flags.rounds {
        for store in &mut stores {
            store.measure(round, flags).await.with_context(|| format!("among {} messages", store.stored))?;
        }
    }
    Ok(GrowthReport::new(flags, stores.into_iter().map(|store| store.size(flags)).collect()))
}

/// So many messages, and the server that has them.
struct Store {
    stored: u32,
    setup: Setup,
    table: Arc<Table>,
    store_mb: f64,
    filled_per_second: f64,
    rounds: Vec<Round>,
}

/// Some of the recalls.
#[derive(Clone, Copy, Debug)]
struct Round {
    recalls: u64,
    seconds: f64,
    used: Used,
}

impl Store {
    /// Its server runs, and waits for its turn.
    async fn filled(stored: u32, flags: &GrowthFlags) -> anyhow::Result<Self> {
        let data_dir = flags.ground.data_dir.as_ref().map(|folder| folder.join(format!("messages-{stored}")));
        let ground = Ground { data_dir, ..flags.ground.clone() };
        let site = Site::prepare(&ground, &[CallbackCommand::AfterMsgWithDraw]).await?;
        let began = clock::now();
        let GrowthFlags { accounts, recalls, connections, seed, .. } = *flags;
        let messages = stock::fill(&site, Stock { accounts, staying: stored, recalled: recalls, seed }).await?;
        let filled_per_second = rate(u64::from(stored) + u64::from(recalls), (clock::now() - began).as_secs_f64());
        let setup = site.start(connections).await?;
        let store_mb = megabytes(&setup).context("the size of the store")?;
        let table = Arc::new(Table::new(messages, accounts));
        setup.inbox.expect(Arc::clone(&table));
        Ok(Self { stored, setup, table, store_mb, filled_per_second, rounds: Vec::new() })
    }

    async fn measure(&mut self, round: u32, flags: &GrowthFlags) -> anyhow::Result<()> {
        let Self { setup, table, .. } = self;
        let part = |round: u32| table.messages().len() * round as usize / flags.rounds as usize;
        let messages = part(round)..part(round + 1);
        let how = How {
            asking: Asking::Recall,
            by: By::Rest,
            connections: flags.connections,
            pace: &flags.pace,
            seed: flags.seed,
        };
        let acknowledged_before = table.tally().acknowledged;
        let (before, began) = (Effort::look(setup).await?, clock::now());
        measure::ask(setup, table, messages, how).await?;
        measure::wait_for_callbacks(table).await;
        let seconds = (clock::now() - began).as_secs_f64();
        setup.server.still_runs()?;
        let used = Effort::look(setup).await?.since(&before);
        let recalls = table.tally().acknowledged - acknowledged_before;
        self.rounds.push(Round { recalls, seconds, used });
        Ok(())
    }

    fn size(self, flags: &GrowthFlags) -> Size {
        let (tally, samples) = (self.table.tally(), self.setup.inbox.samples());
        if let Some(failure) = self.table.first_failure() {
            eprintln!("load: the first request that failed: {failure}");
        }
        let (answers, delivered) = (Answers::new(&tally, &flags.pace), Delivered::new(&tally, samples));
        let Self { stored, store_mb, filled_per_second, rounds, .. } = self;
        Size { store_mb, filled_per_second, ..Size::new(stored, &rounds, answers, delivered) }
    }
}

impl Size {
    /// The store itself is still to be filled in.
    fn new(stored: u32, rounds: &[Round], answers: Answers, delivered: Delivered) -> Self {
        let recalls: u64 = rounds.iter().map(|round| round.recalls).sum();
        let seconds: f64 = rounds.iter().map(|round| round.seconds).sum();
        let used = rounds.iter().map(|round| round.used).reduce(Used::and).expect("there is a round");
        let each = |round: &Round| Cost {
            us: 1e6 * round.seconds / round.recalls.max(1) as f64,
            cpu_us: 1e6 * round.used.server_cpu_s / round.recalls.max(1) as f64,
        };
        Self {
            stored,
            recalls_per_second: rate(recalls, seconds),
            answers,
            delivered,
            used: used.for_each(recalls),
            store_mb: 0.0,
            filled_per_second: 0.0,
            rounds: rounds.iter().map(each).collect(),
        }
    }
}

/// What lies in the folder of the server.
fn megabytes(setup: &Setup) -> io::Result<f64> {
    let bytes = files_bytes(&setup.data_dir())?;
    Ok(rounded::<1>(bytes as f64 / 1e6))
}

fn files_bytes(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.map(|entry| entry?.metadata()).map(|metadata| Ok(metadata?.len())).sum()
}

impl GrowthReport {
    fn new(flags: &GrowthFlags, sizes: Vec<Size>) -> Self {
        let fewest = sizes.iter().min_by_key(|size| size.stored).expect("there is one");
        let most = sizes.iter().max_by_key(|size| size.stored).expect("there is one");
        let sum = |of: fn(&Size) -> u64| sizes.iter().map(of).sum();
        let factor = |of: fn(&Cost) -> f64| {
            let rounds = most.rounds.iter().zip(&fewest.rounds);
            let mut factors: Vec<f64> = rounds.map(|(more, less)| of(more) / of(less).max(1e-9)).collect();
            factors.sort_by(f64::total_cmp);
            rounded::<3>(factors[factors.len() / 2])
        };
        Self {
            growth_factor: factor(|cost| cost.us),
            cpu_growth_factor: factor(|cost| cost.cpu_us),
            lost: sum(|size| size.delivered.lost),
            unknown: sum(|size| size.delivered.unknown),
            repeats: sum(|size| size.delivered.repeats),
            failed: sum(|size| size.answers.failed),
            recalls: flags.recalls,
            rounds: flags.rounds,
            connections: flags.connections,
            accounts: flags.accounts,
            seed: flags.seed,
            sizes,
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.sizes.iter().all(|size| size.answers.failed == 0 && size.delivered.is_good())
    }
}

impl fmt::Display for GrowthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recalls = grouped(self.recalls.into());
        writeln!(f, "{recalls} recalls over {} connections, among more and more messages\n", self.connections)?;
        writeln!(
            f,
            "    stored   recalls/s     answer p50/p99   callback p99    us each   memory     store   filled/s"
        )?;
        for size in &self.sizes {
            writeln!(
                f,
                "{:>10}  {:>10}   {:>16}   {:>9.2} ms   {:>8.0}  {:>4.0} MB  {:>5.0} MB  {:>9}",
                grouped(size.stored.into()),
                grouped(size.recalls_per_second.round() as u64),
                size.answers.p50_and_p99(),
                size.delivered.callback_p99_ms,
                size.used.server_cpu_us_for_each,
                size.used.server_rss_mb,
                size.store_mb,
                grouped(size.filled_per_second.round() as u64),
            )?;
        }
        let Self { growth_factor, cpu_growth_factor, lost, unknown, repeats, failed, .. } = self;
        writeln!(
            f,
            "\na recall takes {growth_factor:.2} times as long, and {cpu_growth_factor:.2} times the processor"
        )?;
        writeln!(f, "lost {lost}   unknown {unknown}   failed {failed}   (repeats {repeats})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::tests::measured,
        flags::{Arrivals, Pace},
        measure::Measured,
    };

    fn report(lost: u64) -> GrowthReport {
        let flags = GrowthFlags {
            sizes: vec![10_000, 1_000_000],
            accounts: 10_000,
            recalls: 1500,
            rounds: 2,
            connections: 64,
            pace: Pace { rate: None, arrivals: Arrivals::Random },
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        };
        let size = |stored, seconds: f64, cpu_s: f64| {
            let Measured { mut tally, samples, used } = measured(|_| {});
            tally.lost = lost;
            let round = |slower: f64| Round {
                recalls: 750,
                seconds: slower * seconds / 2.0,
                used: Used { server_cpu_s: slower * cpu_s / 2.0, ..used },
            };
            let (answers, delivered) = (Answers::new(&tally, &flags.pace), Delivered::new(&tally, samples));
            let rounds = [round(1.5), round(0.5)];
            Size { store_mb: 12.0, filled_per_second: 30_000.0, ..Size::new(stored, &rounds, answers, delivered) }
        };
        GrowthReport::new(&flags, vec![size(10_000, 0.25, 0.15), size(1_000_000, 0.30, 0.165)])
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
1,500 recalls over 64 connections, among more and more messages

    stored   recalls/s     answer p50/p99   callback p99    us each   memory     store   filled/s
    10,000       6,000    500.22 / 990.21      990.21 ms        100    50 MB     12 MB     30,000
 1,000,000       5,000    500.22 / 990.21      990.21 ms        110    50 MB     12 MB     30,000

a recall takes 1.20 times as long, and 1.10 times the processor
lost 0   unknown 0   failed 0   (repeats 6)
";
        assert_eq!(report(0).to_string(), expected);
    }

    #[test]
    fn machines_read_the_factor() {
        let json = serde_json::to_value(report(0)).expect("numbers serialize");
        assert_eq!(json["growth_factor"].as_f64(), Some(1.2));
        assert_eq!(json["sizes"][1]["stored"].as_u64(), Some(1_000_000));
        assert!(report(0).is_good() && !report(1).is_good());
    }
}
