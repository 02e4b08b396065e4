//! Reads Rust well enough to find functions and modules: a scanner, not a parser.
//!
//! Everything here works on masked text, in which comments, strings and characters are blanks of the same length, so
//! that a brace is a brace and a line is where it was. It must never fail on a text, whatever it holds.

/// A function that has a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// Of its `fn`, from 1.
    pub(super) line: usize,
    /// From its `fn` to its closing brace.
    pub(super) lines: usize,
}

/// `source` with a blank for each byte of a comment, string or character. Line ends stay.
pub(super) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, hidden) = token(rest, first);
        let (token, after) = rest.split_at(length);
        if hidden {
            masked.extend(token.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            masked.push_str(token);
        }
        rest = after;
    }
    masked
}

/// The length of the token that `rest` begins with, and whether it is hidden.
fn token(rest: &str, first: char) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), true);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), true);
    }
    if first == '"' {
        return (1 + quoted(&rest[1..], '"'), true);
    }
    if first == '\'' {
        return character(rest).map_or((1, false), |length| (length, true));
    }
    if !is_word(first) {
        return (first.len_utf8(), false);
    }
    let word = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
    if matches!(&rest[..word], "r" | "br" | "cr")
        && let Some(length) = raw_string(&rest[word..])
    {
        return (word + length, true);
    }
    (word, false)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let (step, change) = match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of what is left of a literal, with the `quote` that ends it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices() {
        if !escaped && character == quote {
            return at + character.len_utf8();
        }
        escaped = !escaped && character == '\\';
    }
    rest.len()
}

/// The length of a character literal; nothing if the quote begins a lifetime or a label.
fn character(rest: &str) -> Option<usize> {
    let inner = &rest[1..];
    let first = inner.chars().next()?;
    if first == '\\' {
        return Some(1 + quoted(inner, '\''));
    }
    inner[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

/// The length of a raw string from its hashes on; nothing if it is none (`r#type`).
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inner = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &rest[..hashes]);
    Some(inner.find(&end).map_or(rest.len(), |at| hashes + 1 + at + end.len()))
}

/// Every function with a body, nested ones too, in the order of their `fn`.
pub(super) fn functions(masked: &str) -> Vec<Function> {
    let with_body = |(start, name): (usize, &str)| {
        let end = body_end(masked, start)?;
        let lines = masked[start..end].matches('\n').count() + 1;
        Some(Function { name: name.to_owned(), line: line_at(masked, start), lines })
    };
    named_by(masked, "fn").into_iter().filter_map(with_body).collect()
}

/// Every module that is declared, with the line of its `mod`.
pub(super) fn modules(masked: &str) -> Vec<(usize, &str)> {
    named_by(masked, "mod").into_iter().map(|(start, name)| (line_at(masked, start), name)).collect()
}

/// The number of lines without a trailing `#[cfg(test)] mod tests`.
pub(super) fn lines_without_tests(masked: &str) -> usize {
    let end = trailing_tests(masked).unwrap_or(masked.len());
    masked[..end].lines().count()
}

fn trailing_tests(masked: &str) -> Option<usize> {
    let start = masked.rfind("\n#[cfg(test)]")? + 1;
    let mut rest = &masked[start..];
    while rest.starts_with("#[") {
        let end = closing(rest, 1)?;
        rest = rest[end..].trim_start();
    }
    let block = rest.strip_prefix("mod tests")?.trim_start();
    let end = block.starts_with('{').then(|| closing(block, 0))??;
    block[end..].trim().is_empty().then_some(start)
}

/// Where `keyword` stands as a word before a name, and that name.
fn named_by<'a>(masked: &'a str, keyword: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (start, _) in masked.match_indices(keyword) {
        let after = &masked[start + keyword.len()..];
        if masked[..start].ends_with(is_word) || !after.starts_with(char::is_whitespace) {
            continue;
        }
        let name = after.trim_start();
        let name = name.strip_prefix("r#").unwrap_or(name);
        let end = name.find(|character| !is_word(character) && character != '$').unwrap_or(name.len());
        if end > 0 {
            found.push((start, &name[..end]));
        }
    }
    found
}

/// Behind the closing brace of the function that starts at `start`; nothing if it has no body.
fn body_end(masked: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in masked.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return closing(masked, at),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Behind the bracket that closes the one at `open`.
fn closing(masked: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in masked.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn line_at(masked: &str, at: usize) -> usize {
    masked[..at].matches('\n').count() + 1
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_hidden() {
        let check = |source: &str, expect: &str| {
            let masked = mask(source);
            assert_eq!(masked.len(), source.len(), "{source}");
            assert_eq!(masked.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{source}");
        };
        check("a // {\nb", "a b");
        check("a /* { /* { */ { */ b", "a b");
        check("a /* {", "a");
        check(r#"a "{ \" { \\" b"#, "a b");
        check("a \"{\n{\" b", "a b");
        check("a \"é{\" b", "a b");
        check("a r\"{\\\" b", "a b");
        check("a r#\"{ \" {\"# b", "a b");
        check("a br##\"{ \"# {\"## b", "a b");
        check("a b\"{\" c", "a b c");
        check("a '{' b '\\'' c '\\u{7b}' d 'é' e '\"' f", "a b c d e f");
        check("a b'{' c", "a b c");
        check(
            "fn f<'a>(x: &'a str, y: &'_ str) { 'out: loop {} }",
            "fn f<'a>(x: &'a str, y: &'_ str) { 'out: loop {} }",
        );
        check("r#type 0b1 bar\"{\"", "r#type 0b1 bar");
        check("a \"", "a");
        check("a '", "a '");
    }

    #[test]
    fn functions_and_their_lengths() {
        let check = |source: &str, expect: &[(&str, usize, usize)]| {
            let found = functions(&mask(source));
            let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
            assert_eq!(found, expect, "{source}");
        };
        check("fn one() {}", &[("one", 1, 1)]);
        check("\npub async fn two(\n    a: [u8; 2],\n) -> [u8; 2] {\n    a\n}\n", &[("two", 2, 5)]);
        check("trait T {\n    fn none(&self);\n    fn some(&self) {\n    }\n}", &[("some", 3, 2)]);
        check("type F = fn(u8) -> u8;\nstatic F: fn (u8) = x;", &[]);
        check("fn outer() {\n    fn inner() {\n    }\n}", &[("outer", 1, 4), ("inner", 2, 2)]);
        check("// fn no() {}\nlet s = \"fn no() {}\";\nlet fn_x = my_fn (1);", &[]);
        check(
            "fn brace() {\n    let c = '{';\n    let s = \"}\";\n}\nfn next() {}",
            &[("brace", 1, 4), ("next", 5, 1)],
        );
        check("macro_rules! m { ($n:ident) => { fn $n() {\n} } }", &[("$n", 1, 2)]);
        check("fn r#type() {}", &[("type", 1, 1)]);
        check("fn open() {", &[]);
        check("fn", &[]);
    }

    #[test]
    fn only_trailing_tests_are_left_out_of_the_count() {
        let check = |source: &str, expect: usize| assert_eq!(lines_without_tests(&mask(source)), expect, "{source}");
        check("a\nb\n", 2);
        check("a\nb\n#[cfg(test)]\nmod tests {\n    x\n}\n", 2);
        check("a\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n}\n", 1);
        check("a\n#[cfg(test)]\nmod tests {\n}\nb\n", 5);
        check("a\n#[cfg(test)]\nmod tests;\n", 3);
        check("a\n#[cfg(test)]\nfn seam() {\n}\n", 4);
        check("a\n\"\n#[cfg(test)]\nmod tests {\n}\"\n", 5);
        check("a\n#[cfg(test)]\nmod tests {\n", 3);
    }

    #[test]
    fn modules_are_found_with_their_lines() {
        let found = "pub mod one;\nmod two {\n    pub(super) mod three;\n}\n// mod four;\nlet model = 1;";
        assert_eq!(modules(&mask(found)), [(1, "one"), (2, "two"), (3, "three")]);
    }
}
