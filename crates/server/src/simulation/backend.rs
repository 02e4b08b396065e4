//! The app backend, which asks by REST: what it asks for becomes commands at the same door. When it does not hear the answer
//! it asks once more, and so may be heard twice.

use std::sync::Arc;

use serde_json::value::RawValue;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand, element::MsgBody};

use super::{
    mix::Deed,
    world::{AGE_MAX, Happening, NAMES, World, apps, user},
};
use crate::{
    apps::{App, EndpointSettings, Origin as AppOrigin, Secret},
    chat::{
        ChatError, Command, Door, Import, Kick, Lifetime, MessageFlags, MessageName, Modify, Origin, ParkedFilter,
        Read, ReadAll, Recall, Receipt, Replay, RequestId, Send, SendBatch, What,
    },
};

/// What it asks for.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Send(Box<Send>),
    Batch(Box<SendBatch>),
    Recall(Recall),
    /// What has nothing to tell.
    Run(Command),
    Kick(Kick),
    Replay(SdkAppId),
}

pub(super) const SECRET: &str = "0123456789abcdef";

impl World {
    /// Apps and accounts, as they are before anything happens.
    pub(super) async fn settle_in(&mut self) {
        for app in apps(self.mix.apps) {
            let app = self.app(*app);
            self.server.chat.save_app(app).await.expect("it is allowed");
        }
        for app in apps(self.mix.apps) {
            for user in NAMES[..self.mix.accounts].iter().map(|name| user(name)) {
                let import = Import { app: *app, user, nick: None, face_url: None };
                self.server.chat.run(Command::Import(import)).await.expect("it is allowed");
            }
        }
        let moment = self.moment();
        self.server.delivery.apps_changed(moment);
    }

    /// As a server does that starts.
    pub(super) async fn read_apps(&mut self) {
        for app in self.site.store.apps().await.expect("it can be read") {
            self.server.apps.put(&Arc::new(app));
        }
        let moment = self.moment();
        self.server.delivery.apps_changed(moment);
    }

    fn app(&self, sdkappid: SdkAppId) -> App {
        let mut app = App::new(sdkappid, Secret::new(SECRET), AppOrigin::Runtime);
        app.callback.commands = self.mix.commands.iter().copied().collect();
        app.callback.endpoint = Some(EndpointSettings::new("https://backend.example/im"));
        app.callback.age_max_s = u32::try_from(AGE_MAX.as_secs()).expect("short");
        (app.lane, app.recall_body) = (self.mix.lane, self.mix.recall_body);
        assert!(!app.owes(CallbackCommand::BeforeSendMsg), "nobody is asked");
        app
    }

    pub(super) fn backend_deed(&mut self, deed: Deed) {
        let app = apps(self.mix.apps)[self.draw(self.mix.apps as u32) as usize];
        let Some(call) = self.drawn_call(app, deed) else {
            return;
        };
        if self.chance(self.mix.calls_again_in_100) {
            // The answer is lost, or somebody has asked twice.
            self.happens_in(self.draw(10_000), Happening::Call(Box::new(call.clone())));
        }
        self.happens_in(self.draw(self.mix.latency_ms), Happening::Call(Box::new(call)));
    }

    fn drawn_call(&mut self, app: SdkAppId, deed: Deed) -> Option<Call> {
        let origin = Origin::LOCAL;
        let (reader, peer) = (self.drawn_user(), self.drawn_user());
        Some(match deed {
            Deed::Send => Call::Send(Box::new(self.drawn_send(app))),
            Deed::Batch => {
                let to = NAMES[..self.mix.accounts].iter().map(|name| user(name)).collect();
                Call::Batch(Box::new(SendBatch { send: self.drawn_send(app), to }))
            }
            Deed::Recall => {
                let name = self.drawn_message(app)?;
                Call::Recall(Recall { name, door: admin(), origin })
            }
            Deed::Read => {
                let time_s = [None, Some(self.clock.now().seconds().saturating_sub(self.draw(3)))];
                let time_s = time_s[self.draw(2) as usize];
                Call::Run(Command::Read(Read { app, reader, peer, time_s, origin }))
            }
            Deed::ReadAll => Call::Run(Command::ReadAll(ReadAll { app, reader, origin })),
            Deed::Modify => {
                let name = self.drawn_message(app)?;
                let body = Some(body(self.draw(1_000)));
                Call::Run(Command::Modify(Box::new(Modify { name, door: admin(), body, custom_data: None, origin })))
            }
            Deed::Receipt => {
                let MessageName { from, to, key, .. } = self.drawn_message(app)?;
                Call::Run(Command::Receipt(Receipt { app, reader: to, peer: from, keys: vec![key], origin }))
            }
            Deed::Kick => Call::Kick(Kick { app, user: reader, request: RequestId::NONE }),
            Deed::Replay => Call::Replay(app),
            Deed::Back => {
                let (moment, at) = (self.moment(), self.at);
                self.server.delivery.back(app, moment);
                self.book().judge.is_back(0, app, at);
                return None;
            }
            Deed::LogOut | Deed::Forget | Deed::Break | Deed::Silence => return None,
        })
    }

    pub(super) async fn call(&mut self, call: Call) {
        let chat = self.server.chat.clone();
        let done: Result<(), ChatError> = match call {
            Call::Send(send) => chat.send(*send).await.map(drop),
            Call::Batch(batch) => chat.send_batch(*batch).await.map(drop),
            Call::Recall(recall) => chat.recall(recall).await,
            Call::Run(command) => chat.run(command).await,
            Call::Kick(kick) => chat.kick(kick).await,
            Call::Replay(app) => {
                let what = What::Parked { filter: ParkedFilter::default(), after: None };
                chat.replay(Replay { app, what }).await.map(drop)
            }
        };
        if let Err(error) = done {
            self.note(format!("{:14}{error}", ""));
        }
        self.hints_follow();
    }

    /// Hints of what was committed are on their way.
    pub(super) fn hints_follow(&mut self) {
        self.happens_in(self.draw(20), Happening::HintsAreHeard);
    }

    fn drawn_send(&mut self, app: SdkAppId) -> Send {
        self.numbers += 1;
        let number = self.numbers;
        let flags = if self.draw(8) == 0 { MessageFlags::NOT_LAST } else { MessageFlags::COUNTED };
        Send {
            app,
            from: self.drawn_user(),
            to: self.drawn_user(),
            seq: number,
            random: number,
            body: body(number),
            custom_data: format!("custom {number}"),
            push_info: String::new(),
            lifetime: Lifetime::Stored,
            flags,
            client_time_s: None,
            forbidden_callbacks: Vec::new(),
            origin: Origin::LOCAL,
            by_client: false,
            asked: None,
        }
    }

    pub(super) fn drawn_user(&self) -> UserId {
        user(NAMES[self.draw(self.mix.accounts as u32) as usize])
    }

    /// Some message; mostly one of the latest.
    fn drawn_message(&self, app: SdkAppId) -> Option<MessageName> {
        let back = if self.draw(4) == 0 { self.draw(200) } else { self.draw(6) };
        let book = self.book();
        let names = book.ledger.messages(app).rev().map(|(name, _)| name);
        let found = names.take(back as usize + 1).last().cloned();
        drop(book);
        found
    }
}

fn admin() -> Door {
    Door::Admin { account: user("administrator") }
}

fn body(number: u32) -> MsgBody {
    let json = format!(r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"text {number}"}}}}]"#);
    MsgBody::parse(&RawValue::from_string(json).expect("JSON")).expect("a body")
}
