//! How far a device has come: `{epoch}-{life}-{number}`. The epoch is the store's, the life the account's; for another one
//! of either the number means nothing.

use std::{fmt, str::FromStr, sync::Arc};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    pub(super) epoch: Arc<str>,
    pub(super) life: i64,
    /// Of the last update that the device has.
    pub(super) number: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.life, self.number)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.rsplitn(3, '-');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).filter(|number| *number >= 0).ok_or(());
        let (number, life) = (number()?, number()?);
        let epoch = parts.next().ok_or(())?;
        Ok(Self { epoch: epoch.into(), life, number })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(epoch in "[a-z0-9-]{1,12}", life in 0_i64.., number in 0_i64..) {
            let cursor = Cursor { epoch: epoch.into(), life, number };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        for text in ["", "-", "a-1", "a-1-x", "a-x-1", "a-1-", "1"] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text}");
        }
    }
}
