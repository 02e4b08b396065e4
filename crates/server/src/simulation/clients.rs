//! The devices of a run and their connections: what is under way between a device and the server, in either direction, and
//! how it is lost.

use std::{collections::VecDeque, time::Duration};

use serde_json::json;
use tokio::time::Instant;
use unsaid_protocol::{
    MsgKey,
    session::close,
    usersig::{self, Order},
};

use super::{
    backend::SECRET,
    device::{Acknowledged, Asked, Name},
    mix::Deed,
    world::{Connection, Happening, World, user},
};
use crate::{
    chat::MessageName,
    gateway::simulated::{Deed as LinkDeed, Finished, Link, Task},
    limits,
};

impl World {
    pub(super) async fn deed(&mut self) {
        let deed = self.drawn_deed();
        let by_backend = self.devices.is_empty() || self.draw(100) < self.mix.backend_in_100;
        if by_backend || matches!(deed, Deed::Batch | Deed::Kick | Deed::Replay | Deed::Back) {
            return self.backend_deed(deed);
        }
        let device = self.draw(self.devices.len() as u32) as usize;
        match (self.devices[device].link, deed) {
            (None, Deed::Forget) => self.devices[device].forget(),
            (None, _) => self.happens_in(0, Happening::Connect(device)),
            (Some(link), Deed::Break | Deed::Forget) => self.breaks(link, Some(self.draw(1_000))),
            (Some(link), Deed::Silence) => self.breaks(link, None),
            (Some(_), deed) if self.devices[device].logged_in => {
                if let Some(asked) = self.drawn_request(device, deed) {
                    self.ask(device, asked);
                }
            }
            (Some(_), _) => {}
        }
    }

    fn drawn_request(&mut self, device: usize, deed: Deed) -> Option<Asked> {
        let (peer, now_s) = (self.drawn_user(), self.clock.now().seconds());
        Some(match deed {
            Deed::Send => {
                self.numbers += 1;
                let (number, no_unread) = (self.numbers, self.draw(8) == 0);
                let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("text {number}")}}]);
                let data = json!({
                    "to": peer, "seq": number, "random": number, "client_time_s": now_s, "body": body,
                    "no_unread": no_unread, "custom_data": "custom",
                });
                Asked { request: "send", data }
            }
            Deed::Recall => {
                let (_, to, key) = self.drawn_shown(device, |(from, _, _), me| from == me)?;
                Asked { request: "recall", data: json!({"to": to, "msg_key": key}) }
            }
            Deed::Modify => {
                let (_, to, key) = self.drawn_shown(device, |(from, _, _), me| from == me)?;
                let text = format!("other text {}", self.draw(1_000));
                let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
                Asked { request: "modify", data: json!({"to": to, "msg_key": key, "body": body}) }
            }
            Deed::Receipt => {
                let (from, _, key) = self.drawn_shown(device, |(_, to, _), me| to == me)?;
                Asked { request: "receipt", data: json!({"peer": from, "msg_keys": [key]}) }
            }
            Deed::Read if self.draw(2) == 0 => Asked { request: "read", data: json!({"peer": peer}) },
            Deed::Read => Asked { request: "read", data: json!({"peer": peer, "time_s": now_s - self.draw(3)}) },
            Deed::ReadAll => Asked { request: "read_all", data: json!({}) },
            Deed::LogOut => Asked { request: "logout", data: json!({}) },
            Deed::Batch | Deed::Kick | Deed::Forget | Deed::Break | Deed::Silence | Deed::Replay | Deed::Back => {
                return None;
            }
        })
    }

    /// One of the messages that the device knows; mostly one of the latest.
    fn drawn_shown(&self, device: usize, which: impl Fn(&Name, &str) -> bool) -> Option<Name> {
        let device = &self.devices[device];
        let mut names: Vec<_> = device.messages.iter().filter(|(name, _)| which(name, &device.me)).collect();
        names.sort_by_key(|(name, shown)| (shown.position, name.2.clone()));
        let back = if self.draw(4) == 0 { self.draw(100) } else { self.draw(4) };
        let place = names.len().checked_sub(1)?.saturating_sub(back as usize);
        Some(names[place].0.clone())
    }

    /// A device opens a connection and logs in.
    pub(super) fn connect(&mut self, device: usize) {
        if self.devices[device].link.is_some() {
            return;
        }
        self.next_link += 1;
        let (number, gateway) = (self.next_link, std::sync::Arc::clone(&self.server.gateway));
        let link = Link::new(gateway, self.instant());
        let (at, unread) = (self.at, VecDeque::new());
        let connection = Connection { link, device, logging_in: false, gone: false, up_at: at, down_at: at, unread };
        self.links.insert(number, connection);
        let order = Order {
            sdkappid: self.devices[device].app,
            identifier: &self.devices[device].me.to_string(),
            time_s: u64::from(self.clock.now().seconds()),
            expire_s: 365 * 86_400,
            userbuf: None,
        };
        let user_sig = usersig::make(SECRET, order);
        let device = &mut self.devices[device];
        device.link = Some(number);
        let frame = device.log_in(&user_sig);
        self.up(number, frame);
        self.happens_in(1, Happening::LinkTick(number));
    }

    /// A device asks. The server may have closed its connection, and it does not know yet.
    fn ask(&mut self, device: usize, asked: Asked) {
        let frame = self.devices[device].ask(asked);
        let link = self.devices[device].link.expect("it is connected");
        if self.links.contains_key(&link) {
            self.up(link, frame);
        }
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(u64::from(self.draw(self.mix.latency_ms)))
    }

    fn up(&mut self, link: u64, frame: String) {
        let at = self.at + self.latency();
        let connection = self.links.get_mut(&link).expect("it is there");
        connection.up_at = connection.up_at.max(at);
        let at = connection.up_at;
        self.happens_at(at, Happening::Up(link, frame));
    }

    /// What the server reads, when it reads on.
    pub(super) fn frame_arrives(&mut self, link: u64, frame: String) {
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        connection.unread.push_back(frame);
        self.read_on(link);
    }

    fn read_on(&mut self, link: u64) {
        let at = self.instant();
        while let Some(connection) = self.links.get_mut(&link)
            && !connection.link.is_over()
            && connection.link.reads_on()
            && let Some(frame) = connection.unread.pop_front()
        {
            let deeds = connection.link.text(at, &frame);
            self.carry_out(link, deeds);
        }
    }

    /// The session is told something, and what it does about it is done.
    pub(super) async fn link_does(&mut self, link: u64, tell: impl FnOnce(&mut Link, Instant) -> Vec<LinkDeed>) {
        let at = self.instant();
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        let deeds = tell(&mut connection.link, at);
        self.carry_out(link, deeds);
        self.read_on(link);
        self.close_if_over(link).await;
    }

    pub(super) async fn link_ticks(&mut self, link: u64) {
        self.link_does(link, Link::tick).await;
        let at = self.instant();
        if let Some(connection) = self.links.get(&link) {
            let next = self.since_start(connection.link.next_tick(at));
            self.happens_at(next.max(self.at + Duration::from_millis(1)), Happening::LinkTick(link));
        }
    }

    fn carry_out(&mut self, link: u64, deeds: Vec<LinkDeed>) {
        for deed in deeds {
            let latency = self.latency();
            let at = self.at + latency;
            let connection = self.links.get_mut(&link).expect("it is there");
            match deed {
                LinkDeed::Frame(frame) => {
                    connection.down_at = connection.down_at.max(at);
                    let at = connection.down_at;
                    self.happens_at(at, Happening::Down(link, frame));
                }
                LinkDeed::Close(code) => {
                    connection.down_at = connection.down_at.max(at);
                    let at = connection.down_at;
                    self.happens_at(at, Happening::Closed(link, code));
                }
                // Who is not there any more does not answer.
                LinkDeed::Ping if connection.gone => {}
                LinkDeed::Ping => self.happens_at(at, Happening::Alive(link)),
                LinkDeed::Work(task) => {
                    connection.logging_in |= task.is_login();
                    self.happens_at(at, Happening::Work(link, task));
                }
            }
        }
    }

    pub(super) async fn work(&mut self, link: u64, task: Task) {
        let Some(connection) = self.links.get(&link) else {
            return;
        };
        // Only a login is waited for when its connection is gone.
        let finished = connection.link.work(task).await;
        self.hints_follow();
        self.happens_in(self.draw(self.mix.latency_ms), Happening::Finished(link, finished));
    }

    pub(super) async fn work_is_done(&mut self, link: u64, finished: Finished) {
        if let Some(connection) = self.links.get_mut(&link) {
            connection.logging_in &= !finished.is_login();
        }
        self.link_does(link, |link, _| link.finished(finished)).await;
    }

    pub(super) fn wake_links(&mut self) {
        let woken: Vec<_> = self.links.iter().filter(|(_, one)| one.link.is_woken()).map(|(link, _)| *link).collect();
        for link in woken {
            self.happens_in(self.draw(self.mix.latency_ms), Happening::Woken(link));
        }
    }

    /// A connection breaks. The server hears of it after so many milliseconds, or when it finds that nobody answers.
    fn breaks(&mut self, link: u64, heard_in_ms: Option<u32>) {
        let device = self.devices.iter().position(|device| device.link == Some(link));
        self.device_lost(device.expect("it was connected"));
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        connection.gone = true;
        if let Some(ms) = heard_in_ms {
            self.happens_in(ms, Happening::Gone(link));
        }
    }

    pub(super) fn device_lost(&mut self, device: usize) {
        self.devices[device].disconnected();
        self.happens_in(self.draw(3_000), Happening::Connect(device));
    }

    pub(super) async fn link_is_gone(&mut self, link: u64) {
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        if connection.logging_in {
            // What it was told comes to nothing but for its end.
            connection.unread.clear();
            return self.happens_in(100, Happening::Gone(link));
        }
        let connection = self.links.remove(&link).expect("it was there just now");
        connection.link.leave().await;
        self.hints_follow();
    }

    async fn close_if_over(&mut self, link: u64) {
        if self.links.get(&link).is_some_and(|connection| connection.link.is_over()) {
            self.link_is_gone(link).await;
        }
    }

    pub(super) async fn device_hears(&mut self, link: u64, frame: &str) {
        let Some(number) = self.devices.iter().position(|device| device.link == Some(link)) else {
            return;
        };
        let device = &mut self.devices[number];
        let (app, (asks, acknowledged)) = (device.app, device.hear(frame));
        match acknowledged {
            Acknowledged::Recalled(name) => {
                assert!(self.book().is_recalled(&named(app, name)), "invariant 1: a recall was acknowledged");
            }
            Acknowledged::Sent(name) => {
                assert!(self.book().was_sent(&named(app, name)), "invariant 1: a send was acknowledged");
            }
            Acknowledged::LoggedIn => {
                let rest = self.devices[number].rest();
                rest.into_iter().for_each(|asked| self.ask(number, asked));
            }
            Acknowledged::Nothing => {}
        }
        asks.into_iter().for_each(|asked| self.ask(number, asked));
        let device = &self.devices[number];
        assert!(device.asks() <= 20 * limits::SESSION_REQUESTS_MAX, "what is asked is answered");
        if self.has_caught_up(number).await {
            self.device_knows_everything(number).await;
        }
    }

    pub(super) fn device_is_closed(&mut self, link: u64, code: u16) {
        let Some(number) = self.devices.iter().position(|device| device.link == Some(link)) else {
            return;
        };
        if [close::KICKED, close::LOGGED_OUT].contains(&code) {
            self.devices[number].kicked();
        }
        self.device_lost(number);
    }
}

fn named(app: unsaid_protocol::SdkAppId, (from, to, key): Name) -> MessageName {
    let key: MsgKey = key.parse().expect("a key");
    MessageName { app, from: user(&from), to: user(&to), key }
}
