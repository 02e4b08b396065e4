//! Lists the files of the chat page and of the SDK that it is built on, so that the server can have them in itself.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../sdk");
    let mut table = String::from("pub(super) const FILES: &[(&str, &[u8])] = &[\n");
    for (folder, prefix) in [("chat", ""), ("js/src", "sdk/")] {
        let folder = root.join(folder).canonicalize()?;
        for file in files(&folder)? {
            let name = file.strip_prefix(&folder).expect("it is in the folder").display();
            table +=
                &format!("    ({:?}, include_bytes!({:?})),\n", format!("{prefix}{name}"), file.display().to_string());
        }
    }
    table += "];\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("pages.rs"), table)
}

/// What a browser needs of a folder, in the order of the names. Tests and tools stay outside.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["node_modules", "test", "tools"].contains(&name.as_str()) {
            found.extend(files(&path)?);
        } else if [".html", ".css", ".js", ".svg"].iter().any(|ending| name.ends_with(ending)) {
            println!("cargo::rerun-if-changed={}", path.display());
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
