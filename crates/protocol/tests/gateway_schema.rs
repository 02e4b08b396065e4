//! `docs/gateway.schema.json` is made from the types, and this holds it to them.
#![cfg(feature = "schema")]

use std::{env, fs, path::Path};

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use unsaid_protocol::session::{
    AnswerFrame, Beat, Blocklist, Conversations, ConversationsPage, DeleteConversation, DeleteMessages, History,
    HistoryPage, LoggedIn, Login, Modify, Nothing, OnlineStates, Profiles, Push, Read, Recall, Receipt, Send, Sent,
    SetProfile, Users,
};

/// A request's name, the schema of its data, and of what it is answered with.
type Request = (&'static str, Value, Value);

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn requests(all: &mut SchemaGenerator) -> Vec<Request> {
    vec![
        ("login", of::<Login>(all), of::<LoggedIn>(all)),
        ("heartbeat", of::<Nothing>(all), of::<Beat>(all)),
        ("send", of::<Send>(all), of::<Sent>(all)),
        ("recall", of::<Recall>(all), of::<Nothing>(all)),
        ("modify", of::<Modify>(all), of::<Nothing>(all)),
        ("read", of::<Read>(all), of::<Nothing>(all)),
        ("read_all", of::<Nothing>(all), of::<Nothing>(all)),
        ("receipt", of::<Receipt>(all), of::<Nothing>(all)),
        ("delete_messages", of::<DeleteMessages>(all), of::<Nothing>(all)),
        ("delete_conversation", of::<DeleteConversation>(all), of::<Nothing>(all)),
        ("set_profile", of::<SetProfile>(all), of::<Nothing>(all)),
        ("block", of::<Users>(all), of::<Blocklist>(all)),
        ("unblock", of::<Users>(all), of::<Blocklist>(all)),
        ("logout", of::<Nothing>(all), of::<Nothing>(all)),
        ("history", of::<History>(all), of::<HistoryPage>(all)),
        ("conversations", of::<Conversations>(all), of::<ConversationsPage>(all)),
        ("profiles", of::<Users>(all), of::<Profiles>(all)),
        ("online", of::<Users>(all), of::<OnlineStates>(all)),
        ("blocklist", of::<Nothing>(all), of::<Blocklist>(all)),
    ]
}

fn schema() -> String {
    let mut all = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let requests = requests(&mut all);
    let frames: Vec<Value> = requests
        .iter()
        .map(|(name, data, _)| {
            let id =
                json!({"type": "integer", "minimum": 0, "description": "chosen by the client; its answer carries it"});
            json!({"type": "object", "required": ["id", "request"],
                   "properties": {"id": id, "request": {"const": name}, "data": data}})
        })
        .collect();
    let answers: Map<String, Value> =
        requests.iter().map(|(name, _, answer)| ((*name).to_owned(), answer.clone())).collect();
    let server = json!({"anyOf": [of::<AnswerFrame>(&mut all), of::<Push>(&mut all)]});
    let mut defs = all.take_definitions(true);
    defs.insert("client_frame".to_owned(), json!({"oneOf": frames}));
    defs.insert("server_frame".to_owned(), server);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The gateway of Unsaid",
        "description": "Every frame is one of these. What a request is answered with in `data` stands under `answers`.",
        "anyOf": [{"$ref": "#/$defs/client_frame"}, {"$ref": "#/$defs/server_frame"}],
        "answers": answers,
        "$defs": defs,
    });
    serde_json::to_string_pretty(&schema).expect("it serializes") + "\n"
}

#[test]
fn the_schema_of_the_gateway_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gateway.schema.json");
    let fresh = schema();
    if env::var_os("UNSAID_WRITE_DOCS").is_some() {
        fs::write(&path, fresh).expect("it can be written");
        return;
    }
    let found = fs::read_to_string(&path).expect("docs/gateway.schema.json is there");
    assert!(found == fresh, "it is not what the types say (UNSAID_WRITE_DOCS=1 writes it)");
}
