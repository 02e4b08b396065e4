//! What an operator sends: JSON up to a bound, within a time.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;
use crate::apps::is_secret;

const BODY_BYTES_MAX: usize = 256 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads what was put together from a body, in the same way.
pub(crate) fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(wrong)
}

/// Reads a JSON body; what is wrong with it names the field. An empty one is `{}`.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let body = whole(body).await?;
    let text = if body.is_empty() { b"{}" } else { &body[..] };
    let mut value = serde_json::from_slice(text).map_err(|error| Problem::malformed(error.to_string()))?;
    whole_numbers(&mut value);
    parse(value)
}

/// All of a body, up to the bound and within the time.
pub(crate) async fn whole(body: Body) -> Result<Bytes, Problem> {
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, within a time")]
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let problem = |message: &str| Problem::new(StatusCode::BAD_REQUEST, message);
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(problem("the body is broken, or longer than 256 KiB")),
        Err(_) => Err(problem("the body took longer than 10 s")),
    }
}

/// To JSON Schema, and to some languages, 60.0 is the integer 60.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let is_exact = |number: &f64| number.fract() == 0.0 && number.abs() < EXACT_MAX;
            if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).filter(is_exact) {
                *number = (whole as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Up to here every whole number has a float of its own: 2 to the 53rd.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
fn wrong(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let problem = if is_secret(&path) { "must be a string".to_owned() } else { error.inner().to_string() };
    Problem { setting: Some(path.clone()), ..Problem::malformed(format!("{path}: {problem}")) }
}
