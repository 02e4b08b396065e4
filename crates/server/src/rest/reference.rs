//! The commands as `docs/rest.md` shows them.

use unsaid_protocol::{ErrorCode, error};

use super::{
    command::{Command, Example, Field},
    router::COMMANDS,
};

/// What each service is about, in the order of [`COMMANDS`].
const SERVICES: [(&str, &str); 6] = [
    ("im_open_login_svc", "Accounts"),
    ("openim", "Messages"),
    ("recentcontact", "Lists of conversations"),
    ("sns", "Blocklists"),
    ("ConfigSvc", "Addresses"),
    ("unsaid", "Callbacks"),
];

/// Every command with its fields, refusals and examples, and every code, as Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    for (service, title) in SERVICES {
        text += &format!("## {title}: `{service}`\n\n");
        for command in COMMANDS.iter().filter(|command| command.service == service) {
            text += &section(command);
        }
    }
    text += "## Codes\n\n| code | what went wrong | what to do |\n|---|---|---|\n";
    for entry in error::TABLE {
        text += &format!("| {} | {} | {} |\n", entry.code, entry.meaning, entry.remedy);
    }
    text
}

fn section(command: &Command) -> String {
    let mut text = format!("### {}\n\n{}\n\n", command.name, command.about);
    if !command.fields.is_empty() {
        text += "| field | it is | | missing or wrong |\n|---|---|---|---|\n";
        text += &command.fields.iter().map(|field| row(field)).collect::<String>();
        text.push('\n');
    }
    if !command.refusals.is_empty() {
        text += "| code | when |\n|---|---|\n";
        let row = |(code, when): &(ErrorCode, &str)| format!("| {code} | {when} |\n");
        text += &command.refusals.iter().map(row).collect::<String>();
        text.push('\n');
    }
    text + &command.examples.iter().map(|example| shown(command, example)).collect::<String>()
}

fn row(field: &Field) -> String {
    let alias = field.alias.map_or_else(String::new, |alias| format!(" or `{alias}`"));
    let required = if field.required { ", required" } else { "" };
    let codes = if field.code == field.type_code {
        field.code.to_string()
    } else {
        format!("{}; of another type {}", field.code, field.type_code)
    };
    let more = field.most.filter(|(_, code)| *code != field.code);
    let more = more.map_or_else(String::new, |(_, code)| format!("; too many {code}"));
    format!("| `{}`{alias} | {}{required} | {} | {codes}{more} |\n", field.name, field.kind.called(), field.about)
}

fn shown(command: &Command, example: &Example) -> String {
    let Command { service, name, .. } = command;
    let Example { body, answer, note } = example;
    assert!(!body.contains('\''), "a quote would end the shell's");
    let note = if note.is_empty() { String::new() } else { format!("{note}\n\n") };
    format!(
        "{note}```sh\ncurl -s \"$UNSAID/v4/{service}/{name}?$QUERY\" -d '{body}'\n```\n\n```json\n{answer}\n```\n\n"
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env, fs};

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rest.md");
    const MARK: &str =
        "<!-- From here on the page is made from the code: UNSAID_WRITE_DOCS=1 cargo test -p unsaid rest_md -->\n\n";

    #[test]
    fn rest_md_has_every_command_and_code() {
        let page = fs::read_to_string(PAGE).expect("docs/rest.md is there");
        let (prose, found) = page.split_once(MARK).expect("docs/rest.md has its mark");
        let fresh = reference();
        if env::var_os("UNSAID_WRITE_DOCS").is_some() {
            fs::write(PAGE, format!("{prose}{MARK}{fresh}")).expect("docs/rest.md can be written");
            return;
        }
        let differs = found.lines().zip(fresh.lines()).find(|(found, fresh)| found != fresh);
        assert!(found == fresh, "docs/rest.md is not what the code says (UNSAID_WRITE_DOCS=1 writes it): {differs:?}");
    }

    /// Keys of the default configuration, also those that it shows in comments, with the sections that they stand in.
    fn settings() -> BTreeSet<String> {
        let default = include_str!("../../../../unsaid.default.toml");
        let (mut section, mut settings) = (String::new(), BTreeSet::new());
        for line in default.lines().map(|line| line.trim_start_matches(['#', ' '])) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
                section = name.0.trim_matches('[').trim_start_matches("apps").trim_start_matches('.').to_owned();
                settings.insert(format!("[{section}]"));
            } else if let Some((key, _)) = line.split_once(" = ") {
                settings.insert(format!("{section}.{key}").trim_start_matches('.').to_owned());
            }
        }
        settings
    }

    #[test]
    fn every_setting_that_the_page_names_is_one() {
        let (page, settings) = (fs::read_to_string(PAGE).expect("docs/rest.md is there"), settings());
        let is_name =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let looks_like_one = |code: &str| match code.split_once('.') {
            Some((section, key)) => is_name(section) && is_name(key),
            None => code.strip_prefix('[').and_then(|code| code.strip_suffix(']')).is_some_and(is_name),
        };
        let lines = page.lines().filter(|line| !line.starts_with("curl") && !line.starts_with('{'));
        let codes = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
        let named: Vec<&str> = codes.filter(|code| looks_like_one(code)).collect();
        assert!(named.contains(&"callback.egress_addresses") && named.contains(&"[rates]"), "{named:?}");
        for name in named {
            assert!(settings.contains(name), "docs/rest.md names {name}, which is no setting: {settings:?}");
        }
    }

    #[test]
    fn every_command_belongs_to_a_service_and_has_an_example() {
        for command in COMMANDS {
            let name = command.name;
            assert!(SERVICES.iter().any(|(service, _)| *service == command.service), "{name}");
            assert!(!command.about.is_empty() && !command.examples.is_empty(), "{name}");
            for (code, when) in command.refusals {
                assert!(code.entry().is_some() && !when.is_empty(), "{name}: {code}");
            }
            for field in command.fields {
                assert!(field.code.entry().is_some() && !field.about.is_empty(), "{name}: {}", field.name);
            }
        }
    }
}
