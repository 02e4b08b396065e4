//! Sessions begin and end (callbacks 4.9).

use unsaid_protocol::{
    SdkAppId, UserId,
    callback::{CallbackCommand, KickedDevice, StateChange, StateInfo},
    error,
};

use super::{
    account::Account,
    applied::{ChatError, Done, Refusal},
    effect,
    event::{Origin, RequestId},
    import::Import,
    lane::Lane,
    session::{EndReason, Session, SessionId},
    tx::{Fault, Tx},
};
use crate::apps::App;

/// A device logs in. Its UserSig was proven before.
#[derive(Clone, Debug)]
pub struct LogIn {
    pub app: SdkAppId,
    pub user: UserId,
    pub session: SessionId,
    /// The session that it goes on with.
    pub resumes: Option<SessionId>,
    /// When its UserSig was made, in seconds.
    pub signed_s: u64,
    pub origin: Origin,
}

/// What a device learns of its login.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedIn {
    /// The account as the login has found or made it.
    pub account: Account,
    /// The sessions that ended by it.
    pub ended: Vec<(SessionId, EndReason)>,
}

/// A session ends, of its own accord or because it is gone.
#[derive(Clone, Debug)]
pub struct LogOut {
    pub app: SdkAppId,
    pub user: UserId,
    pub session: SessionId,
    pub how: Leaving,
    /// The request that ends it, if one does.
    pub request: RequestId,
}

/// How a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leaving {
    /// It logged out, or its login was ended.
    LoggedOut,
    /// Its connection broke.
    LinkClosed,
    /// Nothing was heard from it.
    TimedOut,
}

impl LogIn {
    /// An account that is not there yet is made by its first login.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        if app.disabled {
            return Err(Refusal::new(error::APP_DISABLED, format!("app {} is disabled", self.app)).into());
        }
        let known = tx.account(self.app, &self.user)?;
        // Zero is no moment: nobody has ended its logins.
        if known.is_some_and(|account| account.kicked_s > 0 && self.signed_s <= u64::from(account.kicked_s)) {
            let info = "the account's logins were ended after this UserSig was made: make a new one";
            return Err(Refusal::new(error::USERSIG_EXPIRED, info).into());
        }
        if known.is_none_or(|account| account.deleted) {
            Import { app: self.app, user: self.user.clone(), nick: None, face_url: None }.apply(tx)?;
        }
        let ended = self.displace(tx, &app)?;
        let Origin { client_ip, platform, .. } = self.origin;
        let (id, resumes) = (self.session.clone(), self.resumes.clone());
        let session = Session { id, platform, client_ip, since: tx.now(), resumes };
        tx.save_session(self.app, &self.user, &session)?;
        let mut account = tx.account(self.app, &self.user)?.expect("it is there now");
        let kicked = |(session, why): &(Session, EndReason)| {
            let platform = session.platform.as_str();
            (*why == EndReason::OtherLogin).then_some(KickedDevice { platform })
        };
        let kicked: Vec<_> = ended.iter().filter_map(kicked).collect();
        tell(tx, &app, &self.user, &mut account, self.origin, ("Login", "Register"), &kicked)?;
        tx.save_account(self.app, &self.user, &account)?;
        let ended = ended.into_iter().map(|(session, why)| (session.id, why)).collect();
        Ok(Done::LoggedIn(LoggedIn { account, ended }))
    }

    /// The session that is resumed goes, and of the platform's others as many as are too many, the oldest first. Whoever comes
    /// back to a session that is gone displaces nobody: another device took its place.
    fn displace(&self, tx: &mut dyn Tx, app: &App) -> Result<Vec<(Session, EndReason)>, ChatError> {
        let sessions = tx.sessions(self.app, &self.user)?;
        let (resumed, others): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|session| self.goes_on_with(session));
        let same: Vec<_> = others.into_iter().filter(|session| session.platform == self.origin.platform).collect();
        let too_many = (same.len() + 1).saturating_sub(usize::from(app.sessions_per_platform));
        if self.resumes.is_some() && resumed.is_empty() && too_many > 0 {
            let info = "the account has logged in on another device since: log in without session to end that login";
            return Err(Refusal::new(error::OTHER_LOGIN, info).into());
        }
        let displaced = same.into_iter().take(too_many).map(|session| (session, EndReason::OtherLogin));
        let ended: Vec<_> = resumed.into_iter().map(|session| (session, EndReason::Resumed)).chain(displaced).collect();
        for (session, _) in &ended {
            tx.remove_session(self.app, &self.user, &session.id)?;
        }
        Ok(ended)
    }

    /// It is the one that is named, or one that went on with that: then its device has not heard the answer.
    fn goes_on_with(&self, session: &Session) -> bool {
        self.resumes.as_ref().is_some_and(|named| *named == session.id || session.resumes.as_ref() == Some(named))
    }
}

impl LogOut {
    /// A session that is not there any more was ended before, and that was told.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        let sessions = tx.sessions(self.app, &self.user)?;
        let Some(session) = sessions.into_iter().find(|session| session.id == self.session) else {
            return Ok(Done::Nothing);
        };
        let mut account = tx.account(self.app, &self.user)?.expect("who has a session is an account");
        tx.remove_session(self.app, &self.user, &session.id)?;
        tell(tx, &app, &self.user, &mut account, session.origin(self.request), self.how.words(), &[])?;
        tx.save_account(self.app, &self.user, &account)?;
        Ok(Done::Nothing)
    }
}

impl Leaving {
    /// `Action` and `Reason`.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::LoggedOut => ("Logout", "Unregister"),
            Self::LinkClosed => ("Disconnect", "LinkClose"),
            Self::TimedOut => ("Disconnect", "TimeOut"),
        }
    }
}

/// Ends all sessions of an account; the caller saves its row.
pub(super) fn end_all(
    tx: &mut dyn Tx,
    app: &App,
    user: &UserId,
    account: &mut Account,
    request: RequestId,
) -> Result<Vec<SessionId>, Fault> {
    let sessions = tx.sessions(app.sdkappid, user)?;
    for session in &sessions {
        tx.remove_session(app.sdkappid, user, &session.id)?;
        tell(tx, app, user, account, session.origin(request), Leaving::LoggedOut.words(), &[])?;
    }
    Ok(sessions.into_iter().map(|session| session.id).collect())
}

/// Nobody is kept from coming and going: where the backlog is full, the last state takes the place of those that wait
/// (rule C9).
fn tell(
    tx: &mut dyn Tx,
    app: &App,
    user: &UserId,
    account: &mut Account,
    origin: Origin,
    (action, reason): (&str, &str),
    kicked: &[KickedDevice<'_>],
) -> Result<(), Fault> {
    let command = CallbackCommand::StateChange;
    if !app.owes(command) {
        return Ok(());
    }
    let lane = Lane::of_account(user);
    if effect::has_room(tx, app).is_err() {
        tx.save_account(app.sdkappid, user, account)?;
        tx.disown(app.sdkappid, &lane, command)?;
        *account = tx.account(app.sdkappid, user)?.expect("it was saved just now");
    }
    let event_time_ms = tx.now().0;
    let info = StateInfo { action, account: user, reason };
    let body = serde_json::to_vec(&StateChange { command, event_time_ms, info, kicked });
    let body = body.expect("strings and numbers serialize");
    effect::owe_in(tx, app, lane, &mut account.lane, command, origin, body)
}
