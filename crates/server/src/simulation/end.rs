//! The end of a run: faults are over, and what is left comes to rest. Then everything owed is delivered or parked for a
//! reason, and every device knows what the store holds.

use std::sync::atomic::Ordering;

use super::{
    device::Shown,
    receiver::{Bad, Mood},
    world::{AGE_MAX, Happening, NAMES, World, user},
};
use crate::{
    chat::{HistoryQuery, Message, MessageFlags, Pair, Standing},
    gateway::simulated,
};

impl World {
    pub(super) async fn end(&mut self) {
        self.has_ended = true;
        self.mood = Mood::Answers;
        self.site.fails_in_100.store(0, Ordering::Relaxed);
        for device in 0..self.devices.len() {
            self.happens_in(self.draw(1_000), Happening::Connect(device));
        }
        // Longer than a connection that is gone in silence is waited for.
        self.happens_in(120_000, Happening::Sweep);
        self.hints_follow();
    }

    pub(super) async fn sweep(&mut self) {
        // Where the store fails, it is tried again later.
        let _ = simulated::sweep(&self.server.gateway).await;
        self.hints_follow();
    }

    pub(super) async fn is_at_rest(&self) -> bool {
        if !self.server.delivery.is_settled() || self.site.store.backlog().await.expect("it works").waiting > 0 {
            return false;
        }
        for device in 0..self.devices.len() {
            if !self.has_caught_up(device).await {
                return false;
            }
        }
        true
    }

    /// Whether a device has everything that it asked for, and every update.
    pub(super) async fn has_caught_up(&self, device: usize) -> bool {
        let device = &self.devices[device];
        let people = self.site.store.people(device.app, vec![device.me.clone()]).await.expect("it works");
        let account = people[0].as_ref().expect("it is there").account;
        device.is_idle() && account.sync_number == device.number
    }

    pub(super) async fn all_is_well(&mut self) {
        self.book().every_recall_has_its_event();
        self.everything_is_delivered_or_parked().await;
        for number in 0..self.devices.len() {
            self.device_knows_everything(number).await;
        }
        self.every_session_is_held().await;
    }

    async fn everything_is_delivered_or_parked(&self) {
        let not_accepted: Vec<_> = {
            let book = self.book();
            book.judge.not_accepted().map(|(id, owed)| (id.clone(), owed.app, owed.refusals.len())).collect()
        };
        for (id, app, refusals) in not_accepted {
            let kept = self.site.store.event(app, id.clone()).await.expect("it works");
            let Some(Standing::Parked { reason, .. }) = kept.as_ref().map(|kept| &kept.standing) else {
                panic!("{id} was neither delivered nor parked: {kept:?}");
            };
            let may = match &**reason {
                reason if reason.starts_with("older than") => self.at + self.jumped > AGE_MAX,
                reason if reason.starts_with("refused three times") => refusals >= 3,
                _ => self.bad.get(&id) == Some(&Some(Bad::Crashes)) || self.at + self.jumped > AGE_MAX / 6,
            };
            assert!(may, "{id} was parked because {reason}, after {refusals} refusals: {kept:?}");
        }
        let backlog = self.site.store.backlog().await.expect("it works");
        assert_eq!(backlog.waiting, 0);
    }

    /// Rule R8: what a device knows is what the store holds.
    pub(super) async fn device_knows_everything(&self, number: usize) {
        let (device, store) = (&self.devices[number], &self.site.store);
        let (app, me) = (device.app, device.me.clone());
        assert_eq!(Some(device.unread.1), store.unread(app, me.clone()).await.expect("it works"), "R8: {device:?}");
        let mut count = 0;
        for peer in NAMES[..self.mix.accounts].iter().map(|name| user(name)) {
            let query = HistoryQuery::all(app, me.clone(), peer.clone());
            let history = store.history(query).await.expect("it works");
            let (pair, _) = Pair::of(&me, &peer);
            for message in &history {
                let (from, to) = pair.ends(message.direction);
                let name = (from.to_string(), to.to_string(), message.key.to_string());
                let known = device.messages.get(&name);
                assert_eq!(known, Some(&shown(message)), "R8: {name:?} as device {number} knows it");
            }
            count += history.len();
            let Some(known) = device.conversations.get(peer.as_str()) else {
                assert!(history.is_empty(), "R8: device {number} does not know of {peer}");
                continue;
            };
            let view = store.conversations(app, me.clone(), vec![peer.clone()]).await.expect("it works");
            let view = &view.expect("the account is there").conversations[0];
            // What it has said to itself is read by reading everything, of which it need not be told once more.
            let peer_read_position = if peer == me { known.peer_read_position } else { view.peer_read_position };
            let stands = (view.unread, peer_read_position);
            assert_eq!((known.unread, known.peer_read_position), stands, "R8: {peer} as device {number} knows it");
        }
        assert_eq!(device.messages.len(), count, "R8: device {number} knows of messages that are not there");
    }

    async fn every_session_is_held(&self) {
        let rows = self.site.store.all_sessions(None, 1_000).await.expect("it works");
        let mut rows: Vec<_> = rows.into_iter().map(|((_, _, id), _)| id).collect();
        let mut seated: Vec<_> = self.links.values().filter_map(|one| one.link.seated().cloned()).collect();
        seated.sort();
        rows.sort();
        assert_eq!(rows, seated, "sessions and connections");
    }
}

fn shown(message: &Message) -> Shown {
    let has = |flag| message.flags.contains(flag);
    let recalled = has(MessageFlags::RECALLED);
    let body = if recalled { "[]" } else { &message.content.body };
    Shown {
        position: message.position,
        body: serde_json::from_str(body).expect("JSON"),
        custom_data: message.content.custom_data.clone(),
        recalled,
        acknowledged: has(MessageFlags::PEER_READ),
    }
}
