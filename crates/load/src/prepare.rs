//! Before the measured phase: accounts are imported, and the messages sent that will be recalled.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Context;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Deserialize;
use tokio::task::JoinSet;
use unsaid_client::RestClient;
use unsaid_protocol::MsgKey;

use crate::{
    account::Account,
    progress::Progress,
    setup::Setup,
    table::{Message, random_of},
};

/// So many of them are imported at the same time at most, whatever the measured phase does.
const AT_ONCE_MAX: u32 = 256;

pub(crate) async fn import_accounts(setup: &Setup, accounts: u32, at_once: u32) -> anyhow::Result<()> {
    let client = Arc::clone(&setup.client);
    for_each("importing accounts", accounts, at_once.min(AT_ONCE_MAX), move |number| {
        let client = Arc::clone(&client);
        async move { Ok(client.account_import(&Account(number).to_string()).await?) }
    })
    .await
    .map(drop)
}

/// Messages between these pairs, in the order of their numbers.
pub(crate) async fn send_messages(
    setup: &Setup,
    pairs: Vec<(Account, Account)>,
    at_once: u32,
) -> anyhow::Result<Vec<Message>> {
    let client = Arc::clone(&setup.client);
    let pairs: Arc<[_]> = pairs.into();
    for_each("sending messages", pairs.len() as u32, at_once.min(AT_ONCE_MAX), move |number| {
        let client = Arc::clone(&client);
        let (from, to) = pairs[number as usize];
        async move { Ok(Message { from, to, key: send(&client, number, from, to).await? }) }
    })
    .await
}

/// Two different accounts each.
pub(crate) fn pairs(seed: u64, accounts: u32) -> impl Iterator<Item = (Account, Account)> {
    assert!(accounts >= 2, "a message needs two accounts");
    let mut random = StdRng::seed_from_u64(seed);
    std::iter::repeat_with(move || {
        let from = random.random_range(0..accounts);
        let distance = random.random_range(1..accounts);
        (Account(from), Account(((u64::from(from) + u64::from(distance)) % u64::from(accounts)) as u32))
    })
}

async fn send(client: &RestClient, number: u32, from: Account, to: Account) -> anyhow::Result<MsgKey> {
    let random = random_of(number);
    let body = format!(
        r#"{{"From_Account":"{from}","To_Account":"{to}","MsgRandom":{random},"MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"message {number}"}}}}]}}"#
    );
    let answer = client.post("openim", "sendmsg", body).await?;
    let sent: Sent<'_> = serde_json::from_slice(&answer.body)
        .with_context(|| format!("sendmsg answered {}", String::from_utf8_lossy(&answer.body)))?;
    let key: MsgKey = sent.key.parse().context("the MsgKey of sendmsg")?;
    anyhow::ensure!(key.random == random, "the MsgKey {key} of sendmsg has not the MsgRandom {random} that was sent");
    Ok(key)
}

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(rename = "MsgKey")]
    key: &'a str,
}

/// The results of `task` for each number below `count`, in the order of the numbers; `at_once` of them run at a time.
async fn for_each<T, F, R>(what: &'static str, count: u32, at_once: u32, task: F) -> anyhow::Result<Vec<T>>
where
    F: Fn(u32) -> R + Clone + Send + 'static,
    R: Future<Output = anyhow::Result<T>> + Send,
    T: Send + 'static,
{
    let next = Arc::new(AtomicU32::new(0));
    let begun = Arc::clone(&next);
    let _progress = Progress::show(what, count, move || begun.load(Ordering::Relaxed).min(count));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (next, task) = (Arc::clone(&next), task.clone());
        workers.spawn(async move {
            let mut results = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(results);
                }
                results.push((number, task(number).await?));
            }
        });
    }
    let mut all = Vec::with_capacity(count as usize);
    while let Some(results) = workers.join_next().await {
        all.extend(results.context("a task broke")?.context(what)?);
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_accounts_and_follows_from_the_seed() {
        for accounts in [2, 3, 1000] {
            let one: Vec<_> = pairs(1, accounts).take(1000).collect();
            assert!(one.iter().all(|(from, to)| from != to && from.0 < accounts && to.0 < accounts));
            assert_eq!(one, pairs(1, accounts).take(1000).collect::<Vec<_>>());
            assert_ne!(one, pairs(2, accounts).take(1000).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn results_come_in_the_order_of_the_numbers() {
        let doubled = for_each("doubling", 100, 7, |number| async move {
            tokio::task::yield_now().await;
            Ok(2 * number)
        });
        assert_eq!(doubled.await.expect("it succeeds"), (0..100).map(|number| 2 * number).collect::<Vec<_>>());

        let failing = for_each("failing", 100, 7, |number| async move {
            anyhow::ensure!(number < 50, "50 is too much");
            Ok(())
        });
        assert!(format!("{:#}", failing.await.expect_err("it fails")).contains("50 is too much"));
    }
}
