//! `cargo xtask tidy`: style as a test.
//!
//! Each check is a pure function from the tree of files to findings; only `Tree::load` and
//! `dependencies::packages` touch the world. A finding says where, what is wrong and what to do.

mod dependencies;
mod markdown;
mod rust;
mod source;
mod text;
mod tree;

use std::{fmt, path::Path};

use anyhow::Result;

use tree::Tree;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Finding {
    path: String,
    line: usize,
    wrong: String,
    remedy: &'static str,
}

impl Finding {
    fn new(path: &str, line: usize, wrong: impl Into<String>, remedy: &'static str) -> Self {
        Self { path: path.to_owned(), line, wrong: wrong.into(), remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.wrong, self.remedy)
    }
}

/// Prints what is not tidy; true if there is nothing.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let tree = Tree::load(root)?;
    let mut findings = text::check(&tree);
    findings.extend(rust::check(&tree));
    findings.extend(markdown::check(&tree));
    findings.extend(dependencies::check(&tree, &dependencies::packages(root)?));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", tree.files.len(), findings.len());
    Ok(findings.is_empty())
}
