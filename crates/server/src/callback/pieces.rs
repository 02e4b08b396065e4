//! What the way out does for an event, but for the network.

use std::{sync::Arc, time::Duration};

use unsaid_protocol::callback::CallbackCommand;

use super::{
    Connector, Outcome,
    attempt::{Attempts, Call},
    delivery::{Action, Delivery, Moment},
    endpoint::{Endpoint, EndpointRules},
};
use crate::{
    apps::{App, Apps, EndpointSettings, Secret},
    chat::{EventId, Lane, Origin, OwedEvent, Tries},
    clock::{Clock, Entropy, Timestamp},
    cluster::Share,
    live::Live,
    pieces::{Work, app},
};

const NOW: Timestamp = Timestamp(1_764_500_000_000);

/// Events that are committed together.
const TOGETHER: usize = 64;

const LANES: i64 = 200;

pub(crate) fn build(times: u32) -> Work {
    let app = Arc::new(with_endpoint());
    let connector = Arc::new(Connector::new(Live::new(EndpointRules::default())));
    let endpoint = Endpoint::new(Arc::clone(&app), &connector).expect("its URL is allowed");
    let attempts = Attempts { connector, clock: Clock::standing_at(NOW), epoch: "epoch001".to_owned() };
    let calls: Vec<Call> = events(times).iter().map(Call::from).collect();
    let token = Secret::new("a token");
    Box::new(move || {
        for call in &calls {
            let request = attempts.request(&endpoint, call, Some(&token));
            assert!(request.uri().query().is_some_and(|query| query.contains("Sign=")));
        }
    })
}

pub(crate) fn deliver(times: u32) -> Work {
    let apps = Arc::new(Apps::default());
    apps.put(&Arc::new(with_endpoint()));
    let mut delivery = Delivery::new(apps, Entropy::seeded([5; 32]), Share::whole());
    let events = events(times);
    let clock = Clock::standing_at(NOW);
    let moment = move |number: u32| Moment { now: NOW, instant: clock.instant() + Duration::from_secs(number.into()) };
    // The outbox is empty.
    delivery.apps_changed(moment(0));
    step(&mut delivery, moment(0));
    Box::new(move || {
        let mut settled = 0;
        for (number, some) in (1..).zip(events.chunks(TOGETHER)) {
            delivery.hinted(some.to_vec(), false, moment(number));
            settled += step(&mut delivery, moment(number));
        }
        assert_eq!(settled, events.len());
    })
}

/// Does all that is to be done; how many events were settled.
fn step(delivery: &mut Delivery, moment: Moment) -> usize {
    let mut settled = 0;
    loop {
        let mut actions = delivery.actions(moment);
        if actions.is_empty() {
            actions = delivery.last_actions(moment);
        }
        if actions.is_empty() {
            return settled;
        }
        for action in actions {
            match action {
                Action::Attempt(event) => delivery.attempted(&event, &Outcome::Delivered, moment),
                Action::Settle(of) => {
                    settled += of.len();
                    delivery.settled();
                }
                Action::Search(app, _) => delivery.searched(app, Ok(Vec::new()), moment),
                Action::Load(..) | Action::PassOn(..) => panic!("nothing is missed, and all is delivered here"),
            }
        }
    }
}

fn with_endpoint() -> App {
    let mut app = app();
    app.callback.commands = [CallbackCommand::AfterMsgWithDraw].into();
    app.callback.endpoint = Some(EndpointSettings::new("https://backend.example/im".to_owned()));
    app
}

/// In lanes that take turns.
fn events(count: u32) -> Vec<OwedEvent> {
    let entropy = Entropy::seeded([9; 32]);
    let body = r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"jared","To_Account":"Jonh","MsgKey":"48374_2837_1557481126","UnreadMsgNum":7}"#;
    let event = |row: i64| {
        let place = row / LANES + 1;
        OwedEvent {
            id: EventId::new(NOW, row, entropy.next_u32()),
            app: app().sdkappid,
            lane: Lane(format!("user{}", row % LANES)),
            place,
            number: place,
            previous: place - 1,
            command: CallbackCommand::AfterMsgWithDraw,
            body: body.into(),
            origin: Origin::LOCAL,
            created: NOW,
            age_from: NOW,
            replay: false,
            tries: Tries::default(),
            due: NOW,
        }
    };
    (0..count.into()).map(event).collect()
}
