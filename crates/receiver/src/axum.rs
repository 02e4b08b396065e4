//! A route for axum (feature `axum`).

use std::{
    fmt::Display,
    future::Future,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};

use crate::{Answer, Begun, Callback, Headers, Memory, Receiver, Request};

/// The longest body that is read, in bytes. A message has at most 8 KiB; a receipt names up to 30.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A route that receives callbacks.
///
/// `handler` gets what is new, one delivery at a time, and has two seconds: when the server hangs up it is cancelled, and
/// the callback comes again. So it should store the event, accept it, and leave slow work to something else. What is not
/// handled is answered with the reason and logged.
pub fn callbacks<S, M, H, F>(receiver: Arc<Receiver<M>>, handler: H) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    M: Memory + Send + 'static,
    M::Error: Display + Send,
    H: Fn(Callback) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send,
{
    let route = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let request = Request {
            method: method.as_str(),
            path_and_query: uri.path_and_query().map_or("", |path| path.as_str()),
            headers: Headers::read(|name| headers.get(name)?.to_str().ok()),
            body: &body,
        };
        let begun = receiver.begin(request, now_s());
        let finished = match begun {
            Ok(Begun::New(handling)) => {
                if let Some(missed) = &handling.callback.missed {
                    let (lane, after, through) = (&missed.lane, missed.after, missed.through);
                    tracing::warn!(lane, after, through, "callbacks were missed: ask for a replay");
                }
                let answer = handler(handling.callback.clone()).await;
                handling.finish(answer)
            }
            Ok(Begun::Repeat(_)) => Ok(Answer::accept()),
            Ok(Begun::UnderWay(_)) => Ok(Answer::under_way()),
            Err(unhandled) => Err(unhandled),
        };
        finished.unwrap_or_else(|unhandled| {
            tracing::warn!("a callback was not handled: {unhandled}");
            unhandled.answer()
        })
    };
    any(route).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).expect("it is one of those that are chosen here");
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let mut response = (status, json, self.body().to_owned()).into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[expect(clippy::disallowed_methods, reason = "an application uses this; it simulates nothing")]
fn now_s() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}
