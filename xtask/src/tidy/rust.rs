//! The shape of Rust files: how long files and functions are, how a file opens, how modules are called.

use super::{
    Finding, source,
    tree::{File, Tree},
};

const FILE_LINES_MAX: usize = 500;
const TEST_FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Names under which anything could stand, so that everything ends up there.
const BANNED_NAMES: [&str; 5] = ["utils", "helpers", "common", "manager", "misc"];

/// Files that may be longer, each with its reason. Empty is how it should be.
const LONG_FILES: [(&str, &str); 0] = [];

const NAME_REMEDY: &str = "name it after the one thing that it holds";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.with_ending(".rs").flat_map(file).collect()
}

fn file(file: &File) -> Vec<Finding> {
    let path = file.path.as_str();
    let masked = source::mask(&file.text);
    let mut findings = Vec::new();

    if !file.text.starts_with("//!") {
        let remedy = "open it with `//!`: what it is for, what it must never do, where its data comes from and goes";
        findings.push(Finding::new(path, 1, "the file does not say what it is for", remedy));
    }
    let lines_max = if is_test(path) { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let lines = source::lines_without_tests(&masked);
    if lines > lines_max && !LONG_FILES.iter().any(|(long, _)| *long == path) {
        let wrong = format!("{lines} lines without its trailing tests, at most {lines_max} are allowed");
        findings.push(Finding::new(path, 1, wrong, "split it where it has two subjects"));
    }
    for function in source::functions(&masked).iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let wrong =
            format!("fn {} has {} lines, at most {FUNCTION_LINES_MAX} are allowed", function.name, function.lines);
        findings.push(Finding::new(path, function.line, wrong, "give its parts functions of their own"));
    }
    if let Some(word) = path.split(['/', '.']).find_map(banned) {
        findings.push(Finding::new(path, 1, format!("{word:?} in the name of a file says nothing"), NAME_REMEDY));
    }
    for (line, name) in source::modules(&masked) {
        if let Some(word) = banned(name) {
            let wrong = format!("{word:?} in the name of module {name} says nothing");
            findings.push(Finding::new(path, line, wrong, NAME_REMEDY));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

fn banned(name: &str) -> Option<&'static str> {
    BANNED_NAMES.into_iter().find(|banned| name.split(['_', '-']).any(|word| word == *banned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(path: &str, text: &str, expect: &[(usize, &str)]) {
        let findings = check(&Tree::of(&[(path, text)]));
        let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.wrong.as_str())).collect();
        assert_eq!(found.len(), expect.len(), "{path}: {found:?}");
        for ((line, wrong), (line_expected, part)) in found.iter().zip(expect) {
            assert!(line == line_expected && wrong.contains(part), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        check_file("src/a.rs", "//! For a.\n", &[]);
        check_file("src/a.rs", "use std::fs;\n", &[(1, "what it is for")]);
        check_file("src/a.rs", "", &[(1, "what it is for")]);
        check_file("docs/a.md", "# A\n", &[]);
    }

    #[test]
    fn lengths_have_a_bound() {
        let file = |lines: usize| format!("//! For a.\n{}", "x\n".repeat(lines - 1));
        check_file("src/a.rs", &file(FILE_LINES_MAX), &[]);
        check_file("src/a.rs", &file(FILE_LINES_MAX + 1), &[(1, "501 lines")]);
        check_file("tests/it/a.rs", &file(TEST_FILE_LINES_MAX), &[]);
        check_file("crates/x/tests/a.rs", &file(TEST_FILE_LINES_MAX + 1), &[(1, "801 lines")]);
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", file(FILE_LINES_MAX), "x\n".repeat(300));
        check_file("src/a.rs", &tested, &[]);

        let function = |lines: usize| format!("//! For a.\n\nfn long() {{\n{}}}\n", "x\n".repeat(lines - 2));
        check_file("src/a.rs", &function(FUNCTION_LINES_MAX), &[]);
        check_file("src/a.rs", &function(FUNCTION_LINES_MAX + 1), &[(3, "fn long has 71 lines")]);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        let text = "//! For a.\n";
        check_file("src/uncommon.rs", text, &[]);
        check_file("src/miscounted.rs", text, &[]);
        check_file("src/utils.rs", text, &[(1, "\"utils\"")]);
        check_file("src/test_helpers/mod.rs", text, &[(1, "\"helpers\"")]);
        check_file("src/a.rs", "//! For a.\nmod session_manager {}\n", &[(2, "session_manager")]);
    }
}
