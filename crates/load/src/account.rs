//! Accounts of a run, which are numbers with a name.

/// An account by its number, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Account(pub(crate) u32);

const PREFIX: &str = "user";

impl Account {
    /// The account of that name, if the tool could have made it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let digits = name.strip_prefix(PREFIX)?;
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        if canonical { digits.parse().ok().map(Self) } else { None }
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Its name.
impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_no_other_is_taken_for_it() {
        for number in [0, 7, 9_999, u32::MAX] {
            assert_eq!(Account::named(&Account(number).to_string()), Some(Account(number)));
        }
        for name in ["", "user", "user07", "user-1", "user+1", "User1", "user1 ", "user4294967296", "1"] {
            assert_eq!(Account::named(name), None, "{name:?}");
        }
    }
}
