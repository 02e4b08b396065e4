//! The fields of a request's body. Each is read with the code that its absence or wrong type has.
//!
//! Unknown fields are no error, and `null` is as good as absent (rest 8.8).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use unsaid_protocol::{ErrorCode, UserId};

use super::envelope::Service;
use crate::chat::Refusal;

/// A JSON object, its values not yet looked at.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// Reads a body, whatever its content type says.
    pub(super) fn parse(service: Service, body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| {
            let what = if body.iter().all(u8::is_ascii_whitespace) {
                "the body is empty: send {} where a command takes no input".to_owned()
            } else {
                format!("the body is not a JSON object: {error}")
            };
            Refusal::new(service.not_json(), what)
        })
    }

    /// The value of a field, unless it is missing or null. The last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let value = self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| *value);
        value.filter(|value| value.get() != "null")
    }

    /// Whichever of two names a field goes by; the first one counts.
    pub(super) fn either(&self, name: &'static str, older: &'static str) -> &'static str {
        if self.get(name).is_none() && self.get(older).is_some() { older } else { name }
    }

    pub(super) fn text(&self, name: &str, code: ErrorCode) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.parsed::<Text<'_>>(name, code, "a String").map(|text| text.map(|Text(text)| text))
    }

    pub(super) fn number(&self, name: &str, code: ErrorCode) -> Result<Option<u32>, Refusal> {
        self.parsed(name, code, "an Integer from 0 to 4294967295")
    }

    pub(super) fn integer(&self, name: &str, code: ErrorCode) -> Result<Option<i64>, Refusal> {
        self.parsed(name, code, "an Integer")
    }

    /// Seconds, as an Integer or as its decimal text (rest 8.5).
    pub(super) fn seconds(&self, name: &str, code: ErrorCode) -> Result<Option<u32>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let digits = value.get().trim_matches('"');
        let seconds =
            digits.parse::<i64>().ok().and_then(|seconds| u32::try_from(seconds.min(i64::from(u32::MAX))).ok());
        seconds.map(Some).ok_or_else(|| Refusal::new(code, format!("{name} must be seconds since 1970")))
    }

    pub(super) fn texts(&self, name: &str, code: ErrorCode) -> Result<Option<Vec<Cow<'a, str>>>, Refusal> {
        let texts = self.parsed::<Vec<Text<'_>>>(name, code, "an Array of Strings")?;
        Ok(texts.map(|texts| texts.into_iter().map(|Text(text)| text).collect()))
    }

    pub(super) fn objects(&self, name: &str, code: ErrorCode) -> Result<Option<Vec<Self>>, Refusal> {
        self.parsed(name, code, "an Array of Objects")
    }

    /// An account that has to be named. A name that no account can have is that of none that exists.
    pub(super) fn account(&self, name: &str, code: ErrorCode) -> Result<UserId, Refusal> {
        let text = self.text(name, code)?.ok_or_else(|| missing(name, code))?;
        UserId::new(&text).map_err(|error| Refusal::new(code, format!("{name}: {error}")))
    }

    fn parsed<T: Deserialize<'a>>(&self, name: &str, code: ErrorCode, expected: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(value.get());
        parsed.map(Some).map_err(|_| Refusal::new(code, format!("{name} must be {expected}")))
    }
}

/// A field that has to be there is not.
pub(super) fn missing(name: &str, code: ErrorCode) -> Refusal {
    Refusal::new(code, format!("{name} is missing"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Fields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            fields.push((name, value));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unsaid_protocol::error;

    use super::*;

    fn parse(body: &str) -> Result<Fields<'_>, ErrorCode> {
        Fields::parse(Service::Openim, body.as_bytes()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn only_objects_are_bodies() {
        for body in ["", "  ", "[]", "1", "null", "\"x\"", "{", "{\"a\":}", "{}{}", "\u{feff}{}"] {
            assert_eq!(parse(body).expect_err(body), error::BODY_NOT_JSON);
        }
        assert!(Fields::parse(Service::Openim, &[0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).is_err());
    }

    #[test]
    fn null_is_absent_and_escapes_are_read() {
        let fields = parse(r#"{"a":null,"\u0062":"x\ny","c":"1700000000","d":-5}"#).expect("an object");
        let code = error::BODY_NOT_JSON;
        assert_eq!(fields.text("a", code), Ok(None));
        assert_eq!(fields.text("b", code), Ok(Some(Cow::Borrowed("x\ny"))));
        assert_eq!(fields.seconds("c", code), Ok(Some(1_700_000_000)));
        assert!(fields.number("d", code).is_err());
        assert!(fields.number("c", code).is_err());
        assert_eq!(fields.either("new", "c"), "c");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body: Vec<u8>) {
            let _ = Fields::parse(Service::Openim, &body);
        }
    }
}
