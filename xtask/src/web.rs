//! What runs in Node and in a browser: the JavaScript SDK, and the chat page and the console in Chromium.
//!
//! All need the server program. What is missing is installed from the system's packages where that is possible without
//! asking anyone; else the step is skipped, and says what to install.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::system::{Outcome, answers, apt_get, is_root, server_program, stream};

/// The SDK and the page are written for this version of Node and newer ones.
const NODE_MAJOR_LEAST: u32 = 20;

const NO_NODE: &str = "Node 20 or newer with npm is not installed; your system's packages or nodejs.org have it";
const NO_CHROMIUM: &str = "Chromium is not installed; `apt-get install chromium` (Debian, Ubuntu) or \
    `dnf install chromium` (Fedora) adds it. If yours is elsewhere, name it in the environment variable UNSAID_CHROMIUM";

/// The SDK's own tests, against the real server.
pub(crate) fn sdk(root: &Path) -> Result<Outcome> {
    match node() {
        Ok(()) => tests(root, SDK, &[]),
        Err(why) => Ok(Outcome::Skipped(why)),
    }
}

/// The same, with servers that these variables say more about; where Node is missing, nothing.
pub(crate) fn sdk_on(root: &Path, variables: &[(&str, &str)]) -> Result<Outcome> {
    match node() {
        Ok(()) => {
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, Path::new(*value))).collect();
            tests(root, SDK, &variables)
        }
        Err(_) => Ok(Outcome::Passed),
    }
}

/// Two people in two windows, and everything else that only a browser shows.
pub(crate) fn chat(root: &Path) -> Result<Outcome> {
    browser(root, Folders { tests: "sdk/chat", tools: "sdk/chat" })
}

/// An operator connects a receiver, looks, mends and sends again.
pub(crate) fn console(root: &Path) -> Result<Outcome> {
    browser(root, Folders { tests: "crates/server/tests/console", tools: "sdk/chat" })
}

/// Where tests stand, and where the tools are installed that they use.
#[derive(Clone, Copy)]
struct Folders {
    tests: &'static str,
    tools: &'static str,
}

const SDK: Folders = Folders { tests: "sdk/js", tools: "sdk/js" };

fn browser(root: &Path, folders: Folders) -> Result<Outcome> {
    if let Err(why) = node() {
        return Ok(Outcome::Skipped(why));
    }
    match chromium()? {
        Some(program) => tests(root, folders, &[("UNSAID_CHROMIUM", &program)]),
        None => Ok(Outcome::Skipped(NO_CHROMIUM.to_owned())),
    }
}

fn tests(root: &Path, Folders { tests, tools }: Folders, variables: &[(&str, &Path)]) -> Result<Outcome> {
    let server = server_program(root)?;
    let install = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    for (folder, arguments) in [(tools, &install[..]), (tests, &["test"])] {
        let folder = root.join(folder);
        println!("$ (cd {}; npm {})", folder.display(), arguments.join(" "));
        let mut npm = Command::new("npm");
        npm.args(arguments).current_dir(&folder).env("UNSAID_BIN", &server).envs(variables.iter().copied());
        let status = stream(&mut npm)?;
        if !status.success() {
            return Ok(Outcome::Failed(format!("npm {}: {status}", arguments[0])));
        }
    }
    Ok(Outcome::Passed)
}

fn node() -> Result<(), String> {
    let output = Command::new("node").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if major(&version).is_some_and(|major| major >= NODE_MAJOR_LEAST) && answers("npm", &["--version"]) {
        return Ok(());
    }
    let found = if version.is_empty() { String::new() } else { format!(" (found {})", version.trim()) };
    Err(format!("{NO_NODE}{found}"))
}

/// Of `v20.1.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Where Chromium is, installed if that is possible.
fn chromium() -> Result<Option<PathBuf>> {
    let found = || {
        let named = std::env::var_os("UNSAID_CHROMIUM").map(PathBuf::from);
        let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(PathBuf::from);
        named.into_iter().chain(usual).find(|path| path.exists())
    };
    if found().is_none() && is_root() && answers("apt-get", &["--version"]) {
        println!("Chromium is not installed: installing it.");
        // Where the packages do not have it, the step is skipped, and says so.
        if !apt_get(&["chromium"])? {
            return Ok(None);
        }
    }
    Ok(found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9"), Some(9));
        assert_eq!(major(""), None);
        assert_eq!(major("20.1"), None);
    }
}
