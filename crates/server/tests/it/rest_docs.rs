//! `docs/rest.md` beside the running demo: every line does what the page says.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// What was answered is what the file holds, which is written anew where that is asked for.
pub(crate) fn is_the_snapshot(found: &str, path: &str) {
    if env::var_os("UNSAID_WRITE_DOCS").is_some() {
        return fs::write(path, found).expect("the snapshot can be written");
    }
    let expected = fs::read_to_string(path).expect("the snapshot is there");
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(found == expected, "UNSAID_WRITE_DOCS=1 writes it anew: {differs:#?}");
}

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

/// A line of the page, and what the page says of it.
struct Line<'a> {
    note: &'a str,
    script: &'a str,
    answer: &'a str,
}

/// The lines in the order of the page.
fn lines_of(page: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let (mut before, mut rest) = page.split_once("```sh\n").expect("the page has lines to run");
    loop {
        let (script, after) = rest.split_once("\n```").expect("a block ends");
        let (_, answer) = after.split_once("```json\n").expect("an answer follows");
        let (answer, next) = answer.split_once("\n```").expect("a block ends");
        let note = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
        lines.push(Line { note, script, answer });
        let Some(split) = next.split_once("```sh\n") else {
            return lines;
        };
        (before, rest) = split;
    }
}

/// The two lines that the demo prints, in which the server is named.
fn start_demo() -> (Demo, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unsaid"))
        .arg("demo")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map(|line| line.expect("text"));
    let demo = Demo(child);
    let mut line = |what: &str| lines.find(|line| line.trim().starts_with(what)).expect("it prints that line");
    let mut said = format!("{}\n{}", line("UNSAID="), line("QUERY="));
    // Those that it invites to.
    for _ in 0..3 {
        said = said + "\n" + &line("curl");
    }
    // Whoever writes must have a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (demo, said)
}

fn run(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().expect("sh is there");
    assert_ne!(
        output.status.code(),
        Some(127),
        "curl is needed, to see that the lines of docs/rest.md work: install it"
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_line_of_rest_md_does_what_the_page_says_in_any_order() {
    let page = include_str!("../../../../docs/rest.md");
    let lines = lines_of(page);
    assert!(lines.len() > 25, "{} lines", lines.len());
    let (_demo, said) = start_demo();
    let variables = said.lines().take(2).collect::<Vec<_>>().join("\n");
    // The demo's own lines spoil none of the page.
    for invited in said.lines().skip(2) {
        let answer = run(&format!("{variables}\n{invited}"));
        assert!(answer.contains("\"ErrorCode\":0"), "{invited}: {answer}");
    }
    let mut done = vec![false; lines.len()];
    let mut check = |index: usize| {
        let Line { note, script, answer } = &lines[index];
        let too_late = note.starts_with("Once") && done[index];
        let too_early = note.starts_with("After") && !done[index - 1];
        if too_late || too_early {
            return;
        }
        let found = run(&format!("{variables}\n{script}"));
        assert_eq!(normalized(&found), normalized(answer), "{script}");
        done[index] = true;
    };
    // Backwards, by steps that share no divisor with their number, and as the page has them.
    (0..lines.len()).rev().for_each(&mut check);
    let step = [7, 11, 13].into_iter().find(|step| !lines.len().is_multiple_of(*step)).expect("one of them");
    (0..lines.len()).map(|number| number * step % lines.len()).for_each(&mut check);
    (0..lines.len()).for_each(&mut check);
    assert!(done.iter().all(|done| *done));
    assert_eq!(lines.iter().filter(|line| line.note.starts_with("Once")).count(), 2, "few lines are of use once only");
}
