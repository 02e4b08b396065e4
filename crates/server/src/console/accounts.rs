//! Accounts, for support: who is there, with whom somebody talks, when, and what was read or recalled; never what was said.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    Console,
    form::query,
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment},
};
use crate::{
    clock::Timestamp,
    operator::{
        accounts::{Conversation, Device, Shown, Which},
        messages,
    },
};

#[derive(Template)]
#[template(path = "accounts.html")]
struct Accounts {
    frame: Frame,
    sdkappid: u32,
    account: String,
    peer: String,
    found: Option<Found>,
    wrong: String,
}

struct Found {
    shown: Shown,
    conversations: Vec<Conversation>,
    messages: Option<Vec<messages::Shown>>,
    next: Option<String>,
}

const ROWS: u32 = 50;

pub(super) async fn show(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let (frame, _) = Frame::of_app(&console, &visit, app, ("accounts", "Accounts")).await?;
    let (account, peer) = (visit.query.text("account").to_owned(), visit.query.text("peer").to_owned());
    let mut page = Accounts { frame, sdkappid: app, account, peer, found: None, wrong: String::new() };
    if page.account.is_empty() {
        return Ok(page::show(&page));
    }
    match found(&console, &visit, app, &page).await {
        Ok(found) => page.found = Some(found),
        Err(problem) => page.wrong = problem.message,
    }
    Ok(page::show(&page))
}

async fn found(console: &Console, visit: &Visit, app: u32, page: &Accounts) -> Result<Found, crate::operator::Problem> {
    let Accounts { account, peer, .. } = page;
    let (operator, next) = (&console.operator, visit.query.filled("next"));
    let shown = operator.show_account(app, account).await?;
    if peer.is_empty() {
        let list = operator.list_conversations(app, account, Which { next, limit: Some(ROWS) }).await?;
        let next = list.next.map(|next| query(&[("account", account), ("next", &next)]));
        return Ok(Found { shown, conversations: list.conversations, messages: None, next });
    }
    let which = messages::Which { next, limit: Some(ROWS), text: false };
    let list = operator.list_messages(&visit.caller, app, [account, peer], which).await?;
    let next = list.next.map(|next| query(&[("account", account), ("peer", peer), ("next", &next)]));
    Ok(Found { shown, conversations: Vec::new(), messages: Some(list.messages), next })
}

impl Accounts {
    fn link(&self, peer: &str) -> String {
        format!("/console/apps/{}/accounts{}", self.sdkappid, query(&[("account", &self.account), ("peer", peer)]))
    }

    fn deliveries(&self, msg_key: &str) -> String {
        format!("/console/apps/{}/deliveries{}", self.sdkappid, query(&[("msg_key", msg_key)]))
    }
}

fn seconds(seconds: &u32) -> Moment {
    Moment(Timestamp(i64::from(*seconds) * 1000))
}

fn since(device: &Device) -> Moment {
    Moment(device.since_ms)
}
