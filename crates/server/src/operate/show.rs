//! Answers of the operator API as text for people.

use serde_json::Value;

use crate::calendar::time;

pub(super) fn state(state: &Value) -> String {
    let flows = match state["state"].as_str() {
        Some("unavailable") => "the endpoint is unavailable; one callback at a time is tried",
        Some("refusing") => "the endpoint refuses everything; one callback at a time is tried",
        _ => "callbacks flow",
    };
    let mut lines = vec![("state".to_owned(), flows.to_owned())];
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    if let Some(probe_in_ms) = state["probe_in_ms"].as_u64() {
        line("next try", format!("in {:.1} s", probe_in_ms as f64 / 1e3));
    }
    line("waiting", format!("{} ({} bytes)", state["waiting"], state["waiting_bytes"]));
    if let Some(oldest_s) = state["oldest_waits_s"].as_u64() {
        line("oldest", format!("waits {oldest_s} s"));
    }
    line("parked", state["parked"].to_string());
    line("in flight", format!("{} of {} at once", state["in_flight"], state["at_once"]));
    two_columns(&lines)
}

pub(super) fn test(report: &Value) -> String {
    let mut text = String::new();
    for step in list(&report["steps"]) {
        let mark = match step["state"].as_str() {
            Some("done") => "ok",
            Some("failed") => "FAILED",
            Some("not_needed") => "not needed",
            _ => "not reached",
        };
        let took = step["took_us"].as_u64().map_or(String::new(), |took_us| format!("{:.2} ms", took_us as f64 / 1e3));
        text += &format!("{:<11} {mark:<12} {took:>10}  {}\n", plain(&step["step"]), plain(&step["seen"]));
    }
    text + &format!("{}: {}\n", plain(&report["outcome"]), plain(&report["message"]))
}

pub(super) fn deliveries(page: &Value) -> String {
    let mut text = String::new();
    for attempt in list(&page["attempts"]) {
        text += &delivery(attempt);
    }
    text + &more(page)
}

/// An attempt in one line.
pub(super) fn delivery(attempt: &Value) -> String {
    format!("{}  {}\n", line_of_attempt(attempt), plain(&attempt["event"]))
}

pub(super) fn story(story: &Value) -> String {
    let mut text = String::new();
    let event = &story["event"];
    if event.is_null() {
        text += "the event itself is no longer kept; these are the attempts at it\n";
    } else {
        let lane = plain(&event["lane"]).replace('\t', " and ");
        let about = ["id", "command", "request", "state", "reason"].map(|name| (name.to_owned(), plain(&event[name])));
        text += &two_columns(&about);
        text += &two_columns(&[
            ("lane".to_owned(), format!("{lane}, number {}", event["number"])),
            ("created".to_owned(), time(event["created_ms"].as_i64())),
        ]);
    }
    for attempt in list(&story["attempts"]) {
        text += &format!("{}\n", line_of_attempt(attempt));
        let detail = &attempt["detail"];
        for name in ["message", "address", "status", "answer", "sent"] {
            if !detail[name].is_null() {
                text += &format!("    {name}: {}\n", plain(&detail[name]));
            }
        }
    }
    text
}

pub(super) fn parked(page: &Value) -> String {
    let mut text = String::new();
    for event in list(&page["events"]) {
        let lane = plain(&event["lane"]).replace('\t', " and ");
        let (id, command) = (plain(&event["id"]), plain(&event["command"]));
        text += &format!("{}  {id}  {command}  {lane}\n", time(event["parked_ms"].as_i64()));
        text += &format!("    {}\n", plain(&event["reason"]));
    }
    if text.is_empty() { "nothing is parked\n".to_owned() } else { text + &more(page) }
}

pub(super) fn discarded(event: &Value) -> String {
    format!("{} {} is thrown away\n", plain(&event["id"]), plain(&event["command"]))
}

pub(super) fn replayed(replayed: &Value) -> String {
    let skipped = replayed["skipped"].as_u64().unwrap_or(0);
    let also = if skipped == 0 { String::new() } else { format!("; {skipped} stay, their accounts are gone") };
    format!("{} are sent again{also}\n", replayed["replayed"])
}

fn line_of_attempt(attempt: &Value) -> String {
    let total_us = attempt["detail"]["total_us"].as_u64().unwrap_or(0);
    let (number, outcome) = (&attempt["detail"]["number"], plain(&attempt["outcome"]));
    let (command, lane) = (plain(&attempt["command"]), plain(&attempt["lane"]).replace('\t', " and "));
    let at = time(attempt["at_ms"].as_i64());
    format!("{at}  try {number}  {outcome:<20} {:>9.2} ms  {command}  {lane}", total_us as f64 / 1e3)
}

/// What to ask with for the next page.
pub(super) fn more(page: &Value) -> String {
    let line = |next: &str| format!("there are more: --next {}\n", word(next));
    page["next"].as_str().map_or_else(String::new, line)
}

fn two_columns(lines: &[(String, String)]) -> String {
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:<11} {value}\n")).collect()
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text as one word of a shell's command line.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.,:/=@+".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Text without its quotes; nothing for what is not there. What a receiver sent must not move the cursor.
pub(super) fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    text.chars().map(|letter| if letter.is_control() && letter != '\t' { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_answered_cannot_move_the_cursor() {
        assert_eq!(plain(&Value::from("a\u{1b}[2Jb\nc")), "a [2Jb c");
    }

    #[test]
    fn a_word_of_a_command_line_is_one_for_every_shell() {
        for (text, expected) in
            [("12", "12"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$HOME", "'$HOME'"), ("a;b", "'a;b'")]
        {
            assert_eq!(word(text), expected);
        }
    }
}
