//! What comes from others: under which licences, and that there is one crypto library.
//!
//! `cargo tree` says what is built. `Cargo.lock` and `cargo metadata` name more: optional packages whose features are
//! off, such as the `ring` of rustls-webpki.

use std::{collections::BTreeSet, env, path::Path, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Finding, tree::Tree};

/// Licences under which a dependency may be used.
const ALLOWED_LICENCES: [&str; 15] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "Unlicense",
    "0BSD",
    "OpenSSL",
    "MIT-0",
    "CC0-1.0",
];

/// Packages that are used in spite of their licence, each with the reason. Empty is how it should be.
const LICENCE_EXCEPTIONS: [(&str, &str); 0] = [];

/// Packages that must not be in the graph, each with what takes their place.
const BANNED_PACKAGES: [(&str, &str); 1] =
    [("ring", "aws-lc-rs is the crypto library here: turn the feature off that asks for this one (`cargo tree -i`)")];

const LOCK: &str = "Cargo.lock";

/// A package of the graph.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Package {
    name: String,
    /// As the package states it; empty if it states none.
    licence: String,
}

/// Every package that is built for any platform, for tests and by build scripts too.
pub(super) fn packages(root: &Path) -> Result<BTreeSet<Package>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let what = ["tree", "--workspace", "--locked", "--target", "all", "--edges", "normal,build,dev"];
    let how = ["--prefix", "none", "--format", "{p}|{l}|"];
    let output =
        Command::new(cargo).args(what).args(how).current_dir(root).output().context("cannot start cargo tree")?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines of the form `name v1.2.3|licence|`; what else may stand in them does not matter here.
fn parse(lines: &str) -> BTreeSet<Package> {
    let package = |line: &str| {
        let mut parts = line.split('|');
        let name = parts.next()?.split_whitespace().next()?.to_owned();
        Some(Package { name, licence: parts.next()?.to_owned() })
    };
    lines.lines().filter_map(package).collect()
}

pub(super) fn check(tree: &Tree, packages: &BTreeSet<Package>) -> Vec<Finding> {
    let lock = tree.file(LOCK).map_or("", |file| file.text.as_str());
    let mut findings = Vec::new();
    for Package { name, licence } in packages {
        let line = line_of(lock, name);
        if let Some((_, remedy)) = BANNED_PACKAGES.iter().find(|(banned, _)| banned == name) {
            findings.push(Finding::new(LOCK, line, format!("the package {name} is in the graph"), remedy));
        }
        if LICENCE_EXCEPTIONS.iter().any(|(exception, _)| exception == name) {
            continue;
        }
        if let Some(wrong) = wrong_licence(licence) {
            let remedy = "use another crate, or add it to LICENCE_EXCEPTIONS with the reason";
            findings.push(Finding::new(LOCK, line, format!("{name}: {wrong}"), remedy));
        }
    }
    findings
}

fn line_of(lock: &str, package: &str) -> usize {
    let line = format!("name = \"{package}\"");
    lock.lines().position(|candidate| candidate == line).map_or(1, |index| index + 1)
}

fn wrong_licence(expression: &str) -> Option<String> {
    if expression.is_empty() {
        return Some("it names no licence".to_owned());
    }
    match allowed(expression) {
        Ok(true) => None,
        Ok(false) => Some(format!("its licence {expression:?} is not allowed")),
        Err(error) => Some(format!("its licence {expression:?} cannot be read: {error}")),
    }
}

/// Whether the SPDX `expression` can be met with allowed licences alone. The old form `MIT/Apache-2.0` means OR.
fn allowed(expression: &str) -> Result<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Words<'_> = spaced.split_whitespace().peekable();
    let allowed = any(&mut words)?;
    if let Some(word) = words.next() {
        bail!("{word:?} is one too many");
    }
    Ok(allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> Result<bool> {
    let mut allowed = all(words)?;
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words)?;
    }
    Ok(allowed)
}

fn all(words: &mut Words<'_>) -> Result<bool> {
    let mut allowed = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words)?;
    }
    Ok(allowed)
}

fn one(words: &mut Words<'_>) -> Result<bool> {
    match words.next().context("it ends too early")? {
        "(" => {
            let allowed = any(words)?;
            ensure!(words.next() == Some(")"), "a parenthesis is not closed");
            Ok(allowed)
        }
        word @ (")" | "OR" | "AND" | "WITH") => bail!("{word:?} stands where a licence should"),
        licence if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().context("it ends too early")?;
            Ok(ALLOWED_LICENCES.contains(&format!("{licence} WITH {exception}").as_str()))
        }
        licence => Ok(ALLOWED_LICENCES.contains(&licence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        let check = |expression: &str, expect: Option<bool>| {
            assert_eq!(allowed(expression).ok(), expect, "{expression:?}");
        };
        check("MIT", Some(true));
        check("GPL-3.0-only", Some(false));
        check("MIT OR Apache-2.0", Some(true));
        check("MIT/Apache-2.0", Some(true));
        check("GPL-2.0-only / Zlib", Some(true));
        check("MIT OR LGPL-2.1-or-later", Some(true));
        check("MIT AND LGPL-2.1-or-later", Some(false));
        check("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true));
        check("(MIT OR Apache-2.0) AND GPL-3.0-only", Some(false));
        check("GPL-3.0-only OR MIT AND ISC", Some(true));
        check("MIT AND (GPL-3.0-only OR (ISC AND Zlib))", Some(true));
        check("ISC AND (Apache-2.0 OR ISC) AND OpenSSL", Some(true));
        check("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", Some(true));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("GPL-2.0-only WITH Classpath-exception-2.0", Some(false));
        check("mit", Some(false));
        for malformed in ["", "MIT OR", "MIT Apache-2.0", "(MIT", "MIT)", "AND MIT", "Apache-2.0 WITH", "()"] {
            check(malformed, None);
        }
    }

    #[test]
    fn findings_point_into_the_lock_file() {
        let lock = "[[package]]\nname = \"ring-buffer\"\n\n[[package]]\nname = \"ring\"\n\n[[package]]\nname = \"x\"\n";
        let packages = parse(
            "x v0.3.0 (*)|GPL-3.0-only|\nx v0.3.0|GPL-3.0-only|\ny v1.0.0||\nz v2.0.0|MIT|\nring v0.17.0|ISC|\n\n",
        );
        let found = check(&Tree::of(&[(LOCK, lock)]), &packages);
        let found: Vec<_> = found.iter().map(|finding| (finding.line, finding.wrong.as_str())).collect();
        let expect = [
            (5, "the package ring is in the graph"),
            (8, "x: its licence \"GPL-3.0-only\" is not allowed"),
            (1, "y: it names no licence"),
        ];
        assert_eq!(found, expect);
    }
}
