//! What comes from NATS: its own words, and what other members say.

use bytes::BufMut;
use hmac::Mac;

use super::{
    Said,
    frame::Frames,
    subject,
    wire::{NotNats, Words},
};
use crate::{cluster::MemberId, fuzz::Reader, gateway, limits};

const KEY: [u8; 32] = [7; 32];

/// Words are heard however they are cut, and no more of them is kept than is needed. What a member says is read, can be
/// shown, and is said again as it was.
pub(crate) fn open() -> Reader {
    Box::new(|bytes| {
        let whole = hear(bytes, bytes.len().max(1));
        // Each piece has its line looked at from the beginning.
        let cuts: &[usize] = if bytes.len() <= 1024 { &[1, 7] } else { &[1000] };
        for piece_bytes in cuts {
            assert_eq!(hear(bytes, *piece_bytes), whole, "in pieces of {piece_bytes}");
        }
        said(bytes);
        said(&signed(bytes));
    })
}

fn hear(bytes: &[u8], piece_bytes: usize) -> (Vec<String>, Result<(), NotNats>) {
    let (mut words, mut heard) = (Words::default(), Vec::new());
    for piece in bytes.chunks(piece_bytes) {
        words.buffer.put_slice(piece);
        loop {
            match words.next() {
                Ok(Some(word)) => heard.push(format!("{word:?}")),
                Ok(None) => break,
                Err(error) => return (heard, Err(error)),
            }
        }
        assert!(words.buffer.len() <= limits::BUS_LINE_BYTES_MAX.max(limits::BUS_FRAME_BYTES_MAX) + 1024);
    }
    (heard, Ok(()))
}

fn frames(member: &str) -> Frames {
    Frames::new(&KEY, MemberId(member.into()))
}

fn said(frame: &[u8]) {
    let Ok(said) = frames("fuzz").read(frame) else { return };
    if let Said::Online { shown, .. } = &said {
        gateway::fuzz::show(shown);
    }
    let again = frames("another").write(&said);
    assert_eq!(frames("fuzz").read(&again), Ok(said));
}

/// What is inside of a frame, as if a member had made it: others may run another version.
fn signed(json: &[u8]) -> Vec<u8> {
    let tag = subject::mac(&KEY, "frames").chain_update(json).finalize().into_bytes();
    [&[1], tag.as_slice(), json].concat()
}
