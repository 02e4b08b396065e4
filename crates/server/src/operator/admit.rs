//! Who calls, and whether they may: a bearer token has a role, and a route says which one it needs.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{FromRequestParts, Request},
    http::{Response, StatusCode, header, request::Parts},
    middleware::Next,
};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tokio::time::Instant;
use unsaid_protocol::SdkAppId;

use super::{Operator, Problem};
use crate::{
    apps::Secret,
    chat::{Note, Role, Token},
    clock::{Clock, Timestamp},
    limits,
    listener::{Transport, client_ip, transport},
};

/// The name of the token that stands in the configuration.
pub(super) const CONFIGURED: &str = "configuration";

/// What a route needs of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Nothing: it says nothing about this server.
    Open,
    /// A token that reads.
    Reads,
    /// A token that may change everything.
    Changes,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) role: Role,
    client_ip: IpAddr,
}

impl Caller {
    pub(crate) fn new(token: Token, client_ip: IpAddr) -> Self {
        Self { name: token.name, role: token.role, client_ip }
    }

    /// What is noted of something that it does. Nothing is changed without, and both gates, here and before the console, let
    /// nobody come here who may only read.
    pub(super) fn note(&self, action: &'static str, app: Option<SdkAppId>, what: impl Into<String>) -> Note {
        assert!(self.role >= Role::Operator, "{action} by a token that only reads");
        Note { actor: self.name.clone(), client_ip: self.client_ip, action, app, what: what.into() }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(head.extensions.get::<Self>().cloned().expect("the route asks for a token"))
    }
}

/// The tokens that are valid now. The store has them, too, but for the one of the configuration.
#[derive(Debug)]
pub struct Tokens {
    valid: RwLock<Vec<Token>>,
    /// How often something was added or removed here.
    changes: AtomicU64,
}

impl Tokens {
    pub fn new(stored: Vec<Token>, configured: Option<Secret>) -> Self {
        let configured = configured.map(|text| Token {
            id: CONFIGURED.to_owned(),
            name: CONFIGURED.to_owned(),
            role: Role::Operator,
            digest: digest(text.expose()),
            created: Timestamp(0),
            created_by: CONFIGURED.to_owned(),
        });
        Self { valid: RwLock::new(configured.into_iter().chain(stored).collect()), changes: AtomicU64::new(0) }
    }

    pub(super) fn list(&self) -> Vec<Token> {
        self.valid.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often something was changed here, for [`Tokens::replace`].
    pub fn moment(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Puts those of the store, as they were read after that moment, in the place of those that it had; not if something was
    /// changed since. Answers whether it did.
    pub fn replace(&self, stored: Vec<Token>, moment: u64) -> bool {
        let mut valid = self.valid.write().unwrap_or_else(PoisonError::into_inner);
        if self.moment() != moment {
            return false;
        }
        valid.retain(|token| token.id == CONFIGURED);
        valid.extend(stored);
        true
    }

    pub(super) fn add(&self, token: Token) {
        let mut valid = self.valid.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        valid.push(token);
    }

    pub(super) fn remove(&self, id: &str) {
        let mut valid = self.valid.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        valid.retain(|token| token.id != id);
    }

    /// Looks at all of them, each in the same time wherever it differs.
    fn find(&self, text: &str) -> Option<Token> {
        let given = digest(text);
        let valid = self.valid.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = u32::MAX;
        for (number, token) in (0..).zip(valid.iter()) {
            let same: Choice = token.digest[..].ct_eq(&given[..]);
            found.conditional_assign(&number, same);
        }
        valid.get(found as usize).cloned()
    }
}

pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Wrong tokens of the last minute, by address.
#[derive(Debug)]
pub(super) struct Wrong {
    /// None is no bound.
    per_min: Option<NonZeroU32>,
    by_address: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Wrong {
    pub(super) fn new(per_min: u32) -> Self {
        Self { per_min: NonZeroU32::new(per_min), by_address: Mutex::default() }
    }

    /// How long nothing from that address is looked at, if so.
    fn waits(&self, from: IpAddr, clock: &Clock) -> Option<Duration> {
        let per_min = self.per_min?;
        let by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = by_address.get(&from)?;
        let left = MINUTE.checked_sub(clock.instant() - *since)?;
        (*count >= per_min.get()).then_some(left)
    }

    fn count(&self, from: IpAddr, clock: &Clock) {
        let now = clock.instant();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if by_address.len() >= limits::WRONG_TOKEN_ADDRESSES_MAX {
            by_address.retain(|_, (since, _)| now - *since < MINUTE);
        }
        // Whoever has that many addresses is not stopped by a count for each; what is remembered of the others stays.
        if by_address.len() >= limits::WRONG_TOKEN_ADDRESSES_MAX && !by_address.contains_key(&from) {
            return;
        }
        let (since, count) = by_address.entry(from).or_insert((now, 0));
        if now - *since >= MINUTE {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

/// Lets a request through whose token may do what the route does.
pub(super) async fn admit(
    (operator, access): (Arc<Operator>, Access),
    request: Request,
    next: Next,
) -> Result<Response<Body>, Problem> {
    if access == Access::Open {
        return Ok(next.run(request).await);
    }
    let (mut head, body) = request.into_parts();
    let caller = identify(&operator, &head)?;
    if access == Access::Changes && caller.role < Role::Operator {
        let message = format!("the token {:?} only reads: this needs one with the role operator", caller.name);
        return Err(Problem::new(StatusCode::FORBIDDEN, message));
    }
    head.extensions.insert(caller);
    Ok(next.run(Request::from_parts(head, body)).await)
}

fn identify(operator: &Operator, head: &Parts) -> Result<Caller, Problem> {
    let from = operator.client_ip(head);
    let given = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    operator.prove(given, from).map(|token| Caller::new(token, from))
}

impl Operator {
    pub(crate) fn client_ip(&self, head: &Parts) -> IpAddr {
        client_ip(head, &self.trusted_proxies.now())
    }

    /// How the caller reaches this server, or the trusted proxy before it.
    pub(crate) fn transport(&self, head: &Parts) -> Transport {
        transport(head, &self.trusted_proxies.now())
    }

    /// The token whose text this is. Wrong ones are counted by the address that they come from.
    pub(crate) fn prove(&self, text: &str, from: IpAddr) -> Result<Token, Problem> {
        let refused = |message: &str| Problem::new(StatusCode::UNAUTHORIZED, message);
        // Nothing was guessed, so nothing is counted.
        if text.is_empty() {
            return Err(refused("there is no token: send it as Authorization: Bearer; unsaid token create makes one"));
        }
        if let Some(left) = self.wrong.waits(from, &self.clock) {
            let seconds = left.as_secs() + 1;
            let message = format!("too many wrong tokens came from {from}: try again in {seconds} s");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, message));
        }
        self.tokens.find(text).ok_or_else(|| {
            self.wrong.count(from, &self.clock);
            refused("this token is not valid: it was revoked, or is mistyped; unsaid token create makes one")
        })
    }

    /// The token of that name as long as it is valid: what was proven before is asked again with each request.
    pub(crate) fn valid_token(&self, id: &str) -> Option<Token> {
        self.tokens.list().into_iter().find(|token| token.id == id)
    }
}
