//! What devices are shown of the reference model.

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{State, place};
use crate::chat::{Conversation, Fault, Message, Pair, Person, SyncEvent, View};

impl View for State {
    fn person(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Person>, Fault> {
        Ok(self.known(app, user))
    }

    fn sync_events(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        after: i64,
        events_max: u32,
    ) -> Result<Option<Vec<(i64, SyncEvent)>>, Fault> {
        let range = (app, user.clone(), after.saturating_add(1))..=(app, user.clone(), i64::MAX);
        let events: Vec<_> =
            self.sync_events.range(range).map(|((_, _, number), event)| (*number, event.clone())).collect();
        Ok((events.len() <= events_max as usize).then_some(events))
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        Ok(self.conversations.get(&(app, pair.clone())).copied())
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        Ok(self.messages.get(&(app, pair.clone())).and_then(|messages| messages.get(&key)).cloned())
    }

    fn last_message(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        user: &UserId,
        cleared_position: i64,
    ) -> Result<Option<Message>, Fault> {
        let messages = self.messages.get(&(app, pair.clone()));
        let all = messages.into_iter().flat_map(|messages| messages.values());
        let visible = all.filter(|message| message.may_be_last(pair, user, cleared_position));
        Ok(visible.max_by_key(|message| place(message)).cloned())
    }
}
