//! What an operator sends: JSON up to a bound, within a time.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;

use super::Problem;
use crate::apps::is_secret;

const BODY_BYTES_MAX: usize = 256 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads what was put together from a body, in the same way.
pub(super) fn parse<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(wrong)
}

/// Reads a JSON body; what is wrong with it names the field. An empty one is `{}`.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, within a time")]
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let problem = |message: &str| Problem::new(StatusCode::BAD_REQUEST, message);
    let body = match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(problem("the body is broken, or longer than 256 KiB")),
        Err(_) => return Err(problem("the body took longer than 10 s")),
    };
    let text = if body.is_empty() { b"{}" } else { &body[..] };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(wrong)?;
    reader.end().map_err(|error| Problem::unprocessable(error.to_string()))?;
    Ok(value)
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
fn wrong(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let problem = if is_secret(&path) { "must be a string".to_owned() } else { error.inner().to_string() };
    Problem::unprocessable(format!("{path}: {problem}"))
}
