//! The files that are checked: what is tracked, or would be by the next `git add`.
//!
//! Read once, so that every check is a pure function of it. What is ignored, and build output, is never in it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

/// What is skipped where there is no git to say what is ignored.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", "node_modules", "unsaid-data"];

/// What is read by the targets of fuzzing: bytes of any kind, and no text of ours.
const INPUTS: &str = "fuzz/corpus/";

#[derive(Debug)]
pub(super) struct Tree {
    /// By path.
    pub(super) files: Vec<File>,
}

#[derive(Debug)]
pub(super) struct File {
    /// From the root, with `/` between its parts.
    pub(super) path: String,
    /// Empty if the file is not text.
    pub(super) text: String,
}

impl Tree {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walk(root)?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let absolute = root.join(&path);
            // A tracked file that was just removed, or a link out of the tree, is no text to check.
            if !absolute.is_file() {
                continue;
            }
            let bytes = fs::read(&absolute).with_context(|| format!("cannot read {path}"))?;
            let is_text = !path.starts_with(INPUTS) && !bytes.contains(&0);
            let text = if is_text { String::from_utf8(bytes).unwrap_or_default() } else { String::new() };
            files.push(File { path, text });
        }
        Ok(Self { files })
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether `path` is a file or a folder.
    pub(super) fn holds(&self, path: &str) -> bool {
        let inside =
            |file: &File| file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        path.is_empty() || self.files.iter().any(inside)
    }

    pub(super) fn with_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(ending))
    }
}

/// The paths that git knows or would add; nothing where git is absent or `root` is not a checkout of its own.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let paths: Vec<String> = String::from_utf8(output.stdout).ok()?.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && paths.iter().any(|path| path == "Cargo.toml")).then_some(paths)
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).with_context(|| format!("cannot list {folder:?}"))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {folder:?}"))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
            if kind.is_file() {
                paths.push(path);
            } else if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
impl Tree {
    /// A tree of these paths and texts.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.iter().map(file).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_the_files_in_it() {
        let tree = Tree::of(&[("docs/rest.md", ""), ("README.md", "")]);
        for (path, expect) in [
            ("", true),
            ("docs", true),
            ("docs/rest.md", true),
            ("README.md", true),
            ("doc", false),
            ("docs/re", false),
        ] {
            assert_eq!(tree.holds(path), expect, "{path:?}");
        }
    }

    #[test]
    fn walking_finds_what_git_would_name() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let paths = walk(root).expect("the package can be read");
        assert!(paths.iter().any(|path| path == "src/tidy/tree.rs"), "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("target/")), "{paths:?}");
    }
}
