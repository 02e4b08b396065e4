//! A connection of the measured phase: sends a request as it was written, and reads the answer to its end.
//!
//! The client crate is not used here: pool, time limit and task of a connection cost a good part of what the server
//! spends on the same request, and the tool shares its processors. What the server sends is all that is understood.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

const READ_BYTES: usize = 4 * 1024;

pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// What was read of the current answer.
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = dial(address).await?;
        Ok(Self { address, stream, answer: Vec::with_capacity(READ_BYTES) })
    }

    /// After an error, which leaves it in the midst of something.
    pub(crate) async fn reopen(&mut self) -> io::Result<()> {
        self.stream = dial(self.address).await?;
        Ok(())
    }

    /// The body of the answer to a whole request.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.answer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(body_start) = whole(&self.answer)? {
                return Ok(&self.answer[body_start..]);
            }
            self.answer.reserve(READ_BYTES);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "it dials the server that the tool has started")]
async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where the body of an answer begins, if the answer is whole.
fn whole(answer: &[u8]) -> io::Result<Option<usize>> {
    let problem = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    if answer.len() > ANSWER_BYTES_MAX {
        return problem("the answer is too long");
    }
    let Some(head_bytes) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let Ok(head) = str::from_utf8(&answer[..head_bytes]) else {
        return problem("the answer's header is no text");
    };
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        return problem(status);
    }
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    let Some(length) = length else {
        return problem("the answer has no Content-Length");
    };
    let body_start = head_bytes + 4;
    match (answer.len() - body_start).cmp(&length) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(body_start)),
        std::cmp::Ordering::Greater => problem("more than one answer came to one request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 2\r\ndate: x\r\n\r\n{}";

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        for end in 0..ANSWER.len() {
            assert_eq!(whole(&ANSWER.as_bytes()[..end]).expect("so far it is good"), None, "{end}");
        }
        assert_eq!(whole(ANSWER.as_bytes()).expect("good"), Some(ANSWER.len() - 2));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for (answer, expected) in [
            ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "503"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "Content-Length"),
            ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "Content-Length"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{}", "more than one"),
        ] {
            let error = whole(answer.as_bytes()).expect_err(answer).to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(whole(&vec![b'x'; ANSWER_BYTES_MAX + 1]).is_err());
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_opened_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            for exchanges in [2, 1] {
                let (mut stream, _) = listener.accept().await.expect("accepts");
                for _ in 0..exchanges {
                    let mut request = [0; 3];
                    stream.read_exact(&mut request).await.expect("a request");
                    // Two pieces: the answer is put together.
                    stream.write_all(&ANSWER.as_bytes()[..30]).await.expect("written");
                    tokio::task::yield_now().await;
                    stream.write_all(&ANSWER.as_bytes()[30..]).await.expect("written");
                }
            }
        });
        let mut connection = Connection::open(address).await.expect("it listens");
        assert_eq!(connection.exchange(b"ask").await.expect("answered"), b"{}");
        assert_eq!(connection.exchange(b"ask").await.expect("answered"), b"{}");
        assert!(connection.exchange(b"ask").await.is_err(), "the other side has closed");
        connection.reopen().await.expect("it listens");
        assert_eq!(connection.exchange(b"ask").await.expect("answered"), b"{}");
        server.await.expect("no panic");
    }
}
