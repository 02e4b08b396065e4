//! The document of the operator API: it is what the code says, and every answer of the tests is what it says.

use std::path::Path;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use unsaid::operator::document;

/// Panics if the document does not know the answer.
pub(crate) fn check(method: &Method, path: &str, status: StatusCode, answer: &Value) {
    let document = document();
    let path = path.split('?').next().expect("a path");
    let paths = document["paths"].as_object().expect("an object");
    let Some((_, found)) = paths.iter().find(|(template, _)| is_of(&format!("/api/v1{path}"), template)) else {
        assert_eq!(status, StatusCode::NOT_FOUND, "{path} is in the document");
        return;
    };
    let operation = &found[method.as_str().to_lowercase()];
    let responses = &operation["responses"];
    let response = responses.get(status.as_str()).or_else(|| responses.get("default").filter(|_| !status.is_success()));
    let response = response.unwrap_or_else(|| panic!("{method} {path} may not answer {status}: {answer}"));
    let schema = &response["content"]["application/json"]["schema"];
    if let Err(why) = fits(&document, schema, answer) {
        panic!("{method} {path} answers {status}, {why}: {answer:#}");
    }
}

fn is_of(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path.iter().zip(&template).all(|(part, template)| part == template || template.starts_with('{'))
}

/// As much of JSON Schema as the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere");
        return fits(document, target, value);
    }
    for choices in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choices].as_array()
            && !choices.iter().any(|choice| fits(document, choice, value).is_ok())
        {
            return Err(format!("{value} is none of {choices:?}"));
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(document, part, value)?;
    }
    let of_type = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| of_type(kind)) {
        return Err(format!("{value} is not {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            return Err(format!("{name} is missing"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item).map_err(|why| format!("in an item {why}"))?;
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            let property = properties.get(name).ok_or_else(|| format!("{name} is not in the document"))?;
            fits(document, property, field).map_err(|why| format!("in {name} {why}"))?;
        }
    }
    Ok(())
}

#[test]
fn the_document_that_is_committed_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let fresh = format!("{:#}\n", document());
    if std::env::var_os("UNSAID_WRITE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("writable");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/openapi.json is there");
    assert!(
        committed == fresh,
        "write docs/openapi.json anew: UNSAID_WRITE_DOCS=1 cargo test -p unsaid --test it document"
    );
}

#[test]
fn what_does_not_fit_is_found() {
    let document = json!({"Name": {"type": "string"}});
    let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"$ref": "#/Name"}}});
    assert_eq!(fits(&document, &schema, &json!({"name": "x"})), Ok(()));
    for wrong in [json!({}), json!({"name": 1}), json!({"name": "x", "other": 1}), json!([])] {
        assert!(fits(&document, &schema, &wrong).is_err(), "{wrong}");
    }
}
