//! Tokens of the operator API, as they are kept: what they are called and may do, and a hash, never themselves.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What whoever has a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read.
    Viewer,
    /// Everything.
    Operator,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator].into_iter().find(|role| role.as_str() == name)
    }
}

/// A token as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Names it; drawn.
    pub id: String,
    /// What people call it; the audit log says who did something by this.
    pub name: String,
    pub role: Role,
    /// SHA-256 of the text. A drawn text has 256 bits, so it cannot be guessed from this.
    pub digest: [u8; 32],
    pub created: Timestamp,
    /// The name of the token that made it.
    pub created_by: String,
}
