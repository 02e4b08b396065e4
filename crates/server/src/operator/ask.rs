//! What is asked in a path and behind its question mark. What is wrong with it is told as everything else is.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::Problem;

/// What stands behind the question mark.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::try_from_uri(&head.uri).map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Problem::new(StatusCode::BAD_REQUEST, format!("the query cannot be read: {cause}"))
        })?;
        Ok(Self(asked))
    }
}

/// What stands in the path.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Sync + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(head, state).await;
        let Path(named) = named.map_err(|error| {
            Problem::new(StatusCode::NOT_FOUND, format!("there is nothing of that name: {}", error.body_text()))
        })?;
        Ok(Self(named))
    }
}

pub(super) const PAGE_DEFAULT: u32 = 100;
pub(super) const PAGE_MAX: u32 = 1000;

/// How much a page may hold.
pub(super) fn page(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::malformed(format!("limit is {limit}, but must be from 1 to {PAGE_MAX}")))
}

/// What the page before has given as `next`, as a number.
pub(super) fn number(next: Option<&str>) -> Result<Option<i64>, Problem> {
    next.map(|next| next.parse().map_err(|_| Problem::broken_next())).transpose()
}
