//! What is read of certificates: when one is valid, from its DER, and the authorities of a PEM text. Who has signed one is for TLS
//! to verify; nothing here trusts it.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::calendar;

/// In seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Validity {
    pub(crate) from_s: i64,
    pub(crate) until_s: i64,
}

/// The certificates of a PEM text; at least one. What is wrong is said as it follows the name of the setting or the file.
pub(crate) fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| format!("is not a PEM file: {error}"))?;
    if found.is_empty() {
        return Err("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    Ok(found)
}

/// What another one's certificate can be held against.
pub(crate) fn roots(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let added = roots.add(authority.clone());
        added.map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
    }
    Ok(roots)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Nothing where it is no certificate.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, der)?;
        let (signed, _) = expect(SEQUENCE, certificate)?;
        let (tag, _, after_version) = element(signed)?;
        let serial = if tag == VERSION { after_version } else { signed };
        let (_, _, algorithm) = element(serial)?;
        let (_, _, issuer) = element(algorithm)?;
        let (_, _, validity) = element(issuer)?;
        let (validity, _) = expect(SEQUENCE, validity)?;
        let (tag, from, until) = element(validity)?;
        let from_s = moment(tag, from)?;
        let (tag, until, _) = element(until)?;
        Some(Self { from_s, until_s: moment(tag, until)? })
    }

    /// Of the first certificate of a PEM text, which is the server's own.
    pub(crate) fn of_pem(pem: &[u8]) -> Option<Self> {
        Self::of(&CertificateDer::from_pem_slice(pem).ok()?)
    }
}

/// The content of an element with that tag, and what follows it.
fn expect(expected: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(input)?;
    (tag == expected).then_some((content, rest))
}

/// Tag, content, and what follows.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, input) = input.split_first()?;
    let (&first, input) = input.split_first()?;
    let (length, input) = match usize::from(first) {
        short @ 0..=0x7f => (short, input),
        long @ 0x81..=0x84 => {
            let (bytes, input) = input.split_at_checked(long - 0x80)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), input)
        }
        _ => return None,
    };
    let (content, rest) = input.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` from 1950 to 2049, or `YYYYMMDDHHMMSSZ`. What is before 1970 is as good as 1970.
fn moment(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits = match (tag, digits.get(..2)?.parse::<u8>().ok()?) {
        (UTC_TIME, 50..) => format!("19{digits}"),
        (UTC_TIME, _) => format!("20{digits}"),
        (GENERALIZED_TIME, _) => digits.to_owned(),
        _ => return None,
    };
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    if year < 1970 {
        return Some(0);
    }
    let of_day = part(8, 10)? * 3600 + part(10, 12)? * 60 + part(12, 14)?;
    Some(calendar::day(year, month, day)? * 86_400 + of_day)
}

#[cfg(test)]
mod tests {
    use unsaid_testkit::{Authority, Flaw};

    use super::*;

    #[test]
    fn validity_is_what_the_certificate_says() {
        let authority = Authority::new();
        let of = |flaw| {
            let identity = authority.issue_flawed(flaw, &["localhost"], &[]);
            let validity = Validity::of_pem(identity.cert_pem.as_bytes()).expect("a certificate");
            (calendar::minute(validity.from_s), calendar::minute(validity.until_s))
        };
        assert_eq!(of(Flaw::Expired), ("2001-01-01 00:00 UTC".to_owned(), "2001-12-31 00:00 UTC".to_owned()));
        assert_eq!(of(Flaw::NotYetValid), ("2090-01-01 00:00 UTC".to_owned(), "2091-01-01 00:00 UTC".to_owned()));
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let pem = Authority::new().issue(&["localhost"], &[]).cert_pem;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        assert!(Validity::of(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(Validity::of(&der[..length]), None, "cut to {length} bytes");
        }
        for (at, byte) in (0..der.len()).flat_map(|at| [0, 0x30, 0x84, 0xff].map(|byte| (at, byte))) {
            let mut broken = der.to_vec();
            broken[at] = byte;
            let _ = Validity::of(&broken);
        }
        assert_eq!(moment(UTC_TIME, b"691231235959Z"), Some(0));
        assert_eq!(moment(UTC_TIME, "é1231235959Z".as_bytes()), None);
        assert_eq!(moment(GENERALIZED_TIME, b"20260230000000Z"), None);
    }
}
