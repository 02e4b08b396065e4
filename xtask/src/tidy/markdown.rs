//! The pages: their relative links lead to files of the repository, and `ARCHITECTURE.md` names every crate.
//!
//! Links to other sites are not followed: a test must not depend on them.

use std::collections::BTreeSet;

use super::{
    Finding,
    tree::{File, Tree},
};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.with_ending(".md").flat_map(|file| dead_links(tree, file)).collect();
    findings.extend(crates_without_place(tree));
    findings
}

fn dead_links(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in link_targets(&without_code(line)) {
            let alive = resolve(&file.path, &target).is_none_or(|path| tree.holds(&path));
            if !alive {
                let wrong = format!("the link to {target:?} leads nowhere");
                findings.push(Finding::new(&file.path, index + 1, wrong, "correct it, or add the file"));
            }
        }
    }
    findings
}

/// `line` without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The targets of `[text](target "title")`, `![text](target)` and `[name]: target`.
fn link_targets(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let inline =
        line.match_indices("](").filter_map(|(at, _)| line[at + 2..].split_once(')').map(|(inside, _)| inside));
    let definition = line.starts_with('[').then(|| line.split_once("]: ")).flatten().map(|(_, target)| target);
    for inside in inline.chain(definition) {
        if let Some(target) = inside.split_whitespace().next() {
            targets.push(target.trim_matches(['<', '>']).to_owned());
        }
    }
    targets
}

/// The path in the repository that `target` names on the page `page`; nothing if it leads elsewhere.
fn resolve(page: &str, target: &str) -> Option<String> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || path.contains(':') {
        return None;
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let from = if path.starts_with('/') { "" } else { folder };
    let mut parts = Vec::new();
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            // A step above the root leads out of the repository; its name is in no tree.
            ".." if parts.pop().is_none() => return Some("..".to_owned()),
            ".." => {}
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn crates_without_place(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file("ARCHITECTURE.md") else {
        return Vec::new();
    };
    let folders: BTreeSet<&str> =
        tree.files.iter().filter_map(|file| Some(file.path.strip_prefix("crates/")?.split_once('/')?.0)).collect();
    let without_place = folders.into_iter().filter(|name| !names(&page.text, name));
    without_place
        .map(|name| {
            let wrong = format!("crates/{name} is not named");
            Finding::new(&page.path, 1, wrong, "say what it is for, as `crates/<name>` or `<name>/`")
        })
        .collect()
}

fn names(text: &str, folder: &str) -> bool {
    let inside_a_word = |before: char| before.is_alphanumeric() || before == '_' || before == '-';
    let as_folder = |(at, _): (usize, &str)| {
        let after = &text[at + folder.len()..];
        let before = &text[..at];
        let ends = !after.starts_with(inside_a_word);
        (before.ends_with("crates/") && ends) || (!before.ends_with(inside_a_word) && after.starts_with('/'))
    };
    text.match_indices(folder).any(as_folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_files_of_the_repository() {
        let check = |page: &str, text: &str, expect: &[(usize, &str)]| {
            let files = [(page, text), ("docs/rest.md", ""), ("docs/decisions/0001.md", ""), ("LICENSE-MIT", "")];
            let found = super::check(&Tree::of(&files));
            let found: Vec<_> = found.iter().map(|finding| (finding.line, finding.wrong.as_str())).collect();
            let expect: Vec<_> =
                expect.iter().map(|(line, target)| (*line, format!("the link to {target:?} leads nowhere"))).collect();
            assert_eq!(found, expect.iter().map(|(line, wrong)| (*line, wrong.as_str())).collect::<Vec<_>>(), "{text}");
        };
        check("README.md", "[a](docs/rest.md) and [b](docs/), [c](./LICENSE-MIT#top)", &[]);
        check("README.md", "[a](https://example.com/x) [b](mailto:a@example.com) [c](#there)", &[]);
        check("README.md", "ok\n\n[a](docs/none.md) ![b](none.png \"title\")", &[(3, "docs/none.md"), (3, "none.png")]);
        check("README.md", "[a]: docs/rest.md\n[b]: docs/none.md \"title\"\n", &[(2, "docs/none.md")]);
        check("README.md", "```\n[a](none)\n```\n`[b](none)` and [c](<none>)\n", &[(4, "none")]);
        check("README.md", "[a](../outside.md)", &[(1, "../outside.md")]);
        check("docs/gateway.md", "[a](rest.md) [b](../LICENSE-MIT) [c](decisions/0001.md) [d](/docs/rest.md)", &[]);
        check("docs/gateway.md", "[a](docs/rest.md)", &[(1, "docs/rest.md")]);
        check("notes.txt", "[a](none)", &[]);
    }

    #[test]
    fn architecture_names_every_crate() {
        let check = |page: &str, expect: usize| {
            let files = [("ARCHITECTURE.md", page), ("crates/load/src/main.rs", ""), ("crates/load/Cargo.toml", "")];
            assert_eq!(super::check(&Tree::of(&files)).len(), expect, "{page}");
        };
        check("crates/\n  load/   makes load\n", 0);
        check("`crates/load` makes load", 0);
        check("nothing here makes load", 1);
        check("crates/loader and upload/", 1);
        assert!(super::check(&Tree::of(&[("crates/load/Cargo.toml", "")])).is_empty(), "there may be no such page");
    }
}
