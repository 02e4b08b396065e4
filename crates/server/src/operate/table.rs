//! Apps, tokens and the audit log as tables for people.

use serde_json::Value;

use super::show::{list, plain, time};

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
    let more = answer["next"].as_str().map_or_else(String::new, |next| format!("there are more: --next {next}\n"));
    table(&["AT (UTC)", "WHO", "FROM", "ACTION", "APP", "WHAT"], rows) + &more
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
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let shown = table(
            &["A", "NAME"],
            vec![vec!["long one".to_owned(), "x".to_owned()], vec!["b".to_owned(), String::new()]],
        );
        assert_eq!(shown, "A         NAME\nlong one  x\nb\n");
    }
}
