//! The OpenAPI document, made from the routes and the types that they take and answer. A copy of it stands in
//! `docs/openapi.json`, which a test holds fresh.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    admit::Access,
    routes::{Route, routes},
};

/// The schema of a type, when it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// In a generator, which keeps what it refers to.
    named: fn(&mut SchemaGenerator) -> Schema,
    /// As it stands itself.
    whole: fn(&mut SchemaGenerator) -> Schema,
}

impl Shape {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self { named: |generator| generator.subschema_for::<T>(), whole: |generator| T::json_schema(generator) }
    }
}

/// Some object.
pub(super) type Anything = Map<String, Value>;

pub(super) async fn serve() -> Response<Body> {
    super::json(StatusCode::OK, &document())
}

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let operation = operation(&route, &mut generator);
        let path = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        path.as_object_mut().expect("it was made as an object").insert(route.method.to_owned(), operation);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Unsaid, operator API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0 OR MIT"},
            "description": "For whoever runs an Unsaid server. A list that has more names a `next`, to be asked for as it is.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    });
    say_how_large(&mut document);
    document
}

/// A format names the width of a number, and few tools know what that means.
fn say_how_large(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let most = match fields.get("format").and_then(Value::as_str) {
                Some("uint8") => Some(u64::from(u8::MAX)),
                Some("uint16") => Some(u64::from(u16::MAX)),
                Some("uint32") => Some(u64::from(u32::MAX)),
                _ => None,
            };
            if let Some(most) = most {
                fields.entry("maximum").or_insert(json!(most));
            }
            fields.values_mut().for_each(say_how_large);
        }
        Value::Array(items) => items.iter_mut().for_each(say_how_large),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut parameters = path_parameters(route.path);
    if let Some(query) = &route.query {
        parameters.extend(query_parameters(&(query.whole)(generator)));
    }
    let mut responses: Map<String, Value> = Map::new();
    for (status, answer) in &route.answers {
        let described = json!({"description": status.canonical_reason().unwrap_or("Done"),
            "content": {"application/json": {"schema": (answer.named)(generator)}}});
        responses.insert(status.as_u16().to_string(), described);
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
    });
    let fields = operation.as_object_mut().expect("it was made as an object");
    if route.access != Access::Open {
        let role = if route.access == Access::Reads { "viewer" } else { "operator" };
        fields.insert("security".to_owned(), json!([{"token": []}]));
        fields.insert("x-role".to_owned(), json!(role));
        let problem = json!({"description": "Why not, and what to do",
            "content": {"application/json": {"schema": generator.subschema_for::<Message>()}}});
        fields["responses"]["default"] = problem;
    }
    if let Some(body) = &route.body {
        let content = json!({"application/json": {"schema": (body.named)(generator)}});
        fields.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    }
    operation
}

/// An answer that is no success.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is described here, and made by Problem")]
struct Message {
    message: String,
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '.']).filter(|word| !word.is_empty() && !word.starts_with('{'));
    let is_one = route.path.ends_with('}');
    let words = words.chain(is_one.then_some("one")).collect::<Vec<_>>();
    format!("{}_{}", route.method, words.join("_"))
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match name {
            "sdkappid" => json!({"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX}),
            _ => json!({"type": "string", "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.map(parameter).collect()
}

/// The fields of an object, each as a parameter. What may be left out may not be null.
fn query_parameters(whole: &Schema) -> Vec<Value> {
    let empty = Map::new();
    let properties = whole.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = whole.get("required").and_then(Value::as_array);
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = without_null(schema.clone());
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let is_required = required.is_some_and(|required| required.iter().any(|one| one == name));
        json!({"name": name, "in": "query", "required": is_required, "description": description.unwrap_or(json!("")),
               "schema": schema})
    };
    properties.iter().map(parameter).collect()
}

fn without_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema.get("type").and_then(Value::as_array) {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned();
        schema["type"] = kind.unwrap_or(Value::Null);
    }
    if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
    }
    schema
}
