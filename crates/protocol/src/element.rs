//! `MsgBody`: an array of elements, each `{"MsgType": String, "MsgContent": Object}` (rest 4.13, callbacks 5.1).
//!
//! The server looks at the types and carries the contents unchanged.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ErrorCode, error};

/// The element types that are carried; others are refused (rest 4.13).
pub const ELEMENT_TYPES: [&str; 9] = [
    "TIMTextElem",
    "TIMLocationElem",
    "TIMFaceElem",
    "TIMCustomElem",
    "TIMSoundElem",
    "TIMImageElem",
    "TIMFileElem",
    "TIMVideoFileElem",
    "TIMRelayElem",
];

/// How deep objects and arrays inside a `MsgBody` may nest, so that no reader of it runs out of stack.
pub const NESTING_MAX: usize = 64;

/// A `MsgBody` that was found right: compact JSON, and the types of its elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MsgBody {
    /// The array as JSON without blanks between its tokens.
    pub json: String,
    /// The element types in their order, joined by commas; what stays of a recalled message.
    pub types: String,
}

/// Why a `MsgBody` is refused: the code and what to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MsgBodyError {
    pub code: ErrorCode,
    pub info: String,
}

impl MsgBodyError {
    fn new(code: ErrorCode, info: impl Into<String>) -> Self {
        Self { code, info: info.into() }
    }
}

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(borrow, rename = "MsgType")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, rename = "MsgContent")]
    content: Option<&'a RawValue>,
}

impl MsgBody {
    /// Checks the value of a `MsgBody` field.
    pub fn parse(raw: &RawValue) -> Result<Self, MsgBodyError> {
        if !raw.get().starts_with('[') {
            return Err(MsgBodyError::new(error::MSG_BODY_NOT_ARRAY, "MsgBody must be an Array of elements"));
        }
        if nesting(raw.get()) > NESTING_MAX {
            return Err(MsgBodyError::new(
                error::MSG_BODY_FORMAT,
                format!("MsgBody nests deeper than {NESTING_MAX} objects and arrays"),
            ));
        }
        // What is carried as it stands has to be readable to everybody: no half of a character in an escape, say.
        serde_json::from_str::<serde_json::Value>(raw.get()).map_err(|error| {
            MsgBodyError::new(error::MSG_BODY_FORMAT, format!("MsgBody is not valid JSON: {error}"))
        })?;
        let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
            .map_err(|_| MsgBodyError::new(error::MSG_BODY_FORMAT, "MsgBody must be an Array of elements"))?;
        if elements.is_empty() {
            return Err(MsgBodyError::new(error::MSG_BODY_FORMAT, "MsgBody must hold at least one element"));
        }
        let mut types = String::new();
        for (index, element) in elements.iter().enumerate() {
            let kind = element_type(index, element)?;
            if kind == "TIMCustomElem" && types.split(',').any(|earlier| earlier == kind) {
                return Err(MsgBodyError::new(
                    error::ELEMENT_FORMAT,
                    "MsgBody may hold only one element of type TIMCustomElem",
                ));
            }
            if index > 0 {
                types.push(',');
            }
            types.push_str(kind);
        }
        Ok(Self { json: compact(raw.get()), types })
    }
}

fn element_type(index: usize, raw: &RawValue) -> Result<&'static str, MsgBodyError> {
    let wrong = |info: String| MsgBodyError::new(error::ELEMENT_FORMAT, info);
    if !raw.get().starts_with('{') {
        return Err(wrong(format!("MsgBody[{index}] must be an Object with MsgType and MsgContent")));
    }
    let element: Element<'_> = serde_json::from_str(raw.get())
        .map_err(|_| wrong(format!("MsgBody[{index}] must have MsgType and MsgContent once each")))?;
    let kind = element.kind.and_then(|kind| serde_json::from_str::<String>(kind.get()).ok());
    let Some(kind) = kind else {
        return Err(wrong(format!("MsgBody[{index}].MsgType must be a String")));
    };
    let Some(known) = ELEMENT_TYPES.into_iter().find(|known| *known == kind) else {
        return Err(wrong(format!("MsgBody[{index}].MsgType is none of {}", ELEMENT_TYPES.join(", "))));
    };
    if !element.content.is_some_and(|content| content.get().starts_with('{')) {
        return Err(wrong(format!("MsgBody[{index}].MsgContent must be an Object")));
    }
    Ok(known)
}

/// `json`, which must be valid, without the blanks between its tokens.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

/// How deep the objects and arrays of `json`, which must be valid, nest.
fn nesting(json: &str) -> usize {
    let (mut deepest, mut depth, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(json: &str) -> Result<MsgBody, ErrorCode> {
        let raw: Box<RawValue> = serde_json::from_str(json).expect("the test gives valid JSON");
        MsgBody::parse(&raw).map_err(|error| error.code)
    }

    #[test]
    fn elements_are_checked_and_carried() {
        let body =
            parse(r#"[ {"MsgType": "TIMTextElem", "MsgContent": {"Text": "a \" b \\"}, "New": 1} ]"#).expect("right");
        assert_eq!(body.json, r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a \" b \\"},"New":1}]"#);
        assert_eq!(body.types, "TIMTextElem");
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        let custom = r#"{"MsgType":"TIMCustomElem","MsgContent":{}}"#;
        let deep = format!(
            r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"a":{}{}}}}}]"#,
            "[".repeat(NESTING_MAX),
            "]".repeat(NESTING_MAX)
        );
        for (json, code) in [
            ("{}", error::MSG_BODY_NOT_ARRAY),
            ("\"text\"", error::MSG_BODY_NOT_ARRAY),
            ("[]", error::MSG_BODY_FORMAT),
            (r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"\ud800"}}]"#, error::MSG_BODY_FORMAT),
            ("[1]", error::ELEMENT_FORMAT),
            (r#"[["TIMTextElem",{}]]"#, error::ELEMENT_FORMAT),
            (r#"[{"MsgContent":{}}]"#, error::ELEMENT_FORMAT),
            (r#"[{"MsgType":7,"MsgContent":{}}]"#, error::ELEMENT_FORMAT),
            (r#"[{"MsgType":"TIMOther","MsgContent":{}}]"#, error::ELEMENT_FORMAT),
            (r#"[{"MsgType":"TIMTextElem"}]"#, error::ELEMENT_FORMAT),
            (r#"[{"MsgType":"TIMTextElem","MsgContent":"x"}]"#, error::ELEMENT_FORMAT),
            (&format!("[{custom},{custom}]"), error::ELEMENT_FORMAT),
            (&deep, error::MSG_BODY_FORMAT),
        ] {
            assert_eq!(parse(json), Err(code), "{json}");
        }
    }

    proptest! {
        #[test]
        fn compact_json_means_the_same(text in ".{0,40}", number: i64) {
            let value = serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text, "n": number}}]);
            let pretty = serde_json::to_string_pretty(&value).expect("serializes");
            let body = parse(&pretty).expect("right");
            prop_assert_eq!(&body.json, &serde_json::to_string(&value).expect("serializes"));
        }
    }
}
