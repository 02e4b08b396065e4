//! What a batch has to write of the rows that every send and recall makes: held until something reads them or the batch
//! commits, then sent at once, one statement for all rows of a kind.

use std::{collections::HashSet, sync::Arc};

use tokio_postgres::types::ToSql;
use unsaid_protocol::{SdkAppId, UserId};

use super::{
    link::{Bulk, Link},
    messages::Entombed,
    row::direction_number,
    statements::{ConversationKey, boxed, pair_columns},
};
use crate::chat::{Fault, Message, MessageFlags, OwedEvent, SyncEvent};

/// Makes the statement for all rows of a kind.
type Group = fn(&Writes) -> Bulk<'_>;

type Columns<'a> = Vec<Box<dyn ToSql + Sync + 'a>>;

#[derive(Default)]
pub(super) struct Writes {
    messages: Vec<(ConversationKey, Message)>,
    entombed: Vec<Entombed>,
    /// Conversations of those.
    touched: HashSet<ConversationKey>,
    sync_events: Vec<(SdkAppId, UserId, i64, SyncEvent)>,
    /// With their rows in the log.
    events: Vec<(i64, Arc<OwedEvent>)>,
    queued: Vec<(i64, Arc<OwedEvent>)>,
}

impl Writes {
    pub(super) fn insert_message(&mut self, key: ConversationKey, message: Message) {
        self.touched.insert(key.clone());
        self.messages.push((key, message));
    }

    pub(super) fn entomb(&mut self, entombed: Entombed) {
        self.touched.insert((entombed.app, entombed.pair.clone()));
        self.entombed.push(entombed);
    }

    pub(super) fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) {
        self.sync_events.push((app, user.clone(), number, event.clone()));
    }

    /// Appends an event to the log.
    pub(super) fn log(&mut self, row: i64, event: &Arc<OwedEvent>) {
        self.events.push((row, Arc::clone(event)));
    }

    /// Puts an event that stands in the log into the outbox.
    pub(super) fn queue(&mut self, row: i64, event: Arc<OwedEvent>) {
        self.queued.push((row, event));
    }

    /// Whether it holds something of the messages of a conversation.
    pub(super) fn touch(&self, key: &ConversationKey) -> bool {
        self.touched.contains(key)
    }

    pub(super) fn hold_events(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Writes everything, and what the caller has beside it.
    pub(super) fn flush(&mut self, link: &Link, beside: Vec<Bulk<'_>>) -> Result<(), Fault> {
        let held = std::mem::take(self);
        let mut all = Vec::new();
        // A message is there before it is entombed, and an event before it is queued.
        let groups: [(bool, Group); 5] = [
            (held.messages.is_empty(), Self::insert_messages),
            (held.entombed.is_empty(), Self::entomb_messages),
            (held.sync_events.is_empty(), Self::insert_sync_events),
            (held.events.is_empty(), Self::log_events),
            (held.queued.is_empty(), Self::queue_events),
        ];
        let entombed_at = usize::from(!held.messages.is_empty());
        all.extend(groups.iter().filter(|(empty, _)| !empty).map(|(_, group)| group(&held)));
        all.extend(beside);
        if all.is_empty() {
            return Ok(());
        }
        let answers = link.pipeline(&all)?;
        let entombed = if held.entombed.is_empty() { 0 } else { answers[entombed_at].len() };
        if entombed != held.entombed.len() {
            return Err(link.conflict("a message was recalled meanwhile"));
        }
        Ok(())
    }

    fn insert_messages(&self) -> Bulk<'_> {
        let (apps, lows, highs) = pair_columns(self.messages.iter().map(|(key, _)| key));
        let mut numbers: [Vec<i64>; 6] = Default::default();
        let (mut directions, mut flags) = (Vec::new(), Vec::new());
        let mut texts: [Vec<&[u8]>; 4] = Default::default();
        for (_, message) in &self.messages {
            let Message { direction, key, position, client_time_s, content, recalled_by: _, .. } = message;
            let client_time = if *client_time_s == key.time { 0 } else { *client_time_s };
            let row = [key.seq, key.random, key.time, client_time].map(i64::from);
            let row = row.into_iter().chain([*position, content.hash]);
            numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
            let row = [&content.types, &content.custom_data, &content.body, &content.push_info];
            texts.iter_mut().zip(row).for_each(|(column, text)| column.push(text.as_bytes()));
            directions.push(direction_number(*direction));
            flags.push(message.flags.bits().cast_signed());
        }
        let mut columns: Columns<'_> = vec![Box::new(apps), Box::new(lows), Box::new(highs)];
        columns.extend(boxed(numbers));
        columns.push(Box::new(directions));
        columns.push(Box::new(flags));
        columns.extend(texts.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync>));
        Bulk {
            sql: "INSERT INTO message (app, low, high, seq, random, time, client_time, position, content_hash,
                                       direction, flags, types, custom_data, body, push_info)
                  SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                              $7::bigint[], $8::bigint[], $9::bigint[], $10::smallint[], $11::smallint[], $12::bytea[],
                              $13::bytea[], $14::bytea[], $15::bytea[])",
            columns,
        }
    }

    /// Makes messages tombstones. One that is one already is not touched: whoever counts sees it.
    fn entomb_messages(&self) -> Bulk<'_> {
        let mut numbers: [Vec<i64>; 4] = Default::default();
        let mut names: [Vec<&str>; 3] = Default::default();
        for Entombed { app, pair, key, by } in &self.entombed {
            let row = [app.0, key.seq, key.random, key.time].map(i64::from);
            numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
            let row = [&pair.low, &pair.high, by];
            names.iter_mut().zip(row).for_each(|(column, user)| column.push(user.as_str()));
        }
        let mut columns = boxed(numbers);
        columns.extend(names.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync>));
        columns.push(Box::new(MessageFlags::RECALLED.bits().cast_signed()));
        Bulk {
            sql: "UPDATE message AS m
                  SET flags = flags | $8, custom_data = '', body = '', push_info = '', recalled_by = v.recalled_by
                  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
                           AS v (app, seq, random, time, low, high, recalled_by)
                  WHERE m.app = v.app AND m.low = v.low AND m.high = v.high AND m.seq = v.seq AND m.random = v.random
                        AND m.time = v.time AND m.flags & $8 = 0
                  RETURNING 1",
            columns,
        }
    }

    fn insert_sync_events(&self) -> Bulk<'_> {
        let mut numbers: [Vec<i64>; 5] = Default::default();
        let mut names: [Vec<&str>; 2] = Default::default();
        let mut kinds: [Vec<i16>; 2] = Default::default();
        for (app, user, number, event) in &self.sync_events {
            let SyncEvent { kind, peer, direction, key } = event;
            let row = [app.0, key.seq, key.random, key.time].map(i64::from).into_iter().chain([*number]);
            numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
            names.iter_mut().zip([user, peer]).for_each(|(column, user)| column.push(user.as_str()));
            let row = [i16::try_from(kind.number()).expect("there are few"), direction_number(*direction)];
            kinds.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
        }
        let mut columns = boxed(numbers);
        columns.extend(names.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync>));
        columns.extend(kinds.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync>));
        Bulk {
            sql: "INSERT INTO sync_event (app, seq, random, time, number, name, peer, kind, direction)
                  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
                                       $7::text[], $8::smallint[], $9::smallint[])",
            columns,
        }
    }

    fn log_events(&self) -> Bulk<'_> {
        let mut numbers: [Vec<i64>; 5] = Default::default();
        let mut names: [Vec<&str>; 4] = Default::default();
        let (mut addresses, mut bodies) = (Vec::new(), Vec::new());
        for (row, event) in &self.events {
            let numbers_of =
                [*row, i64::from(event.app.0), event.number, event.created.0, event.origin.request.number()];
            numbers.iter_mut().zip(numbers_of).for_each(|(column, number)| column.push(number));
            let names_of = [&event.id.0, &event.lane.0, event.command.as_str(), event.origin.platform.as_str()];
            names.iter_mut().zip(names_of).for_each(|(column, name)| column.push(name));
            addresses.push(event.origin.client_ip.to_string());
            bodies.push(&*event.body);
        }
        let mut columns = boxed(numbers);
        columns.extend(names.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync>));
        columns.push(Box::new(addresses));
        columns.push(Box::new(bodies));
        Bulk {
            sql: "INSERT INTO event (id, app, number, created_ms, request, name, lane, command, platform, client_ip, body)
                  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
                                       $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[])",
            columns,
        }
    }

    fn queue_events(&self) -> Bulk<'_> {
        let mut numbers: [Vec<i64>; 9] = Default::default();
        let (mut lanes, mut texts, mut replays) = (Vec::new(), Vec::new(), Vec::new());
        let mut unavailable = Vec::new();
        for (row, event) in &self.queued {
            let numbers_of = [
                i64::from(event.app.0),
                event.place,
                *row,
                i64::try_from(event.body.len()).expect("bodies are bounded"),
                event.previous,
                i64::from(event.tries.attempts),
                i64::from(event.tries.refusals),
                event.age_from.0,
                event.due.0,
            ];
            numbers.iter_mut().zip(numbers_of).for_each(|(column, number)| column.push(number));
            unavailable.push(event.tries.unavailable_since.map(|since| since.0));
            lanes.push(event.lane.0.as_str());
            texts.push(event.command.holds_text());
            replays.push(event.replay);
        }
        let mut columns = boxed(numbers);
        columns.push(Box::new(unavailable));
        columns.push(Box::new(lanes));
        columns.push(Box::new(texts));
        columns.push(Box::new(replays));
        Bulk {
            sql: "INSERT INTO outbox (app, place, event, bytes, previous, attempts, refusals, age_from_ms, due_ms,
                                      unavailable_since_ms, lane, has_text, replay)
                  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                                       $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[],
                                       $12::boolean[], $13::boolean[])",
            columns,
        }
    }
}
