//! The words of NATS: lines that end with CR LF, and what is carried behind them (docs.nats.io, client protocol). No I/O.
//!
//! Only what the bus needs is here: it publishes, subscribes, and is asked whether it is still there.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::settings::Credentials;
use crate::limits;

/// What NATS says.
#[derive(Debug)]
pub(super) enum Heard {
    Info(Info),
    /// Something that was said under a subject that is listened to.
    Message(Bytes),
    /// The same, but longer than anything that a member says.
    TooLong,
    Ping,
    Pong,
    /// It goes on, or closes the connection.
    Problem(String),
}

/// What a server of NATS says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) max_payload: usize,
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
}

/// It does not speak as NATS does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what answers there does not speak as NATS does")]
pub(super) struct NotNats;

/// Takes apart what comes in.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) buffer: BytesMut,
    /// So much of what comes next is left out.
    skip_bytes: usize,
}

impl Words {
    /// The next word, if it is here completely.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, NotNats> {
        loop {
            let skipped = self.skip_bytes.min(self.buffer.len());
            self.buffer.advance(skipped);
            self.skip_bytes -= skipped;
            if self.skip_bytes > 0 {
                return Ok(None);
            }
            let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") else {
                return if self.buffer.len() > limits::BUS_LINE_BYTES_MAX { Err(NotNats) } else { Ok(None) };
            };
            let line = std::str::from_utf8(&self.buffer[..end]).map_err(|_| NotNats)?;
            let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let heard = match word.to_ascii_uppercase().as_str() {
                "MSG" => return self.message(end),
                "INFO" => Some(Heard::Info(serde_json::from_str(rest).map_err(|_| NotNats)?)),
                "PING" => Some(Heard::Ping),
                "PONG" => Some(Heard::Pong),
                "+OK" => None,
                "-ERR" => Some(Heard::Problem(problem(rest))),
                _ => return Err(NotNats),
            };
            self.buffer.advance(end + 2);
            if heard.is_some() {
                return Ok(heard);
            }
        }
    }

    /// `MSG subject subscription [reply] bytes`. What it says names whom it is for.
    fn message(&mut self, end: usize) -> Result<Option<Heard>, NotNats> {
        let line = std::str::from_utf8(&self.buffer[..end]).map_err(|_| NotNats)?;
        let bytes: usize = line.rsplit([' ', '\t']).next().and_then(|bytes| bytes.parse().ok()).ok_or(NotNats)?;
        if bytes > limits::BUS_FRAME_BYTES_MAX {
            self.buffer.advance(end + 2);
            self.skip_bytes = bytes.checked_add(2).ok_or(NotNats)?;
            return Ok(Some(Heard::TooLong));
        }
        if self.buffer.len() < end + 2 + bytes + 2 {
            return Ok(None);
        }
        self.buffer.advance(end + 2);
        let payload = self.buffer.split_to(bytes).freeze();
        if !self.buffer.starts_with(b"\r\n") {
            return Err(NotNats);
        }
        self.buffer.advance(2);
        Ok(Some(Heard::Message(payload)))
    }
}

/// `'Authorization Violation'`, as far as it is fit to be shown.
fn problem(rest: &str) -> String {
    let text = rest.trim().trim_matches('\'');
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[derive(Serialize)]
struct Connect<'a> {
    verbose: bool,
    pedantic: bool,
    tls_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<&'a str>,
    name: &'a str,
    lang: &'a str,
    version: &'a str,
    protocol: u8,
    /// What is said here is not heard here.
    echo: bool,
    headers: bool,
    no_responders: bool,
}

pub(super) fn connect(out: &mut BytesMut, credentials: Option<&Credentials>, tls_required: bool) {
    let (auth_token, user, pass) = match credentials {
        None => (None, None, None),
        Some(Credentials::Token(token)) => (Some(token.expose()), None, None),
        Some(Credentials::User { name, password }) => (None, Some(name.as_str()), Some(password.expose())),
    };
    let connect = Connect {
        verbose: false,
        pedantic: false,
        tls_required,
        auth_token,
        user,
        pass,
        name: "unsaid",
        lang: "rust",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        echo: false,
        headers: false,
        no_responders: false,
    };
    out.put_slice(b"CONNECT ");
    out.put_slice(&serde_json::to_vec(&connect).expect("strings and numbers serialize"));
    out.put_slice(b"\r\n");
}

pub(super) fn ping(out: &mut BytesMut) {
    out.put_slice(b"PING\r\n");
}

pub(super) fn pong(out: &mut BytesMut) {
    out.put_slice(b"PONG\r\n");
}

pub(super) fn publish(out: &mut BytesMut, subject: &str, payload: &[u8]) {
    out.put_slice(format!("PUB {subject} {}\r\n", payload.len()).as_bytes());
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

pub(super) fn subscribe(out: &mut BytesMut, subject: &str, subscription: &str) {
    out.put_slice(format!("SUB {subject} {subscription}\r\n").as_bytes());
}

pub(super) fn unsubscribe(out: &mut BytesMut, subscription: &str) {
    out.put_slice(format!("UNSUB {subscription}\r\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::apps::Secret;

    /// What is heard of these bytes when they come in pieces of this length.
    fn hear(bytes: &[u8], piece_bytes: usize) -> Result<Vec<String>, NotNats> {
        let (mut words, mut heard) = (Words::default(), Vec::new());
        for piece in bytes.chunks(piece_bytes) {
            words.buffer.put_slice(piece);
            while let Some(word) = words.next()? {
                heard.push(format!("{word:?}"));
            }
            assert!(words.buffer.len() <= limits::BUS_LINE_BYTES_MAX.max(limits::BUS_FRAME_BYTES_MAX) + 1024);
        }
        Ok(heard)
    }

    #[test]
    fn words_are_heard_however_they_are_cut() {
        let long = vec![b'x'; limits::BUS_FRAME_BYTES_MAX + 1];
        let mut bytes = b"INFO {\"max_payload\":1048576,\"tls_required\":true,\"more\":[1]}\r\n+OK\r\nPING\r\n\
            MSG unsaid.1.a.2 7 5\r\na\r\nbc\r\nMSG unsaid.1.a.2\t7 reply.to 0\r\n\r\nmsg x 1 "
            .to_vec();
        bytes.extend_from_slice(format!("{}\r\n", long.len()).as_bytes());
        bytes.extend_from_slice(&long);
        bytes.extend_from_slice(b"\r\n-ERR 'Authorization Violation'\r\nPONG\r\n");
        let expected = [
            "Info(Info { max_payload: 1048576, tls_required: true, tls_available: false })",
            "Ping",
            "Message(b\"a\\r\\nbc\")",
            "Message(b\"\")",
            "TooLong",
            "Problem(\"Authorization Violation\")",
            "Pong",
        ];
        for piece_bytes in [1, 2, 3, 7, 1000, bytes.len()] {
            assert_eq!(hear(&bytes, piece_bytes).expect("words"), expected, "pieces of {piece_bytes}");
        }
    }

    #[test]
    fn what_is_no_nats_is_refused() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "INFO\r\n",
            "INFO {\r\n",
            "MSG\r\n",
            "MSG a 1 x\r\n",
            "MSG a 1 -1\r\n",
            "MSG a 1 1\r\nabc",
            "MSG a 1 18446744073709551615\r\n",
            "\r\n",
            "HMSG a 1 1 2\r\nab\r\n",
            "\u{fffd}\r\n",
        ] {
            assert_eq!(hear(text.as_bytes(), 1000), Err(NotNats), "{text:?}");
        }
        assert_eq!(hear(&vec![b'a'; limits::BUS_LINE_BYTES_MAX + 1], 4096), Err(NotNats), "a line without an end");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), piece_bytes in 1_usize..9) {
            let _ = hear(&bytes, piece_bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(MSG|INFO|PING|-ERR|\r\n| |[0-9]{1,3}|[a-z.{}\"]){0,30}", piece_bytes in 1_usize..9) {
            let _ = hear(text.as_bytes(), piece_bytes);
        }
    }

    #[test]
    fn what_is_written_is_what_nats_reads() {
        let mut out = BytesMut::new();
        publish(&mut out, "unsaid.1.a.2", b"a\r\nb");
        subscribe(&mut out, "unsaid.1.a.2", "2");
        unsubscribe(&mut out, "2");
        ping(&mut out);
        pong(&mut out);
        assert_eq!(&out[..], b"PUB unsaid.1.a.2 4\r\na\r\nb\r\nSUB unsaid.1.a.2 2\r\nUNSUB 2\r\nPING\r\nPONG\r\n");
        out.clear();
        let credentials = Credentials::User { name: "u".to_owned(), password: Secret::new("p\"\r\n") };
        connect(&mut out, Some(&credentials), true);
        let text = std::str::from_utf8(&out).expect("text");
        let json: serde_json::Value =
            serde_json::from_str(text.strip_prefix("CONNECT ").expect("a word")).expect("JSON");
        assert_eq!((&json["user"], &json["pass"], &json["echo"]), (&"u".into(), &"p\"\r\n".into(), &false.into()));
        assert_eq!(text.matches('\n').count(), 1, "nothing ends the line early");
    }
}
