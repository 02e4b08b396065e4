//! Calling the operator API (`/api/v1`).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;

use crate::{ClientError, connection::Target, pool::Pool};

/// Where the operator API is, and the right to use it.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// `http://127.0.0.1:8080` or `https://chat.example`.
    pub base: String,
    /// The authority of the server's certificate; without it, those that the system trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// `operator.token` of the server's configuration.
    pub token: String,
    /// For one call in all.
    pub timeout: Duration,
}

/// What a path of the server answered.
#[derive(Clone, Debug)]
pub struct Seen {
    pub status: StatusCode,
    /// What the server's clock shows, as HTTP writes it.
    pub date: Option<String>,
    pub body: Bytes,
}

/// A client of the operator API.
pub struct OperatorClient {
    pool: Pool,
    token: String,
}

impl OperatorClient {
    pub fn new(config: &OperatorConfig) -> Result<Self, ClientError> {
        let target = Target::new(&config.base, config.ca_pem.as_deref())?;
        Ok(Self { pool: Pool::new(target, 1, config.timeout), token: config.token.clone() })
    }

    /// Sends `json` (nothing for a GET) to a path below `/api/v1`, and hands over whatever comes back.
    pub async fn call(&self, method: Method, path: &str, json: String) -> Result<(StatusCode, Bytes), ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, self.pool.target.authority.clone())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::from(json))
            .map_err(ClientError::Request)?;
        let (head, body) = self.pool.exchange(request).await?;
        Ok((head.status, body))
    }

    /// Looks at a path that needs no token, such as `/readyz`.
    pub async fn look(&self, path: &str) -> Result<Seen, ClientError> {
        let request = Request::get(path)
            .header(header::HOST, self.pool.target.authority.clone())
            .body(Full::default())
            .map_err(ClientError::Request)?;
        let (head, body) = self.pool.exchange(request).await?;
        let date = head.headers.get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        Ok(Seen { status: head.status, date, body })
    }
}
