//! Tokens: making one, seeing which there are, and revoking one.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::sign::hex;

use super::{
    Operator, Problem,
    admit::{CONFIGURED, Caller, digest},
    ask::Named,
    body, json,
};
use crate::{
    apps::Secret,
    chat::{Chat, Command, Role, Token},
    clock::{Timestamp, World},
    limits,
};

/// A token, without its text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    #[schemars(with = "i64")]
    pub(crate) created_ms: Timestamp,
    pub(crate) created_by: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenList {
    pub(crate) tokens: Vec<Shown>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What people call it, and the audit log.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[!-~]([ -~]*[!-~])?$"))]
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// A token that was just made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    #[serde(flatten)]
    pub(crate) shown: Shown,
    /// Once only, in this answer.
    pub(crate) token: String,
}

impl From<Token> for Shown {
    fn from(token: Token) -> Self {
        let Token { id, name, role, created, created_by, .. } = token;
        Self { id, name, role, created_ms: created, created_by }
    }
}

pub(super) async fn list(State(operator): State<Arc<Operator>>) -> Response<Body> {
    json(StatusCode::OK, &TokenList { tokens: operator.list_tokens() })
}

pub(super) async fn create(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::CREATED, &operator.create_token(&caller, body::read(body).await?).await?))
}

pub(super) async fn revoke(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.revoke_token(&caller, id).await?))
}

impl Operator {
    pub(crate) fn list_tokens(&self) -> Vec<Shown> {
        self.tokens.list().into_iter().map(Shown::from).collect()
    }

    pub(crate) async fn create_token(&self, caller: &Caller, new: NewToken) -> Result<Made, Problem> {
        let NewToken { name, role } = new;
        let is_name = name.trim() == name && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_name || name.is_empty() || name.len() > 64 {
            let message = "name: must be 1 to 64 printable ASCII characters, without a space at its ends";
            return Err(Problem::unprocessable(message));
        }
        let _making = self.making.lock().await;
        let tokens = self.tokens.list();
        if name == CONFIGURED || tokens.iter().any(|token| token.name == name) {
            let message = format!("there is a token {name:?} already: choose another name, or revoke that one");
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        if tokens.len() >= limits::TOKENS_MAX {
            let message = format!("there are {} tokens, as many as can be: revoke one", tokens.len());
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let (text, token) = draw(&self.world(), name, role, &caller.name);
        let note = caller.note("token.create", None, format!("{} {:?} ({})", token.id, token.name, role.as_str()));
        self.chat.noted(note, Some(Command::SaveToken(token.clone()))).await?;
        self.tokens.add(token.clone());
        Ok(Made { shown: token.into(), token: text.expose().to_owned() })
    }

    pub(crate) async fn revoke_token(&self, caller: &Caller, id: String) -> Result<Shown, Problem> {
        let _making = self.making.lock().await;
        let tokens = self.tokens.list();
        let Some(token) = tokens.iter().find(|token| token.id == id) else {
            return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no token {id}")));
        };
        let conflict = |message: &str| Err(Problem::new(StatusCode::CONFLICT, message));
        if token.id == CONFIGURED {
            return conflict("this token stands in the configuration: take it out there, and start the server again");
        }
        if !tokens.iter().any(|other| other.id != id && other.role == Role::Operator) {
            return conflict("this is the last token that may change anything: make another operator first");
        }
        let note = caller.note("token.revoke", None, format!("{} {:?}", token.id, token.name));
        self.chat.noted(note, Some(Command::RevokeToken(id.clone()))).await?;
        self.tokens.remove(&id);
        Ok(Shown::from(token.clone()))
    }
}

/// A new token and its text.
fn draw(world: &World, name: String, role: Role, created_by: &str) -> (Secret, Token) {
    let draw = |count: usize| -> String {
        let bytes: Vec<u8> = (0..count).flat_map(|_| world.entropy.next_u64().to_be_bytes()).collect();
        hex(&bytes)
    };
    let text = format!("unsaid_{}", draw(4));
    let (id, created) = (format!("tok_{}", draw(1)), world.clock.now());
    let token = Token { id, name, role, digest: digest(&text), created, created_by: created_by.to_owned() };
    (Secret::new(text), token)
}

/// The first token of a server that has none, and its text.
pub(super) async fn first(chat: &Chat, world: &World) -> anyhow::Result<Secret> {
    let (text, token) = draw(world, "first".to_owned(), Role::Operator, "the first start");
    chat.run(Command::SaveToken(token)).await?;
    Ok(text)
}
