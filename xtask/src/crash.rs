//! A server that dies under load, again and again, on SQLite and on PostgreSQL: `load crash`, which judges what it stored and told.
//! And the program that people run, which has to be without the points at which that one dies.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::{
    postgres,
    system::{Outcome, cargo_command, passed_if, stream, target_directory},
};

const LOAD: [&str; 9] = ["run", "--release", "--locked", "-p", "load", "--", "crash", "--rounds", "25"];

const BUILD: [&str; 3] = ["build", "--release", "--locked"];

/// What stands in a program that may die at its commits (`crates/server/src/failpoint.rs`).
const MARK: &str = "a process may kill itself";

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let mut stores = vec!["sqlite"];
    if postgres::programs()?.is_some() {
        stores.push("postgres");
    } else {
        println!("On SQLite alone: {}", postgres::NO_POSTGRES);
    }
    for store in stores {
        let arguments = [&LOAD[..], &["--store", store]].concat();
        println!("$ cargo {}", arguments.join(" "));
        let status = stream(&mut cargo_command(root, &arguments))?;
        if !status.success() {
            return Ok(passed_if(
                false,
                "something was lost, doubled, unknown, out of order or wrong; see what it says above",
            ));
        }
    }
    println!("$ cargo {}", BUILD.join(" "));
    let status = stream(&mut cargo_command(root, &BUILD))?;
    ensure!(status.success(), "{status}");
    let release = target_directory(root)?.join("release");
    ensure!(may_die(&release.join("load"))?, "the load tool has no `{MARK}` any more: mend the mark");
    let text =
        "target/release/unsaid was built with the feature failpoints, which nobody else than the load tool may ask for";
    Ok(passed_if(!may_die(&release.join("unsaid"))?, text))
}

fn may_die(program: &Path) -> Result<bool> {
    let bytes = fs::read(program).with_context(|| format!("{} cannot be read", program.display()))?;
    Ok(bytes.windows(MARK.len()).any(|part| part == MARK.as_bytes()))
}
