//! The query of a callback: the parameters that are looked at, in whatever order they stand (callbacks 1.2).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::Rejection;

/// The part of `path_and_query` behind the question mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(crate) fn of(path_and_query: &'a str) -> Self {
        Self(path_and_query.split_once('?').map_or("", |(_, query)| query))
    }

    /// The decoded value of a parameter that has to be there.
    pub(crate) fn required(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        self.optional(name)?.ok_or(Rejection::ParameterMissing { name })
    }

    /// The decoded value of a parameter, if it is there. Twice is an error: another reader might take the other one.
    pub(crate) fn optional(self, name: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        let mut values =
            self.0.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name).map(|(_, v)| v);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Rejection::ParameterRepeated { name });
        }
        percent_decode_str(value).decode_utf8().map(Some).map_err(|_| Rejection::ParameterNotText { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_wherever_they_stand() {
        for (path_and_query, expected) in [
            ("/im?Sign=a%20b", Some("a b")),
            ("/im?x=1&Sign=2001%3Adb8::1&y", Some("2001:db8::1")),
            ("/im?Sign=", Some("")),
            ("/im?Sign=a+b", Some("a+b")),
            ("/im?sign=1&NotSign=2", None),
            ("/im?Sign", None),
            ("/Sign=1", None),
        ] {
            let value = Query::of(path_and_query).optional("Sign");
            assert_eq!(value, Ok(expected.map(Cow::from)), "{path_and_query}");
        }
    }

    #[test]
    fn a_value_that_can_be_read_in_two_ways_is_an_error() {
        assert_eq!(
            Query::of("/im?Sign=1&a=2&Sign=1").optional("Sign"),
            Err(Rejection::ParameterRepeated { name: "Sign" })
        );
        assert_eq!(Query::of("/im?Sign=%FF").optional("Sign"), Err(Rejection::ParameterNotText { name: "Sign" }));
        assert_eq!(Query::of("/im").required("Sign"), Err(Rejection::ParameterMissing { name: "Sign" }));
    }
}
