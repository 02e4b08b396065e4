//! `Sign`, by which a receiver knows that a callback comes from the server it shares a token with (callbacks 2.2).

use sha2::{Digest, Sha256};

/// How far `RequestTime` may be from the receiver's clock, in seconds (callbacks 2.2).
pub const SIGN_AGE_MAX_S: u64 = 60;

/// `lowercase_hex(SHA256(token || request_time))`, the time in decimal seconds.
pub fn sign(token: &str, request_time_s: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(token.as_bytes());
    hash.update(request_time_s.to_string().as_bytes());
    hex(&hash.finalize())
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_callbacks_2_2() {
        for (token, time, expected) in [
            ("xxxxyyyy", 1_669_872_112, "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"),
            ("xxxyyy", 1_669_872_112, "e78a85473bed2cdc8d6fa8c4d5a4ba4735fd64156e15a99516b9890293e135de"),
            ("s3cret-Token_01", 1_700_000_000, "3802279ca893ffd20875c24fa0346cb223d1b5af14e570cfc6d6653a6204863d"),
            ("s3cret-Token_01", 1_731_400_198, "46e21d4876e86c9a6cc8131ef5360a79e427de189da1d2222e97f5f4510754d3"),
        ] {
            assert_eq!(sign(token, time), expected);
        }
    }
}
