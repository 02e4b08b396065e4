//! Codes of answers as a label: those of the table, success, and one value for all that an app backend has chosen itself.

use std::borrow::Cow;

use unsaid_protocol::{ErrorCode, error};

use super::counters::Axis;

pub(super) fn axis() -> Axis {
    let table = error::TABLE.iter().map(|entry| Cow::from(entry.code.to_string()));
    Axis::new("code", [Cow::from("0")].into_iter().chain(table).chain([Cow::from("own")]))
}

/// Where a code stands on the axis.
pub(super) fn place(code: ErrorCode) -> usize {
    if code == ErrorCode(0) {
        return 0;
    }
    let found = error::TABLE.binary_search_by_key(&code, |entry| entry.code);
    found.unwrap_or(error::TABLE.len()) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place() {
        let axis = axis();
        for (code, expected) in [(0, "0"), (20022, "20022"), (91000, "91000"), (120_001, "own"), (7, "own")] {
            assert_eq!(axis.values[place(ErrorCode(code))], expected);
        }
        for entry in error::TABLE {
            assert_eq!(axis.values[place(entry.code)], entry.code.to_string());
        }
    }
}
