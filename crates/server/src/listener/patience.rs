//! A connection whose other end has to keep reading, and is heard to the end.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Fails a write that makes no progress for some time, so that nobody holds a connection by not reading its answers.
pub(super) struct Patience<S> {
    stream: S,
    timeout: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs while what still comes is thrown away.
    lingering: Option<Linger>,
}

/// When a connection that is closed is no longer listened to: when nothing has come for a moment, and in any case after
/// a time.
struct Linger {
    quiet: Pin<Box<Sleep>>,
    over: Pin<Box<Sleep>>,
}

/// A system that finds unread bytes in a socket that is closed cuts it, and the other end might lose the answer.
const LINGER_QUIET: Duration = Duration::from_millis(100);
const LINGER: Duration = Duration::from_secs(2);

impl<S> Patience<S> {
    pub(super) fn new(stream: S, timeout: Duration) -> Self {
        Self { stream, timeout, waiting: None, lingering: None }
    }

    fn judge<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.waiting = None;
            return progress;
        }
        let timeout = self.timeout;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end does not read")))
    }
}

impl<S: AsyncRead + Unpin> Patience<S> {
    /// Throws away what still comes, until it ends.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = self.lingering.get_or_insert_with(|| Linger {
            quiet: Box::pin(tokio::time::sleep(LINGER_QUIET)),
            over: Box::pin(tokio::time::sleep(LINGER)),
        });
        let mut bytes = [0; 8 * 1024];
        while linger.over.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.quiet = Box::pin(tokio::time::sleep(LINGER_QUIET));
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.quiet.as_mut().poll(context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let progress = Pin::new(&mut self.stream).poll_shutdown(context);
            ready!(self.judge(context, progress))?;
        }
        self.linger(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_not_waited_for() {
        let (near, _far) = tokio::io::duplex(16);
        let mut patient = Patience::new(near, Duration::from_secs(30));
        let error = patient.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_served() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut patient = Patience::new(near, Duration::from_secs(30));
        let reader = tokio::spawn(async move {
            let mut byte = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                far.read_exact(&mut byte).await.expect("it is written");
            }
        });
        patient.write_all(&[0; 64]).await.expect("it is read in time");
        reader.await.expect("it does not panic");
    }
}
