//! Sessions: connected devices of accounts, as the store knows them.

use std::{fmt, net::IpAddr, sync::Arc};

use unsaid_protocol::{SdkAppId, UserId, callback::Platform};

use super::{
    event::{Origin, RequestId},
    message::Message,
};
use crate::clock::{Entropy, Timestamp};

/// One connected device of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub id: SessionId,
    pub platform: Platform,
    pub client_ip: IpAddr,
    /// When it logged in.
    pub since: Timestamp,
    /// The session that it goes on with, which may have been gone already.
    pub resumes: Option<SessionId>,
}

impl Session {
    /// Where its end comes from: the session itself, whatever request has caused it.
    pub fn origin(&self, request: RequestId) -> Origin {
        Origin { client_ip: self.client_ip, platform: self.platform, request }
    }
}

/// Names a session. Cloning is cheap: the text is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub Arc<str>);

impl SessionId {
    /// One that nobody guesses.
    pub fn draw(entropy: &Entropy) -> Self {
        Self(format!("s_{:016x}{:08x}", entropy.next_u64(), entropy.next_u32()).into())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a session is ended by somebody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// The account logged in on another device of the same platform.
    OtherLogin,
    /// Another connection goes on with it.
    Resumed,
    /// The app backend ended the account's logins, or deleted it.
    AppBackend,
}

/// Whoever reaches the devices that are connected now. Losing what is said here costs time, never an update: devices go on
/// from their cursors.
pub trait Devices: fmt::Debug + Send + Sync + 'static {
    /// There is something new for the devices of an account.
    fn wake(&self, app: SdkAppId, user: &UserId);

    /// A session has ended; its row is gone already.
    fn end(&self, app: SdkAppId, user: &UserId, session: &SessionId, why: EndReason);

    /// A message that is stored nowhere, for the devices of `user`.
    fn online(&self, app: SdkAppId, user: &UserId, shown: &Arc<Shown>);
}

/// Nobody is connected.
#[derive(Clone, Copy, Debug)]
pub struct NoDevices;

impl Devices for NoDevices {
    fn wake(&self, _: SdkAppId, _: &UserId) {}
    fn end(&self, _: SdkAppId, _: &UserId, _: &SessionId, _: EndReason) {}
    fn online(&self, _: SdkAppId, _: &UserId, _: &Arc<Shown>) {}
}

/// A message with what it takes to show it to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    pub from: UserId,
    pub to: UserId,
    /// `MsgId`.
    pub id: String,
    pub message: Message,
}
