//! An app's page: how its callbacks stand, its endpoint and switches, the test button, keys, and the end of its life.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode};
use unsaid_protocol::callback::CallbackCommand;

use super::{
    Console,
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment, Said, ago, number, took},
    settings::{self, Form, Group},
};
use crate::{
    apps::{Origin, Secret},
    callback::{Step, StepState, TestReport},
    operator::{
        Problem,
        apps::{Shown, keys},
    },
};

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage {
    frame: Frame,
    app: Shown,
    keys: Vec<keys::Shown>,
    form: Form,
    switches: Vec<Switch>,
    standing: Vec<(&'static str, String)>,
    delivered: Option<Moment>,
    probe_in: Option<String>,
    /// Whether settings can be changed here, by whoever looks.
    may_edit: bool,
    is_of_file: bool,
    test: Option<Tested>,
}

/// A callback that can be switched on.
struct Switch {
    command: &'static str,
    about: &'static str,
    is_on: bool,
}

/// A test, for people.
struct Tested {
    report: TestReport,
    class: &'static str,
    steps: Vec<Tried>,
    total: String,
    /// The field of the form that mends it, and its label.
    mend: Option<(&'static str, &'static str)>,
}

struct Tried {
    name: &'static str,
    class: &'static str,
    state: &'static str,
    took: String,
    seen: String,
}

/// What each callback tells.
fn about(command: CallbackCommand) -> &'static str {
    match command {
        CallbackCommand::AfterMsgWithDraw => {
            "A message was taken back: From, To, MsgKey, and the recipient's unread count."
        }
        CallbackCommand::AfterSendMsg => "A message was sent, or its sending has failed. It holds the text.",
        CallbackCommand::BeforeSendMsg => {
            "Asked before a message is stored: your app backend may refuse or replace it. It is waited for, up to 2 s."
        }
        CallbackCommand::AfterMsgReport => "An account has read a conversation.",
        CallbackCommand::AfterModifyMsg => "A message says something else now. It holds the text.",
        CallbackCommand::AfterMsgReadReceipt => "A recipient has acknowledged single messages.",
        CallbackCommand::AfterMsgReadAll => "An account has read everything.",
        CallbackCommand::StateChange => "An account came or went: login, logout, a broken connection.",
    }
}

/// In the order of what most receivers want.
const SWITCHES: [CallbackCommand; 8] = [
    CallbackCommand::AfterMsgWithDraw,
    CallbackCommand::AfterSendMsg,
    CallbackCommand::BeforeSendMsg,
    CallbackCommand::AfterMsgReport,
    CallbackCommand::AfterModifyMsg,
    CallbackCommand::AfterMsgReadReceipt,
    CallbackCommand::AfterMsgReadAll,
    CallbackCommand::StateChange,
];

pub(super) async fn show(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    shown(&console, &visit, app, StatusCode::OK, None).await
}

/// The page; after a refusal with what was filled in, and what is wrong with it.
pub(super) async fn shown(
    console: &Console,
    visit: &Visit,
    app: u32,
    status: StatusCode,
    refused: Option<&Problem>,
) -> Answer {
    let (frame, app) = Frame::of_app(console, visit, app, ("app", "App")).await?;
    let is_of_file = app.origin == Origin::File;
    let form = Form::new(&app, refused.map(|problem| (&visit.form, problem)));
    let is_typed = visit.form.has(SWITCHES_SENT);
    let is_on = |command: CallbackCommand| {
        if is_typed {
            visit.form.all("commands").any(|name| name == command.as_str())
        } else {
            app.callback.commands.contains(&command)
        }
    };
    let callbacks = &frame.app.as_ref().expect("the frame is of an app").callbacks;
    let standing = vec![
        ("Waiting", number(callbacks.waiting)),
        ("The oldest waits", callbacks.oldest_waits_s.map_or_else(|| "–".to_owned(), ago)),
        ("Parked", number(callbacks.parked)),
        ("Under way", callbacks.in_flight.to_string()),
    ];
    let page = AppPage {
        keys: console.operator.list_keys(app.sdkappid)?,
        switches: SWITCHES
            .map(|command| Switch { command: command.as_str(), about: about(command), is_on: is_on(command) })
            .into(),
        standing,
        delivered: callbacks.delivered_last_ms.map(Moment),
        probe_in: callbacks.probe_in_ms.map(|ms| took(ms * 1_000)),
        may_edit: visit.may_change() && !is_of_file && !app.erasing,
        is_of_file,
        test: frame.tested().cloned().map(Tested::new),
        form,
        frame,
        app,
    };
    Ok(page::show_with(status, &page))
}

/// A form that has it speaks of all switches: what is not ticked is off.
pub(super) const SWITCHES_SENT: &str = "switches";

impl AppPage {
    fn groups(&self, section: &str) -> &[Group] {
        self.form.groups(section)
    }
}

impl Tested {
    fn new(report: TestReport) -> Self {
        Self {
            class: if report.class == "delivered" { "good" } else { "bad" },
            steps: report.steps.iter().map(Tried::new).collect(),
            total: took(report.total_us),
            mend: report.setting.and_then(settings::field_of),
            report,
        }
    }
}

impl Tried {
    fn new(step: &Step) -> Self {
        let (class, state) = match step.state {
            StepState::Done => ("good", "done"),
            StepState::Failed => ("bad", "failed"),
            StepState::NotReached => ("idle", "not reached"),
            StepState::NotNeeded => ("idle", "not needed"),
        };
        let name = match step.step {
            "name" => "Name resolved",
            "connection" => "Connected",
            "tls" => "TLS",
            "status" => "Status",
            _ => "Answer",
        };
        let took = step.took_us.map(took).unwrap_or_default();
        Self { name, class, state, took, seen: step.seen.clone().unwrap_or_default() }
    }
}

fn path(app: u32) -> String {
    format!("/console/apps/{app}")
}

pub(super) async fn test(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let command = visit.form.text("command").parse().unwrap_or(CallbackCommand::AfterMsgWithDraw);
    let report = console.operator.test_callback(&visit.caller, app, command).await?;
    Ok(page::then(&console, &visit, &format!("{}#test", path(app)), Said::Tested(Box::new(report))))
}

pub(super) async fn back(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    console.operator.say_back(&visit.caller, app).await?;
    let said = Said::Done("What waits is tried at once.".to_owned());
    Ok(page::then(&console, &visit, &path(app), said))
}

pub(super) async fn add_key(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let added = console.operator.add_key(&visit.caller, app, keys::NewKey { secret_key: None }).await?;
    let said = Said::Secret {
        what: "This is the new secret key".to_owned(),
        advice:
            "It is shown this once. The keys of before stay valid until you remove them: change your app backend first."
                .to_owned(),
        text: Secret::new(added.secret_key),
    };
    Ok(page::then(&console, &visit, &path(app), said))
}

/// Something that is asked twice.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) frame: Frame,
    pub(super) question: String,
    pub(super) consequence: String,
    pub(super) button: &'static str,
    /// What has to be typed, if anything.
    pub(super) typed: Option<String>,
    pub(super) wrong: String,
    /// Where the form goes, and where "no" leads.
    pub(super) action: String,
    pub(super) back: String,
}

pub(super) async fn ask_key_removal(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named((app, key)): Named<(u32, String)>,
) -> Answer {
    let (frame, _) = Frame::of_app(&console, &visit, app, ("app", "Remove a key")).await?;
    Ok(page::show(&Confirm {
        frame,
        question: format!("Remove the key {key}?"),
        consequence: "Every UserSig that was made with it is valid no more.".to_owned(),
        button: "Remove the key",
        typed: None,
        wrong: String::new(),
        action: format!("{}/keys/{key}/remove", path(app)),
        back: path(app),
    }))
}

pub(super) async fn remove_key(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named((app, key)): Named<(u32, String)>,
) -> Answer {
    console.operator.remove_key(&visit.caller, app, key).await?;
    Ok(page::then(&console, &visit, &path(app), Said::Done("The key was removed.".to_owned())))
}

pub(super) async fn enable(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    console.operator.enable_app(&visit.caller, app).await?;
    Ok(page::then(&console, &visit, &path(app), Said::Done("The app is switched on.".to_owned())))
}

pub(super) async fn disable(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    console.operator.disable_app(&visit.caller, app).await?;
    let said = "The app is switched off: it keeps its data and answers nobody. What it was owed is parked.";
    Ok(page::then(&console, &visit, &path(app), Said::Done(said.to_owned())))
}

pub(super) async fn ask_deletion(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    Ok(page::show(&deletion(&console, &visit, app, String::new()).await?))
}

async fn deletion(console: &Console, visit: &Visit, app: u32, wrong: String) -> Result<Confirm, Problem> {
    let (frame, shown) = Frame::of_app(console, visit, app, ("app", "Delete the app")).await?;
    Ok(Confirm {
        frame,
        question: format!("Delete {} with everything that it has?", page::name_of(&shown)),
        consequence:
            "Its messages, accounts, keys and all callbacks that it is owed are erased. Nothing brings them back."
                .to_owned(),
        button: "Delete the app",
        typed: Some(app.to_string()),
        wrong,
        action: format!("{}/delete", path(app)),
        back: path(app),
    })
}

pub(super) async fn delete(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let confirm = visit.form.text("confirm").parse().unwrap_or(0);
    if confirm != app {
        let wrong = format!("Type {app} to confirm.");
        return Ok(page::show_with(StatusCode::CONFLICT, &deletion(&console, &visit, app, wrong).await?));
    }
    let erased = console.operator.delete_app(&visit.caller, app, confirm).await?;
    let said = if erased.done {
        format!("The app {app} was deleted.")
    } else {
        format!("The app {app} is being deleted. It has much to erase; the server goes on by itself.")
    };
    Ok(page::then(&console, &visit, "/console/apps", Said::Done(said)))
}
