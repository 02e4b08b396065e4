//! The fields of a request's body. Each is read with the code that its absence or wrong type has.
//!
//! Unknown fields are no error, and `null` is as good as absent (rest 8.8).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use unsaid_protocol::{
    MsgKey, UserId,
    element::{MsgBody, carried},
};

use super::{command::Field, envelope::Service};
use crate::chat::Refusal;

/// A JSON object, its values not yet looked at.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// Reads a body, whatever its content type says. Some libraries write a mark of the byte order before it.
    pub(super) fn parse(service: Service, body: &'a [u8]) -> Result<Self, Refusal> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        serde_json::from_slice(body).map_err(|error| {
            let what = if body.iter().all(u8::is_ascii_whitespace) {
                "the body is empty: send {} where a command takes no input".to_owned()
            } else {
                format!("the body is not a JSON object: {error}")
            };
            Refusal::new(service.not_json(), what)
        })
    }

    /// The value of a field by either of its names, unless it is missing or null. The last one counts.
    pub(super) fn get(&self, field: &Field) -> Option<&'a RawValue> {
        let named = |name: &str| {
            let value = self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| *value);
            value.filter(|value| value.get() != "null")
        };
        named(field.name).or_else(|| field.alias.and_then(named))
    }

    pub(super) fn text(&self, field: &Field) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.parsed::<Text<'_>>(field).map(|text| text.map(|Text(text)| text))
    }

    pub(super) fn number(&self, field: &Field) -> Result<Option<u32>, Refusal> {
        self.numeric(field)
    }

    pub(super) fn integer(&self, field: &Field) -> Result<Option<i64>, Refusal> {
        self.numeric(field)
    }

    /// Seconds since 1970; a moment behind the last one counts as the last one.
    pub(super) fn seconds(&self, field: &Field) -> Result<Option<u32>, Refusal> {
        let seconds: Option<i64> = self.numeric(field)?;
        let seconds = seconds.map(|seconds| u32::try_from(seconds.min(i64::from(u32::MAX))));
        seconds.transpose().map_err(|_| wrong_type(field))
    }

    /// So many seconds; what is longer than can be counted counts as the longest.
    pub(super) fn duration_s(&self, field: &Field) -> Result<Option<u32>, Refusal> {
        let digits = self.digits(field)?;
        let duration = digits.map(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits));
        let duration = duration.map(|digits| digits.ok_or_else(|| wrong_type(field))).transpose()?;
        Ok(duration.map(|digits| digits.parse().unwrap_or(u32::MAX)))
    }

    pub(super) fn texts(&self, field: &Field) -> Result<Option<Vec<Cow<'a, str>>>, Refusal> {
        let texts = self.parsed::<Vec<Text<'_>>>(field)?;
        let texts: Option<Vec<_>> = texts.map(|texts| texts.into_iter().map(|Text(text)| text).collect());
        check_count(field, texts.as_ref().map(Vec::len))?;
        Ok(texts)
    }

    pub(super) fn objects(&self, field: &Field) -> Result<Option<Vec<Self>>, Refusal> {
        let objects: Option<Vec<Self>> = self.parsed(field)?;
        check_count(field, objects.as_ref().map(Vec::len))?;
        Ok(objects)
    }

    /// A name that no account can have is that of none that exists.
    pub(super) fn account(&self, field: &Field) -> Result<Option<UserId>, Refusal> {
        let account = self.text(field)?.map(|text| UserId::new(&text));
        account.transpose().map_err(|error| Refusal::new(field.code, format!("{}: {error}", field.name)))
    }

    pub(super) fn key(&self, field: &Field) -> Result<Option<MsgKey>, Refusal> {
        let key = self.text(field)?.map(|text| text.parse());
        key.transpose().map_err(|error| Refusal::new(field.code, format!("{}: {error}", field.name)))
    }

    /// Each way in which it can be wrong has its own code.
    pub(super) fn elements(&self, field: &Field) -> Result<Option<MsgBody>, Refusal> {
        let body = self.find(field)?.map(MsgBody::parse);
        body.transpose().map_err(|error| Refusal::new(error.code, error.info))
    }

    /// An object that is kept as it is, apart from how its writer's library spells it.
    pub(super) fn object(&self, field: &Field) -> Result<Option<String>, Refusal> {
        match self.find(field)? {
            Some(value) if !value.get().starts_with('{') => Err(wrong_type(field)),
            found => found.map(carried).transpose().map_err(|why| {
                let info = format!("{} {why}", field.name);
                Refusal::new(field.code, info)
            }),
        }
    }

    /// An Integer, or its decimal text, as several SDKs send it.
    fn numeric<T: DeserializeOwned>(&self, field: &Field) -> Result<Option<T>, Refusal> {
        let Some(digits) = self.digits(field)? else {
            return Ok(None);
        };
        serde_json::from_str(digits).map(Some).map_err(|_| wrong_type(field))
    }

    fn digits(&self, field: &Field) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.find(field)?.map(RawValue::get) else {
            return Ok(None);
        };
        let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let positive = digits.strip_prefix('-').unwrap_or(digits);
        let is_integer = !positive.is_empty() && positive.bytes().all(|byte| byte.is_ascii_digit());
        Some(digits).filter(|_| is_integer).map(Some).ok_or_else(|| wrong_type(field))
    }

    fn parsed<T: Deserialize<'a>>(&self, field: &Field) -> Result<Option<T>, Refusal> {
        let Some(value) = self.find(field)? else {
            return Ok(None);
        };
        serde_json::from_str(value.get()).map(Some).map_err(|_| wrong_type(field))
    }

    fn find(&self, field: &Field) -> Result<Option<&'a RawValue>, Refusal> {
        match self.get(field) {
            None if field.required => Err(missing(field)),
            found => Ok(found),
        }
    }
}

/// What a required field holds: where it is missing, it was refused before.
pub(super) fn required<T>(found: Result<Option<T>, Refusal>) -> Result<T, Refusal> {
    found.map(|found| found.expect("a field that is required is refused where it is missing"))
}

/// A field that has to be there is not.
pub(super) fn missing(field: &Field) -> Refusal {
    Refusal::new(field.code, format!("{} is missing: it must be {}", field.name, field.kind.called()))
}

fn wrong_type(field: &Field) -> Refusal {
    Refusal::new(field.type_code, format!("{} must be {}", field.name, field.kind.called()))
}

/// An Array that has to be there must hold something.
fn check_count(field: &Field, count: Option<usize>) -> Result<(), Refusal> {
    if count == Some(0) && field.required {
        return Err(Refusal::new(field.code, format!("{} is empty: name at least one", field.name)));
    }
    match (field.most, count) {
        (Some((most, code)), Some(count)) if count > most => {
            Err(Refusal::new(code, format!("{} holds {count}, and may hold {most}", field.name)))
        }
        _ => Ok(()),
    }
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
    use unsaid_protocol::{ErrorCode, error};

    use super::{super::command::Kind, *};

    fn parse(body: &str) -> Result<Fields<'_>, ErrorCode> {
        Fields::parse(Service::Openim, body.as_bytes()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn only_objects_are_bodies() {
        for body in ["", "  ", "[]", "1", "null", "\"x\"", "{", "{\"a\":}", "{}{}", "\u{feff}", "\u{feff}\u{feff}{}"] {
            assert_eq!(parse(body).expect_err(body), error::BODY_NOT_JSON);
        }
        assert!(Fields::parse(Service::Openim, &[0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).is_err());
    }

    #[test]
    fn a_mark_of_the_byte_order_is_passed_over() {
        let fields = parse("\u{feff}{\"a\":\"x\"}").expect("an object");
        let field = Field::optional("a", Kind::Text, error::BODY_NOT_JSON, "");
        assert_eq!(fields.text(&field), Ok(Some(Cow::Borrowed("x"))));
    }

    #[test]
    fn a_duration_of_any_length_is_one() {
        let fields =
            parse(r#"{"a":604800,"b":99999999999999999999999999,"c":"4294967296","d":-1,"e":"","f":1.5,"g":1e3}"#);
        let fields = fields.expect("an object");
        let duration = |name| {
            let field = Field::optional(name, Kind::Duration, error::MSG_LIFE_TIME, "");
            fields.duration_s(&field).map_err(|refusal| refusal.code)
        };
        assert_eq!(duration("a"), Ok(Some(604_800)));
        for longest in ["b", "c"] {
            assert_eq!(duration(longest), Ok(Some(u32::MAX)));
        }
        for wrong in ["d", "e", "f", "g"] {
            assert_eq!(duration(wrong), Err(error::MSG_LIFE_TIME), "{wrong}");
        }
    }

    #[test]
    fn null_is_absent_and_escapes_are_read() {
        let fields =
            parse(r#"{"a":null,"\u0062":"x\ny","c":"1700000000","d":-5,"e":1.5,"f":"-7"}"#).expect("an object");
        let field = |name, kind| Field::optional(name, kind, error::BODY_NOT_JSON, "");
        assert_eq!(fields.text(&field("a", Kind::Text)), Ok(None));
        assert_eq!(fields.text(&field("b", Kind::Text)), Ok(Some(Cow::Borrowed("x\ny"))));
        assert_eq!(fields.seconds(&field("c", Kind::Seconds)), Ok(Some(1_700_000_000)));
        assert_eq!(fields.number(&field("c", Kind::Number)), Ok(Some(1_700_000_000)), "text that is a number");
        assert_eq!(fields.integer(&field("f", Kind::Integer)), Ok(Some(-7)));
        for wrong in ["b", "d", "e", "f"] {
            assert!(fields.number(&field(wrong, Kind::Number)).is_err(), "{wrong}");
        }
        assert!(fields.text(&Field::required("a", Kind::Text, error::BODY_NOT_JSON, "")).is_err());
        assert_eq!(fields.number(&field("new", Kind::Number).or("c")), Ok(Some(1_700_000_000)));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body: Vec<u8>) {
            let _ = Fields::parse(Service::Openim, &body);
        }
    }
}
