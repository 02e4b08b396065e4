//! What a form sends, and what stands behind a question mark: names and texts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The pairs of a form, in their order.
#[derive(Clone, Default, Debug)]
pub(super) struct Fields(Vec<(String, String)>);

/// What needs no escape in a query.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Fields {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// Without the space around it; nothing if it was not sent. Lines end as they do here.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }

    /// The same, none where nothing was filled in.
    pub(super) fn filled(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// All that have this name: boxes that were ticked.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().replace("\r\n", "\n")
}

/// For a path or a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &PLAIN).to_string()
}

/// A query of those that have a value.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<_> = filled.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_sends_is_read() {
        let fields =
            Fields::parse("url=https%3A%2F%2Fa.example%2F%3Fx%3D1&name=+two+words+&commands=a&commands=b&empty=&flag");
        assert_eq!(fields.text("url"), "https://a.example/?x=1");
        assert_eq!(fields.text("name"), "two words");
        assert_eq!(fields.all("commands").collect::<Vec<_>>(), ["a", "b"]);
        assert!(fields.has("empty") && fields.has("flag") && !fields.has("other"));
        assert_eq!((fields.filled("empty"), fields.filled("name")), (None, Some("two words".to_owned())));
        assert_eq!(Fields::parse("pem=a%0D%0Ab").text("pem"), "a\nb");
    }

    #[test]
    fn a_query_says_what_was_filled_in() {
        assert_eq!(query(&[("a", ""), ("b", "x y&z"), ("c", "\t")]), "?b=x%20y%26z&c=%09");
        assert_eq!(query(&[("a", "")]), "");
    }
}
