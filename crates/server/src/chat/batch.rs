//! Sending one message to many (rest 4.2).

use std::collections::{BTreeMap, BTreeSet};

use unsaid_protocol::{UserId, error};

use super::{
    applied::{Batched, ChatError, Done},
    effect,
    pair::Pair,
    send::{Lifetime, Send, stands},
    tx::{Fault, Tx},
};
use crate::limits;

/// The same message from one account to each of several, under one key. It owes no callback.
#[derive(Clone, Debug)]
pub struct SendBatch {
    /// What is sent; its recipient does not matter.
    pub send: Send,
    pub to: Vec<UserId>,
}

/// What is known of a recipient before anything is sent.
struct Recipient {
    to: UserId,
    /// When it got this message already, if it did and still has it.
    repeat: Option<u32>,
    /// Seconds in which the key is taken by another message.
    taken: BTreeSet<u32>,
}

impl SendBatch {
    /// A recipient that is no account fails alone.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.send.app)?;
        let sender = effect::imported(tx, self.send.app, &self.send.from, "From_Account", error::FROM_ACCOUNT)?;
        let (mut recipients, mut failed) = (BTreeMap::new(), Vec::new());
        for to in &self.to {
            match effect::imported(tx, self.send.app, to, "To_Account", error::ACCOUNT_NOT_FOUND) {
                Ok(_) => drop(recipients.insert(to.clone(), self.look(tx, to)?)),
                Err(ChatError::Refused(refusal)) => failed.push((to.clone(), refusal.code)),
                Err(fault @ ChatError::Failed(_)) => return Err(fault),
            }
        }
        let time_s = self.place(tx, recipients.values());
        for recipient in recipients.values().filter(|recipient| recipient.repeat.is_none()) {
            let (pair, direction) = Pair::of(&self.send.from, &recipient.to);
            let send = Send { to: recipient.to.clone(), ..self.send.clone() }.without_callbacks();
            let message = send.message(direction, send.key_of(time_s));
            send.store(tx, &app, &pair, message)?;
        }
        let count = recipients.len();
        Ok(Done::Batched(Batched { sent: self.send.sent(&sender, time_s), count, failed }))
    }

    fn look(&self, tx: &mut dyn Tx, to: &UserId) -> Result<Recipient, Fault> {
        let mut recipient = Recipient { to: to.clone(), repeat: None, taken: BTreeSet::new() };
        if self.send.lifetime == Lifetime::OnlineOnly {
            return Ok(recipient);
        }
        let Send { app, from, seq, random, .. } = &self.send;
        let (pair, direction) = Pair::of(from, to);
        let since_s = tx.now().seconds().saturating_sub(limits::REPEAT_WINDOW_S);
        let hash = self.send.content_hash();
        for other in tx.repeats(*app, &pair, *seq, *random, since_s)? {
            let same = recipient.repeat.is_none() && other.direction == direction && other.content_hash == hash;
            if same && stands(tx, *app, &pair, to, self.send.key_of(other.time_s))? {
                recipient.repeat = Some(other.time_s);
            }
            recipient.taken.insert(other.time_s);
        }
        Ok(recipient)
    }

    /// The second of the first call, where this one repeats it; else now, or the next one in which the key is free for all.
    fn place<'a>(&self, tx: &dyn Tx, recipients: impl Iterator<Item = &'a Recipient> + Clone) -> u32 {
        let first = recipients.clone().filter_map(|recipient| recipient.repeat).min();
        let mut time_s = first.unwrap_or_else(|| tx.now().seconds());
        let others: Vec<_> = recipients.filter(|recipient| recipient.repeat.is_none()).collect();
        while others.iter().any(|recipient| recipient.taken.contains(&time_s)) {
            time_s += 1;
        }
        time_s
    }
}
