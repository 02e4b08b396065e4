//! `docs/rest.md` beside the running demo: every line does what the page says.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The same with every long number, and so every time, replaced by N.
pub(crate) fn normalized(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        // Moments of the page itself, which are the same in every demo, stay.
        let stays = digits.len() < 10 || digits.starts_with("1764") || digits.starts_with("4294967");
        shown += if stays { &digits } else { "N" };
        digits.clear();
        shown.push(letter);
    }
    shown.pop();
    shown
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_line_of_rest_md_does_what_the_page_says() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unsaid"))
        .arg("demo")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map(|line| line.expect("text"));
    let _demo = Demo(child);
    let mut line = |what: &str| lines.find(|line| line.trim().starts_with(what)).expect("it prints that line");
    let variables = format!("{}\n{}", line("UNSAID="), line("QUERY="));
    // Whoever writes must have a reader.
    std::thread::spawn(move || lines.for_each(drop));

    let page = include_str!("../../../../docs/rest.md");
    let mut blocks = page.split("```sh\n").skip(1).peekable();
    assert!(blocks.peek().is_some(), "the page has lines to run");
    for block in blocks {
        let (script, rest) = block.split_once("\n```").expect("a block ends");
        let answer =
            rest.split_once("```json\n").and_then(|(_, rest)| rest.split_once("\n```")).expect("an answer follows").0;
        let output = Command::new("sh").args(["-c", &format!("{variables}\n{script}")]).output().expect("sh is there");
        if output.status.code() == Some(127) {
            eprintln!("skipped: curl is not installed");
            return;
        }
        let said = String::from_utf8(output.stdout).expect("text");
        assert_eq!(normalized(&said), normalized(answer), "{script}");
    }
}
