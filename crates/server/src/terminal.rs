//! What a terminal is shown: colours where a person looks, and nothing that moves the cursor but what is ours.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write},
};

/// What is shown differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    Bold,
    Faint,
    Good,
    Warning,
    Bad,
}

/// Whether there is colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colour {
    On,
    Off,
}

impl Colour {
    /// On for a terminal, unless `NO_COLOR` is set to something (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused { Self::On } else { Self::Off }
    }

    pub(crate) fn paint(self, style: Style, text: impl Display) -> String {
        if self == Self::Off {
            return text.to_string();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Writes to standard output. Whoever reads no more has gone, and has seen enough.
pub(crate) fn show(text: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("unsaid: standard output cannot be written to: {error}");
    }
}

/// A text from elsewhere, in which what a terminal would obey, or what turns the direction of writing, is spelled out.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// How far long work is: a line on standard error that is written over, if a person may be looking.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: bool,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self { watched: std::io::stderr().is_terminal() }
    }

    pub(crate) fn say(&self, text: &str) {
        if self.watched {
            // Whether it can be written does not matter to the work.
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.say("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_cannot_move_the_cursor_or_turn_the_line() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e é 语"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}e é 语");
    }

    #[test]
    fn without_colour_there_is_the_text_alone() {
        assert_eq!(Colour::Off.paint(Style::Bad, "x"), "x");
        assert_eq!(Colour::On.paint(Style::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
