//! What holds for every text file: how its lines end, and what it must not say.

use super::{
    Finding,
    tree::{File, Tree},
};

/// Hosts of package registries: where packages come from is the business of whoever builds. The halves keep this
/// file from containing what it forbids.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("//crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("//pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("proxy.go", "lang.org"),
];

/// Folders of one machine.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(file).collect()
}

fn file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |line: usize, wrong: String, remedy| findings.push(Finding::new(&file.path, line, wrong, remedy));
    for (index, line) in file.text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            report(index + 1, "the line ends in a blank".to_owned(), "remove it");
        }
        for host in REGISTRY_HOSTS.into_iter().filter(|host| line.contains(host)) {
            let wrong = format!("{:?} is the host of a package registry", host.trim_start_matches('/'));
            report(index + 1, wrong, "name the package, not where it is fetched from");
        }
        for path in MACHINE_PATHS.into_iter().filter(|path| names_folder(line, path)) {
            report(index + 1, format!("{path:?} is a folder of one machine"), "use a path relative to the repository");
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        report(file.text.lines().count(), "the file does not end with a newline".to_owned(), "add one");
    }
    findings
}

/// Whether `line` names the absolute `folder`, and not one of that name inside another.
fn names_folder(line: &str, folder: &str) -> bool {
    let inside_another = |before: char| before.is_alphanumeric() || "_-.~*)}>".contains(before);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(inside_another))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_a_text() {
        let check = |text: &str, expect: &[(usize, &str)]| {
            let findings = check(&Tree::of(&[("notes.txt", text)]));
            let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.wrong.as_str())).collect();
            assert_eq!(found.len(), expect.len(), "{text:?}: {found:?}");
            for ((line, wrong), (line_expected, part)) in found.iter().zip(expect) {
                assert!(line == line_expected && wrong.contains(part), "{text:?}: {found:?}");
            }
        };
        let folder = MACHINE_PATHS[0];
        check("", &[]);
        check("one\n\n  two\n", &[]);
        check("one \ntwo\t\n", &[(1, "ends in a blank"), (2, "ends in a blank")]);
        check("one\r\ntwo\n", &[(1, "ends in a blank")]);
        check("one\ntwo", &[(2, "newline")]);
        check(&format!("see\nhttps:{}/x\n", REGISTRY_HOSTS[0]), &[(2, "registry")]);
        check(&format!("source = \"https://github.com/rust-lang/{}-index\"\n", &REGISTRY_HOSTS[0][2..]), &[]);
        check(&format!("cd {folder}main\n"), &[(1, "one machine")]);
        check(&format!("`{folder}` and target{folder}x\n"), &[(1, "one machine")]);
        check(&format!("cd ~{folder}main; ls ../a{folder}b\n"), &[]);
    }
}
