//! `load piece`: a hot piece of the server, by itself and on one thread, so that somebody else can count its instructions.

use anyhow::Context;
use clap::Args;
use unsaid::pieces::{PIECES, Piece};

#[derive(Debug, Args)]
pub(crate) struct PieceFlags {
    /// Which one. Without a name, they are listed.
    name: Option<String>,
    /// How often it is run.
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    times: u32,
    /// Make what it needs for so many times, and leave it at that.
    #[arg(long)]
    prepare_only: bool,
}

pub(crate) fn run(flags: &PieceFlags) -> anyhow::Result<()> {
    let Some(name) = &flags.name else {
        for Piece { name, what, .. } in PIECES {
            println!("{name}\t{what}");
        }
        return Ok(());
    };
    let piece = Piece::named(name).with_context(|| format!("there is no piece {name}: `load piece` lists them"))?;
    let work = piece.prepare(flags.times);
    if !flags.prepare_only {
        work();
    }
    Ok(())
}
