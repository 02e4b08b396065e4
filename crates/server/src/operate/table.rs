//! Apps, tokens and the audit log as tables for people.

use serde_json::Value;

use super::show::{list, more, plain};
use crate::calendar::time;

pub(super) fn apps(answer: &Value) -> String {
    let rows = list(&answer["apps"]).iter().map(|app| {
        let state = if app["erasing"] == true {
            "being deleted"
        } else if app["disabled"] == true {
            "off"
        } else {
            "on"
        };
        vec![
            plain(&app["sdkappid"]),
            state.to_owned(),
            plain(&app["origin"]),
            plain(&app["name"]),
            plain(&app["callback"]["url"]),
        ]
    });
    table(&["SDKAPPID", "STATE", "ORIGIN", "NAME", "CALLBACKS TO"], rows.collect())
}

pub(super) fn app(app: &Value) -> String {
    let mut rows = Vec::new();
    for (name, value) in app.as_object().into_iter().flatten() {
        match value.as_object() {
            None => rows.push(vec![name.clone(), words(value)]),
            Some(inner) => rows.extend(inner.iter().map(|(key, value)| vec![format!("{name}.{key}"), words(value)])),
        }
    }
    table(&["SETTING", "VALUE"], rows)
}

pub(super) fn keys(answer: &Value) -> String {
    let use_of = |key: &Value| if key["in_use"] == true { "in use" } else { "still valid" };
    let rows = list(&answer["keys"]).iter().map(|key| vec![plain(&key["id"]), use_of(key).to_owned()]);
    table(&["KEY", "USE"], rows.collect()) + &once("secret_key", answer)
}

pub(super) fn usersig(answer: &Value) -> String {
    format!("{}\n", plain(&answer["usersig"]))
}

pub(super) fn erased(answer: &Value) -> String {
    format!("the app is gone; {} rows were erased\n", answer["erased"])
}

pub(super) fn token(answer: &Value) -> String {
    tokens(&serde_json::json!({"tokens": [answer]})) + &once("token", answer)
}

pub(super) fn tokens(answer: &Value) -> String {
    let row = |token: &Value| {
        let [id, role, name, by] = ["id", "role", "name", "created_by"].map(|field| plain(&token[field]));
        // The one of the configuration was made by nobody knows whom.
        let created = token["created_ms"].as_i64().filter(|ms| *ms > 0);
        vec![id, role, time(created), by, name]
    };
    table(&["ID", "ROLE", "CREATED", "BY", "NAME"], list(&answer["tokens"]).iter().map(row).collect())
}

pub(super) fn revoked(answer: &Value) -> String {
    format!("{} {:?} is revoked\n", plain(&answer["id"]), plain(&answer["name"]))
}

pub(super) fn audit(answer: &Value) -> String {
    let row = |entry: &Value| {
        let [actor, from, action, app, what] =
            ["actor", "client_ip", "action", "app", "what"].map(|field| plain(&entry[field]));
        vec![time(entry["at_ms"].as_i64()), actor, from, action, app, what]
    };
    let rows = list(&answer["entries"]).iter().map(row).collect();
    table(&["AT (UTC)", "WHO", "FROM", "ACTION", "APP", "WHAT"], rows) + &more(answer)
}

pub(super) fn lanes(answer: &Value) -> String {
    let row = |lane: &Value| {
        let head = &lane["head"];
        let [number, command, attempts, id] = ["number", "command", "attempts", "id"].map(|field| plain(&head[field]));
        let name = plain(&lane["lane"]).replace('\t', " and ");
        vec![name, plain(&lane["waiting"]), time(head["created_ms"].as_i64()), number, attempts, command, id]
    };
    let rows = list(&answer["lanes"]).iter().map(row).collect();
    let head = &["LANE", "WAITING", "FIRST SINCE (UTC)", "NUMBER", "TRIES", "COMMAND", "EVENT"];
    table(head, rows) + &more(answer)
}

pub(super) fn account(account: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, value) in account.as_object().into_iter().flatten().filter(|(name, _)| *name != "sessions") {
        let value = if name == "kicked_s" { seconds(value) } else { plain(value) };
        rows.push(vec![name.clone(), value]);
    }
    let row = |device: &Value| {
        let [platform, from] = ["platform", "client_ip"].map(|field| plain(&device[field]));
        vec![platform, from, time(device["since_ms"].as_i64())]
    };
    let devices: Vec<_> = list(&account["sessions"]).iter().map(row).collect();
    let devices = if devices.is_empty() {
        "no device is connected\n".to_owned()
    } else {
        table(&["DEVICE", "FROM", "SINCE (UTC)"], devices)
    };
    table(&["OF THE ACCOUNT", "VALUE"], rows) + "\n" + &devices
}

pub(super) fn conversations(answer: &Value) -> String {
    let row = |conversation: &Value| {
        let [peer, unread, key] = ["peer", "unread", "last_msg_key"].map(|field| plain(&conversation[field]));
        vec![peer, unread, seconds(&conversation["last_time_s"]), key]
    };
    let rows = list(&answer["conversations"]).iter().map(row).collect();
    table(&["WITH", "UNREAD", "LAST (UTC)", "LAST MESSAGE"], rows) + &more(answer)
}

pub(super) fn messages(answer: &Value) -> String {
    let row = |message: &Value| {
        let [from, to, key] = ["from", "to", "msg_key"].map(|field| plain(&message[field]));
        let mut state = vec![if message["read"] == true { "read" } else { "unread" }.to_owned()];
        match message["recalled_by"].as_str() {
            None => {}
            Some("") => state.push("recalled".to_owned()),
            Some(_) => state.push(format!("recalled by {}", plain(&message["recalled_by"]))),
        }
        state.extend(list(&message["flags"]).iter().map(plain));
        let said = if message["text"].is_null() { words(&message["types"]) } else { plain(&message["text"]) };
        vec![seconds(&message["time_s"]), from, to, key, state.join(", "), said]
    };
    let rows = list(&answer["messages"]).iter().map(row).collect();
    table(&["AT (UTC)", "FROM", "TO", "MSGKEY", "STATE", "WHAT"], rows) + &more(answer)
}

/// A moment that is known to the second.
fn seconds(value: &Value) -> String {
    let text = time(value.as_i64().map(|s| s.saturating_mul(1000)));
    text.trim_end_matches(".000").to_owned()
}

/// What is shown this once.
fn once(name: &str, answer: &Value) -> String {
    answer[name].as_str().map_or_else(String::new, |text| format!("\n{name}, shown only this once:\n\n    {text}\n"))
}

fn words(value: &Value) -> String {
    value.as_array().map_or_else(|| plain(value), |items| items.iter().map(plain).collect::<Vec<_>>().join(", "))
}

/// Columns as wide as what stands in them; the last one ends where its text does.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let shown = table(
            &["A", "NAME"],
            vec![vec!["long one".to_owned(), "x".to_owned()], vec!["b".to_owned(), String::new()]],
        );
        assert_eq!(shown, "A         NAME\nlong one  x\nb\n");
    }

    #[test]
    fn lanes_and_accounts_are_tables() {
        let lane = json!({"lane": "jared\tJonh", "waiting": 2, "head": {"id": "evt_1", "number": 7, "attempts": 3,
                          "command": "C2C.CallbackAfterSendMsg", "created_ms": 1_795_395_723_004_i64, "due_ms": 0}});
        assert_eq!(
            lanes(&json!({"lanes": [lane], "next": "jared\tJonh"})),
            "LANE            WAITING  FIRST SINCE (UTC)        NUMBER  TRIES  COMMAND                   EVENT\n\
             jared and Jonh  2        2026-11-23 01:02:03.004  7       3      C2C.CallbackAfterSendMsg  evt_1\n\
             there are more: --next 'jared\tJonh'\n"
        );
        let device = json!({"platform": "Web", "client_ip": "192.0.2.1", "since_ms": 1_795_395_723_004_i64});
        assert_eq!(
            account(&json!({"account": "Jonh", "unread": 2, "kicked_s": 1_795_395_723, "sessions": [device]})),
            "OF THE ACCOUNT  VALUE\naccount         Jonh\nkicked_s        2026-11-23 01:02:03\nunread          2\n\n\
             DEVICE  FROM       SINCE (UTC)\nWeb     192.0.2.1  2026-11-23 01:02:03.004\n"
        );
        assert!(account(&json!({"account": "Jonh", "sessions": []})).ends_with("no device is connected\n"));
    }

    #[test]
    fn conversations_and_messages_are_tables() {
        let one = json!({"peer": "Jonh", "unread": 2, "last_time_s": 1_795_395_723, "last_msg_key": "1_2_3"});
        assert_eq!(
            conversations(&json!({"conversations": [one], "next": "1795395723 Jonh"})),
            "WITH  UNREAD  LAST (UTC)           LAST MESSAGE\nJonh  2       2026-11-23 01:02:03  1_2_3\n\
             there are more: --next '1795395723 Jonh'\n"
        );
        let sent = json!({"from": "jared", "to": "Jonh", "msg_key": "1_2_3", "time_s": 1_795_395_723, "read": true,
                          "types": ["TIMTextElem"], "flags": ["modified"]});
        let said = json!({"from": "jared", "to": "Jonh", "msg_key": "4_5_6", "time_s": 1_795_395_724, "read": false,
                          "types": ["TIMTextElem"], "flags": [], "recalled_by": "administrator"});
        assert_eq!(
            messages(&json!({"messages": [said, sent]})),
            "AT (UTC)             FROM   TO    MSGKEY  STATE                              WHAT\n\
             2026-11-23 01:02:04  jared  Jonh  4_5_6   unread, recalled by administrator  TIMTextElem\n\
             2026-11-23 01:02:03  jared  Jonh  1_2_3   read, modified                     TIMTextElem\n"
        );
    }
}
