//! `MsgKey`, by which a message is named together with its app, sender and recipient.

use std::{fmt, str::FromStr};

/// `{MsgSeq}_{MsgRandom}_{MsgTime}` in decimal (callbacks 5.3, rest 4.0).
///
/// Not unique by itself: a message is named by (app, From, To, `MsgKey`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MsgKey {
    pub seq: u32,
    pub random: u32,
    /// Seconds since 1970.
    pub time: u32,
}

/// The text is not of the form `{MsgSeq}_{MsgRandom}_{MsgTime}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a MsgKey is MsgSeq_MsgRandom_MsgTime, three decimal numbers below 4294967296")]
pub struct MsgKeyError;

impl fmt::Display for MsgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.seq, self.random, self.time)
    }
}

impl FromStr for MsgKey {
    type Err = MsgKeyError;

    fn from_str(text: &str) -> Result<Self, MsgKeyError> {
        let mut parts = text.split('_').map(part);
        let (Some(seq), Some(random), Some(time), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MsgKeyError);
        };
        Ok(Self { seq: seq?, random: random?, time: time? })
    }
}

/// One number in the only form in which it is ever written: no sign, no leading zero.
fn part(text: &str) -> Result<u32, MsgKeyError> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().map_err(|_| MsgKeyError) } else { Err(MsgKeyError) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seq: u32, random: u32, time: u32) {
            let key = MsgKey { seq, random, time };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            if let Ok(key) = text.parse::<MsgKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["", "1", "1_2", "1_2_3_4", "a_2_3", "-1_2_3", "+1_2_3", "1__3", "01_2_3", "4294967296_1_1", "1_2_3 "]
        {
            assert_eq!(text.parse::<MsgKey>(), Err(MsgKeyError), "{text:?}");
        }
    }
}
