//! The connections that are kept: no more than the bound, each used by one request at a time.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http::{Request, response::Parts};
use http_body_util::Full;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    ClientError,
    connection::{Connection, SendError, Target, read},
};

pub(crate) struct Pool {
    pub(crate) target: Target,
    /// One for each connection that may be in use. Who finds none waits, as long as its request may take.
    permits: Semaphore,
    /// Those not in use, at most as many as there are permits. The last one used is taken first.
    idle: Mutex<Vec<Connection>>,
    timeout: Duration,
}

impl Pool {
    pub(crate) fn new(target: Target, connections_max: usize, timeout: Duration) -> Self {
        assert!(connections_max > 0, "connections_max has to be at least 1");
        Self { target, permits: Semaphore::new(connections_max), idle: Mutex::default(), timeout }
    }

    /// Sends a request and reads the answer to its end, within the time limit.
    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), ClientError> {
        let exchange = async {
            let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
            self.send(request).await
        };
        timeout(self.timeout, exchange).await.map_err(|_| ClientError::TimedOut { after: self.timeout })?
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), ClientError> {
        let request = match self.idle().await {
            None => request,
            Some(connection) => match self.send_over(connection, request).await {
                // The server closed it while it was idle, and has seen nothing of the request.
                Err(SendError::NotSent(request, _)) => *request,
                Err(SendError::Failed(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            },
        };
        let connection = self.target.connect().await?;
        match self.send_over(connection, request).await {
            Ok(answer) => Ok(answer),
            Err(SendError::NotSent(_, error) | SendError::Failed(error)) => Err(error),
        }
    }

    async fn send_over(
        &self,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<(Parts, Bytes), SendError> {
        let (head, body) = connection.send(request).await?.into_parts();
        let body = read(body).await.map_err(SendError::Failed)?;
        if !connection.is_closed() {
            self.idle.lock().expect("no holder panics").push(connection);
        }
        Ok((head, body))
    }

    /// A kept connection that is still open.
    async fn idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().expect("no holder panics").pop()?;
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }
}
