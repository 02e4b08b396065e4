//! The command line as `docs/cli.md` shows it: what clap knows of each command, and an example that works beside the demo.

use std::collections::BTreeMap;

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;

/// A command in use.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Without `unsaid` before it.
    pub command: &'static str,
    pub script: &'static str,
    pub ends: Ends,
}

/// How an example ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    Well,
    /// With this exit code, for a reason that the script names.
    With(i32),
    /// When it is told to.
    Never,
}

const fn example(command: &'static str, script: &'static str) -> Example {
    Example { command, script, ends: Ends::Well }
}

const fn stays(command: &'static str, script: &'static str) -> Example {
    Example { command, script, ends: Ends::Never }
}

const fn fails(command: &'static str, script: &'static str) -> Example {
    Example { command, script, ends: Ends::With(1) }
}

/// In the order of the commands; each counts on those before it.
pub const EXAMPLES: &[Example] = &[
    stays("demo", "unsaid demo"),
    stays("serve", "unsaid serve --config unsaid.toml --set limits.connections_max=5000"),
    example("check", "unsaid check --set callback.allow_http=true"),
    example("doctor", "unsaid doctor --data-dir /tmp"),
    stays("listen", "unsaid listen --register 1400000001 --answer FAIL --fail-first 3"),
    example("config", "unsaid config > all-settings.toml"),
    example("completions", "unsaid completions bash > unsaid.bash"),
    example("app list", "unsaid app list"),
    example("app show", "unsaid app show 1400000001"),
    example("app create", "unsaid app create 1400000002 --name Example"),
    example("app rename", "unsaid app rename 1400000002 'Another name'"),
    example(
        "app set",
        "unsaid app set 1400000002 recall_window_s=300 callback.url=https://app.example/im \\\n       \
         'callback.commands=[\"C2C.CallbackAfterMsgWithDraw\"]'",
    ),
    example("app enable", "unsaid app enable 1400000002"),
    example("app disable", "unsaid app create 1400000003\nunsaid app disable 1400000003"),
    example("app delete", "unsaid app delete 1400000003 --confirm 1400000003"),
    example("app key list", "unsaid app key list 1400000002"),
    example("app key rotate", "unsaid app key rotate 1400000002"),
    example(
        "app key remove",
        "unsaid app key remove 1400000002 $(unsaid app key list 1400000002 | grep 'still valid' | cut -d ' ' -f 1)",
    ),
    example("app usersig", "unsaid app usersig 1400000002 mira"),
    example("account show", "unsaid account show 1400000001 mira"),
    example("account conversations", "unsaid account conversations 1400000001 mira --limit 10"),
    example("account messages", "unsaid account messages 1400000001 mira tomas"),
    example(
        "usersig",
        "unsaid usersig 1400000001 mira --expire-s 3600\n\
         echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef | unsaid usersig 1400000001 mira --secret-key-file -",
    ),
    example("token create", "unsaid token create --role viewer --name 'on call'"),
    example("token list", "unsaid token list"),
    example("token revoke", "unsaid token revoke $(unsaid token list | grep 'on call' | cut -d ' ' -f 1)"),
    example("audit", "unsaid audit --app 1400000002 --action app"),
    example("callback status", "unsaid callback status 1400000001"),
    example("callback back", "unsaid callback back 1400000001"),
    example("callback test", "unsaid callback test 1400000001 --command C2C.CallbackAfterSendMsg"),
    example("callback lanes", "unsaid callback lanes 1400000001"),
    example("deliveries", "unsaid deliveries 1400000001 --account Jonh --outcome unavailable"),
    example("story", "unsaid story 1400000001 $(unsaid deliveries 1400000001 --limit 1 | grep -o 'evt_[0-9a-z]*')"),
    example("parked", "unsaid parked 1400000001 --command C2C.CallbackAfterMsgWithDraw"),
    fails("parked discard", "unsaid parked discard 1400000001 evt_00   # nothing of that name is parked"),
    example("replay", "unsaid replay 1400000001 --all"),
    example("backup create", "unsaid backup create"),
    example("backup list", "unsaid backup list"),
    example("backup delete", "unsaid backup delete $(unsaid backup list | grep -o 'unsaid-[0-9-]*[.]db' | head -n 1)"),
    fails(
        "restore",
        "unsaid restore --from unsaid-20261124-140501-123.db --data-dir restored   # there is no such backup here",
    ),
    fails(
        "restored",
        "unsaid restored --store postgres://unsaid@127.0.0.1:1/unsaid   # there is no such database here",
    ),
    fails(
        "migrate",
        "unsaid migrate --from sqlite:none --to postgres://unsaid@127.0.0.1/unsaid   # there is no such folder here",
    ),
    example("reload", "unsaid reload"),
    example("ready", "unsaid ready"),
];

/// Settings that every command has that asks a server; the page says them once.
const OF_SERVER: [&str; 5] = ["profile", "api", "token", "ca_file", "json"];

/// Every command with what it takes and an example, as Markdown.
pub fn manual() -> String {
    let mut text = String::new();
    for (name, command) in commands() {
        let positionals: Vec<String> = command.get_positionals().map(positional).collect();
        let usage = [vec![format!("unsaid {name}")], positionals].concat().join(" ");
        text += &format!("### {usage}\n\n{}\n\n", sentence(&command.get_about().unwrap_or_default().to_string()));
        let is_of_server = |arg: &Arg| OF_SERVER.contains(&arg.get_id().as_str()) && asks_a_server(&command);
        let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !is_builtin(arg) && !is_of_server(arg)).collect();
        if !shown.is_empty() {
            text += "| | |\n|---|---|\n";
            text += &shown.into_iter().map(row).collect::<String>();
            text.push('\n');
        }
        for example in EXAMPLES.iter().filter(|example| example.command == name) {
            text += &format!("```sh\n{}\n```\n\n", example.script);
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// Those that do something by themselves, by name, in their order.
fn commands() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    let mut program = Cli::command();
    program.build();
    below("", &program, &mut found);
    found
}

fn below(prefix: &str, command: &Command, found: &mut Vec<(String, Command)>) {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{prefix} {}", command.get_name()).trim().to_owned();
        if !command.is_subcommand_required_set() {
            found.push((name.clone(), command.clone()));
        }
        below(&name, command, found);
    }
}

fn asks_a_server(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "api")
}

fn is_builtin(arg: &Arg) -> bool {
    ["help", "version"].contains(&arg.get_id().as_str())
}

fn positional(arg: &Arg) -> String {
    let more = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
    format!("{}{more}", names(arg))
}

fn names(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
}

fn row(arg: &Arg) -> String {
    let name = match arg.get_long() {
        None => names(arg),
        Some(long) if arg.get_action().takes_values() => format!("--{long} {}", names(arg)),
        Some(long) => format!("--{long}"),
    };
    let mut about = sentence(&arg.get_help().unwrap_or_default().to_string());
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !choices.is_empty() {
        about += &format!(" One of {}.", choices.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        about += &format!(" `{}` unless set.", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        about += &format!(" In the environment: `{}`.", variable.to_string_lossy());
    }
    format!("| `{name}` | {about} |\n")
}

/// clap takes the full stop away.
fn sentence(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.is_empty() || text.ends_with(['.', '?', ':']) { text } else { text + "." }
}

/// Commands and options that say nothing of themselves, by name.
pub fn silent() -> Vec<String> {
    let mut silent = Vec::new();
    for (name, command) in commands() {
        if command.get_about().is_none() {
            silent.push(name.clone());
        }
        let of_command = command.get_arguments().filter(|arg| !is_builtin(arg) && arg.get_help().is_none());
        silent.extend(of_command.map(|arg| format!("{name} {}", arg.get_id())));
    }
    silent
}

/// Commands without an example, and examples without a command.
pub fn without_example() -> Vec<String> {
    let mut count: BTreeMap<String, i32> = commands().into_iter().map(|(name, _)| (name, 1)).collect();
    for example in EXAMPLES {
        *count.entry(example.command.to_owned()).or_insert(0) -= 1;
    }
    count.into_iter().filter(|(_, left)| *left != 0).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    const MARK: &str =
        "<!-- From here on the page is made from the code: UNSAID_WRITE_DOCS=1 cargo test -p unsaid cli_md -->\n\n";

    #[test]
    fn cli_md_has_every_command() {
        let page = fs::read_to_string(PAGE).expect("docs/cli.md is there");
        let (prose, found) = page.split_once(MARK).expect("docs/cli.md has its mark");
        let fresh = manual();
        if env::var_os("UNSAID_WRITE_DOCS").is_some() {
            fs::write(PAGE, format!("{prose}{MARK}{fresh}")).expect("docs/cli.md can be written");
            return;
        }
        let differs = found.lines().zip(fresh.lines()).find(|(found, fresh)| found != fresh);
        assert!(found == fresh, "docs/cli.md is not what the code says (UNSAID_WRITE_DOCS=1 writes it): {differs:?}");
    }

    #[test]
    fn every_command_and_option_says_what_it_is() {
        assert_eq!(silent(), [""; 0]);
    }

    #[test]
    fn every_command_has_an_example() {
        assert_eq!(without_example(), [""; 0]);
    }
}
