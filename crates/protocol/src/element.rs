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
    /// The array as JSON, as [`carried`] writes it.
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
        let json = carried(raw).map_err(|why| MsgBodyError::new(error::MSG_BODY_FORMAT, format!("MsgBody {why}")))?;
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
        Ok(Self { json, types })
    }
}

/// JSON that is handed on as it was given, in one form, so that it has the same length and the same hash however its
/// sender's library writes it: without blanks between its tokens, and with those escapes alone that JSON demands. The order
/// of fields and the digits of numbers stay. An error says what makes it unreadable, as the end of a sentence.
pub fn carried(raw: &RawValue) -> Result<String, String> {
    let json = raw.get();
    if nesting(json) > NESTING_MAX {
        return Err(format!("nests deeper than {NESTING_MAX} objects and arrays"));
    }
    // It has to be readable to everybody: no half of a character in an escape, say.
    serde_json::from_str::<serde_json::Value>(json).map_err(|error| format!("is not valid JSON: {error}"))?;
    Ok(canonical(json))
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

/// What needs no change is copied in whole runs: most of it, since few libraries escape more than they must.
fn canonical(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len());
    let (mut run, mut at, mut in_string) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        let skipped = match (in_string, byte) {
            (true, b'\\') => {
                out.push_str(&json[run..at]);
                unescape(&json[at..], &mut out)
            }
            (false, b' ' | b'\t' | b'\r' | b'\n') => {
                out.push_str(&json[run..at]);
                1
            }
            _ => {
                in_string ^= *byte == b'"';
                at += 1;
                continue;
            }
        };
        at += skipped;
        run = at;
    }
    out.push_str(&json[run..]);
    out
}

/// Writes what the escape at the beginning of `json` stands for; answers how many bytes it has.
fn unescape(json: &str, out: &mut String) -> usize {
    let unit = |at: usize| json.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let (character, bytes) = match json.as_bytes().get(1) {
        Some(b'/') => (Some('/'), 2),
        Some(b'u') => {
            let units = [unit(2), unit(8).filter(|_| json[6..].starts_with("\\u"))];
            let mut characters = char::decode_utf16(units.into_iter().flatten());
            let character = characters.next().and_then(Result::ok);
            (character, if character.is_some_and(|character| character.len_utf16() == 2) { 12 } else { 6 })
        }
        // A quote, a backslash, or a letter that stands for one of the characters that must be escaped.
        _ => (None, 2),
    };
    match character {
        Some(character) if character >= ' ' && !matches!(character, '"' | '\\') => out.push(character),
        Some(character) => {
            let quoted = serde_json::to_string(&character).expect("a character serializes");
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
        None => out.push_str(&json[..bytes]),
    }
    bytes
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

    #[test]
    fn strings_have_one_form() {
        for (given, carried) in [
            (r#""caf\u00e9 \u4f60\u597d""#, r#""café 你好""#),
            (r#""\ud83d\ude00\uD83D\uDE00""#, r#""😀😀""#),
            (r#""a\/b\u002f""#, r#""a/b/""#),
            (r#""\u0022\u005c\u005C""#, r#""\"\\\\""#),
            (r#""\u0000\u001f\u000a\u0009\u007f""#, "\"\\u0000\\u001f\\n\\t\u{7f}\""),
            (r#""\b\f\n\r\t\"\\""#, r#""\b\f\n\r\t\"\\""#),
            (r#""\\u00e9 \\" "#, r#""\\u00e9 \\""#),
            ("{ \"\\u0062\" : 1.50E+3 ,\t\"a\":[ 1e2 , -0.0 ]}\r\n", r#"{"b":1.50E+3,"a":[1e2,-0.0]}"#),
        ] {
            assert_eq!(canonical(given), carried, "{given}");
        }
        let text = |text: &str| format!(r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{text}"}}}}]"#);
        assert_eq!(parse(&text(r"\u4f60")), parse(&text("你")));
        assert_ne!(parse(&text(r"\\u4f60")), parse(&text("你")));
    }

    /// A string with each character as some library might write it.
    fn written(text: &str, choices: &[u8]) -> String {
        let mut json = String::from('"');
        for (character, choice) in text.chars().zip(choices.iter().cycle()) {
            let mut units = [0; 2];
            let escaped = character.encode_utf16(&mut units).iter();
            match choice % 4 {
                0 => json.extend(escaped.map(|unit| format!("\\u{unit:04x}"))),
                1 => json.extend(escaped.map(|unit| format!("\\u{unit:04X}"))),
                2 if character == '/' => json.push_str("\\/"),
                _ if character == '"' => json.push_str("\\\""),
                _ => json.push_str(serde_json::to_string(&character).expect("serializes").trim_matches('"')),
            }
        }
        json + "\""
    }

    proptest! {
        #[test]
        fn carried_json_means_the_same_and_has_one_form(
            text in "[\u{0}-\u{24f}/\"\\\\\u{4f60}\u{1f600}\u{10ffff}]{0,30}",
            choices in prop::collection::vec(any::<u8>(), 1..8),
            number: i64,
        ) {
            let escaped = written(&text, &choices);
            let given = format!("[ {{{escaped} : {number} }},\n{escaped} ]");
            let meant: serde_json::Value = serde_json::from_str(&given).expect("the test gives valid JSON");
            let once = canonical(&given);
            prop_assert_eq!(&once, &serde_json::to_string(&meant).expect("serializes"));
            prop_assert_eq!(canonical(&once), once);
        }

        #[test]
        fn pretty_json_means_the_same(text in ".{0,40}", number: i64) {
            let value = serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text, "n": number}}]);
            let pretty = serde_json::to_string_pretty(&value).expect("serializes");
            let body = parse(&pretty).expect("right");
            prop_assert_eq!(&body.json, &serde_json::to_string(&value).expect("serializes"));
        }
    }
}
