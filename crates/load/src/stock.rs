//! Messages that are there before the server starts. What sends them is the server's own commands on its own store, in this
//! process and without HTTP, so that ten million take minutes and not hours; every row is as a server would have written it, but that those
//! of a conversation lie together.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, bail, ensure};
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use unsaid::{
    apps::App,
    chat::{Command, Done, Import, Lifetime, MessageFlags, NoDevices, Origin, Send, Store},
    clock::World,
    config::{Config, Sources, StoreSettings},
    limits,
    metrics::Metrics,
    store::{
        HintReceiver, hints,
        postgres::{Postgres, PostgresOptions},
        sqlite::{Sqlite, SqliteOptions},
    },
};
use unsaid_protocol::{MsgKey, UserId, element::MsgBody};

use crate::{
    account::Account,
    prepare::pairs,
    progress::Progress,
    setup::{APP, Site},
    table::{Message, random_of},
};

/// Commands that wait for the store at the same time: enough for the batch that is written, and the next one.
const AT_ONCE: u32 = 2 * limits::STORE_BATCH_COMMANDS_MAX as u32;

/// The `MsgRandom` of messages that stay begin here, above those that are recalled.
const STAYING_RANDOM_MIN: u32 = 0x8000_0000;

/// What is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stock {
    pub(crate) accounts: u32,
    /// Messages that nobody will touch.
    pub(crate) staying: u32,
    /// Messages that will be recalled, evenly among those.
    pub(crate) recalled: u32,
    pub(crate) seed: u64,
}

/// Fills the store of a site. The messages that will be recalled, in the order of their numbers.
pub(crate) async fn fill(site: &Site, stock: Stock) -> anyhow::Result<Vec<Message>> {
    let sources = Sources { file: Some(site.config()), set: site.set().to_vec(), ..Sources::default() };
    let config = Config::load(&sources).context("the configuration of the run")?;
    let (store, hints) = open(&config).await?;
    let app = config.apps.first().context("the configuration has no app")?;
    let filling = Filling { store: Arc::clone(&store), app: Arc::new(app.clone()), stock };
    let filled = filling.run().await;
    store.close().await.map_err(|fault| anyhow::anyhow!("the store cannot be closed: {fault}"))?;
    drop(hints);
    filled
}

/// Nobody listens to the hints; the server looks into the store when it starts.
async fn open(config: &Config) -> anyhow::Result<(Arc<dyn Store>, HintReceiver)> {
    let world = World::system().context("no randomness")?;
    let metrics = Metrics::new().store;
    let (sender, receiver) = hints(Arc::new(NoDevices));
    let store: Arc<dyn Store> = match &config.store {
        StoreSettings::Embedded => {
            let options = SqliteOptions { folder: config.data_dir.clone(), pages_max: None, metrics };
            Arc::new(Sqlite::open(&options, world.clock, world.entropy, sender)?)
        }
        StoreSettings::Postgres(address) => {
            let options = PostgresOptions { address: (**address).clone(), writers: limits::POSTGRES_WRITERS, metrics };
            Arc::new(tokio::task::block_in_place(|| Postgres::open(&options, &world, &sender))?)
        }
    };
    Ok((store, receiver))
}

#[derive(Clone)]
struct Filling {
    store: Arc<dyn Store>,
    app: Arc<App>,
    stock: Stock,
}

impl Filling {
    async fn run(self) -> anyhow::Result<Vec<Message>> {
        let Stock { accounts, staying, recalled, seed } = self.stock;
        self.done(Command::SaveApp(Arc::clone(&self.app))).await?;
        let filling = self.clone();
        for_each("importing accounts", accounts, move |number| {
            let filling = filling.clone();
            async move { filling.import(Account(number)).await }
        })
        .await?;

        let total = staying.checked_add(recalled).filter(|total| *total < STAYING_RANDOM_MIN);
        let total = total.with_context(|| format!("more messages than {STAYING_RANDOM_MIN}"))?;
        let pairs: Arc<[_]> = pairs(seed, accounts).take(total as usize).collect();
        let order: Arc<[u32]> = by_conversation(&pairs, accounts).into();
        let kept = Arc::new(Mutex::new(Vec::with_capacity(recalled as usize)));
        let keeping = Arc::clone(&kept);
        for_each("storing messages", total, move |turn| {
            let place = order[turn as usize];
            let (filling, keeping, (from, to)) = (self.clone(), Arc::clone(&keeping), pairs[place as usize]);
            async move {
                let number = recalled_at(place, total, recalled);
                let random = number.map_or(STAYING_RANDOM_MIN + place, random_of);
                let key = filling.send(from, to, random).await?;
                if let Some(number) = number {
                    let message = Message { from, to, key };
                    keeping.lock().unwrap_or_else(PoisonError::into_inner).push((number, message));
                }
                Ok(())
            }
        })
        .await?;
        let mut kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.sort_unstable_by_key(|(number, _)| *number);
        ensure!(kept.len() == recalled as usize, "{} of {recalled} messages are there", kept.len());
        Ok(kept.into_iter().map(|(_, message)| message).collect())
    }

    async fn import(&self, account: Account) -> anyhow::Result<()> {
        let import = Import { app: APP, user: user(account)?, nick: None, face_url: None };
        self.done(Command::Import(import)).await.map(drop)
    }

    async fn send(&self, from: Account, to: Account, random: u32) -> anyhow::Result<MsgKey> {
        let json = format!(r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"message {random}"}}}}]"#);
        let body = RawValue::from_string(json).context("a body is JSON")?;
        let body = MsgBody::parse(&body).map_err(|error| anyhow::anyhow!("a body: {}", error.info))?;
        let send = Send {
            app: APP,
            from: user(from)?,
            to: user(to)?,
            seq: random,
            random,
            body,
            custom_data: String::new(),
            push_info: String::new(),
            lifetime: Lifetime::Stored,
            flags: MessageFlags::COUNTED,
            client_time_s: None,
            forbidden_callbacks: Vec::new(),
            origin: Origin::LOCAL,
            by_client: false,
            asked: None,
        };
        let Done::Sent(sent) = self.done(Command::Send(Box::new(send))).await? else {
            bail!("a send did not say what was sent");
        };
        Ok(sent.key)
    }

    async fn done(&self, command: Command) -> anyhow::Result<Done> {
        let applied = self.store.commit(command).await.map_err(|fault| anyhow::anyhow!("the store: {fault}"))?;
        applied.map_err(|refusal| anyhow::anyhow!("the store refused it: {refusal:?}"))
    }
}

fn user(account: Account) -> anyhow::Result<UserId> {
    UserId::new(&account.to_string()).context("a name")
}

/// The places of messages in the order in which a store keeps their conversations: stored like this, they go to the end of each
/// table, and ten million take minutes. The numbers of those that are recalled are as they were, so recalls go everywhere.
fn by_conversation(pairs: &[(Account, Account)], accounts: u32) -> Vec<u32> {
    let mut names: Vec<(String, Account)> =
        (0..accounts).map(Account).map(|account| (account.to_string(), account)).collect();
    names.sort_unstable();
    let mut ranks = vec![0; names.len()];
    for (rank, (_, account)) in (0_u32..).zip(&names) {
        ranks[account.index()] = rank;
    }
    let mut places: Vec<u32> = (0..pairs.len() as u32).collect();
    places.sort_unstable_by_key(|place| {
        let (from, to) = pairs[*place as usize];
        let (from, to) = (ranks[from.index()], ranks[to.index()]);
        (from.min(to), from.max(to), *place)
    });
    places
}

/// Which of those that are recalled is the message at this place, if it is one.
fn recalled_at(place: u32, total: u32, recalled: u32) -> Option<u32> {
    let before = |place: u32| (u64::from(place) * u64::from(recalled) / u64::from(total)) as u32;
    (before(place) != before(place + 1)).then(|| before(place))
}

async fn for_each<F, R>(what: &'static str, count: u32, task: F) -> anyhow::Result<()>
where
    F: Fn(u32) -> R + Clone + std::marker::Send + 'static,
    R: Future<Output = anyhow::Result<()>> + std::marker::Send,
{
    let next = Arc::new(AtomicU32::new(0));
    let begun = Arc::clone(&next);
    let _progress = Progress::show(what, count, move || begun.load(Ordering::Relaxed).min(count));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE.min(count) {
        let (next, task) = (Arc::clone(&next), task.clone());
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                task(number).await?;
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.context("a task broke")?.context(what)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flags::Ground, setup::Site};

    #[test]
    fn conversations_are_stored_in_the_order_of_their_names() {
        let pairs = [(10, 9), (2, 10), (9, 2), (1, 9), (10, 2)].map(|(from, to)| (Account(from), Account(to)));
        // user1, user10, user2, user9
        assert_eq!(by_conversation(&pairs, 11), [3, 1, 4, 0, 2]);
    }

    #[test]
    fn what_is_recalled_lies_evenly_among_the_others() {
        for (total, recalled) in [(10, 10), (10, 3), (1_000_000, 7), (5, 0), (3, 1)] {
            let places: Vec<_> =
                (0..total).filter_map(|place| Some((place, recalled_at(place, total, recalled)?))).collect();
            assert_eq!(places.len(), recalled as usize, "{recalled} of {total}");
            for (number, (place, found)) in places.iter().enumerate() {
                assert_eq!(*found as usize, number);
                assert!(place / (total / recalled) >= *found, "{place} of {total} is the {found}th of {recalled}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_is_filled_with_messages_that_have_keys_of_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let ground = Ground { data_dir: Some(folder.path().join("run")), set: Vec::new() };
        let site = Site::prepare(&ground, &[]).await.expect("a site");
        let stock = Stock { accounts: 5, staying: 20, recalled: 7, seed: 1 };

        let messages = fill(&site, stock).await.expect("filled");

        let randoms: Vec<_> = messages.iter().map(|message| message.key.random).collect();
        assert_eq!(randoms, (0..7).map(random_of).collect::<Vec<_>>());
        let database = rusqlite::Connection::open(folder.path().join("run/data/unsaid.db")).expect("it is there");
        let count = "SELECT count(*) FROM message";
        let stored: u32 = database.query_row(count, [], |row| row.get(0)).expect("counted");
        assert_eq!(stored, 27);
    }
}
