//! What the server answered, and the envelope that every answer of the REST API has (rest 1.2).

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use unsaid_protocol::ErrorCode;

use crate::ClientError;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// An answer as the REST API specifies it.
#[derive(Clone, PartialEq, Debug)]
pub struct Envelope {
    /// `ActionStatus`.
    pub action_status: String,
    /// `ErrorCode`; 0 is success.
    pub code: ErrorCode,
    /// `ErrorInfo`.
    pub info: String,
    /// The whole object.
    pub body: Value,
}

impl Answer {
    /// `ErrorCode` alone, for those who only count.
    pub fn code(&self) -> Result<ErrorCode, ClientError> {
        let Code { code } = serde_json::from_slice(&self.body).map_err(|_| self.not_envelope())?;
        Ok(code)
    }

    pub fn envelope(&self) -> Result<Envelope, ClientError> {
        let body: Value = serde_json::from_slice(&self.body).map_err(|_| self.not_envelope())?;
        let Fields { action_status, code, info } = Fields::deserialize(&body).map_err(|_| self.not_envelope())?;
        Ok(Envelope { action_status, code, info, body })
    }

    fn not_envelope(&self) -> ClientError {
        const EXCERPT_CHARACTERS_MAX: usize = 200;
        let excerpt = String::from_utf8_lossy(&self.body).chars().take(EXCERPT_CHARACTERS_MAX).collect();
        ClientError::NotEnvelope { status: self.status, excerpt }
    }
}

impl Envelope {
    /// Both fields have to say so (rest 1.2).
    pub fn is_ok(&self) -> bool {
        self.action_status == "OK" && self.code == ErrorCode(0)
    }

    /// The object, if the command was done.
    pub fn accepted(self, command: &str) -> Result<Value, ClientError> {
        if self.is_ok() {
            Ok(self.body)
        } else {
            Err(ClientError::Refused { command: command.to_owned(), code: self.code, info: self.info })
        }
    }
}

#[derive(Deserialize)]
struct Code {
    #[serde(rename = "ErrorCode")]
    code: ErrorCode,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "ActionStatus")]
    action_status: String,
    #[serde(rename = "ErrorCode")]
    code: ErrorCode,
    #[serde(rename = "ErrorInfo")]
    info: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static str) -> Answer {
        Answer { status: StatusCode::OK, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn success_needs_both_fields() {
        for (body, ok) in [
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#, true),
            (r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":0}"#, false),
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":20022}"#, false),
        ] {
            assert_eq!(answer(body).envelope().expect("an envelope").is_ok(), ok, "{body}");
        }
    }

    #[test]
    fn a_refusal_names_command_and_code() {
        let body = r#"{"ActionStatus":"FAIL","ErrorInfo":"no such message","ErrorCode":20022}"#;
        let error = answer(body).envelope().expect("an envelope").accepted("admin_msgwithdraw").expect_err("refused");
        assert_eq!(error.to_string(), "admin_msgwithdraw was refused with 20022: no such message");
        assert_eq!(error.code(), Some(ErrorCode(20022)));
        assert_eq!(answer(body).code().expect("an envelope"), ErrorCode(20022));
    }

    #[test]
    fn anything_else_is_no_envelope() {
        for body in ["", "<html>", "{}", "[]", r#"{"ActionStatus":"OK","ErrorCode":0}"#] {
            let error = answer(body).envelope().expect_err(body);
            assert!(matches!(error, ClientError::NotEnvelope { .. }), "{body}: {error}");
        }
    }
}
