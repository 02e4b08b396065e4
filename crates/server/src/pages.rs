//! The chat page and the SDK that it is built on, as they stand in the server itself. They come from nowhere else: a page that
//! speaks for a person loads no code and no style from others, only the pictures that messages and profiles name.

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use sha2::{Digest, Sha256};
use unsaid_protocol::sign::hex;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// What a page may load, and from where. Nothing is written inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
                      connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The routes of the chat page, on the listener for clients.
pub fn router() -> Router {
    Router::new()
        .route("/chat", get(|| async { Redirect::permanent("/chat/") }))
        .route("/chat/", get(|headers: HeaderMap| async move { file("index.html", &headers) }))
        .route(
            "/chat/{*name}",
            get(|Path(name): Path<String>, headers: HeaderMap| async move { file(&name, &headers) }),
        )
}

/// A file by its name.
fn file(name: &str, request: &HeaderMap) -> Response<Body> {
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((name, bytes)) => embedded(name, bytes, request),
        None => (StatusCode::NOT_FOUND, "there is no such page; the chat page is at /chat/\n").into_response(),
    }
}

/// A file that is in the program, or nothing new if the browser has it.
pub(crate) fn embedded(name: &str, bytes: &'static [u8], request: &HeaderMap) -> Response<Body> {
    let tag = format!("\"{}\"", &hex(&Sha256::digest(bytes))[..32]);
    let is_known = request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(bytes) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind(name)),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("hex digits"));
    response
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_sdk_are_there_and_nothing_of_their_tests() {
        let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        for name in ["index.html", "chat.js", "sdk/index.js"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(names.iter().all(|name| !name.contains("test") && !name.contains("node_modules")), "{names:?}");
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let first = file("index.html", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(file("index.html", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file("../Cargo.toml", &headers).status(), StatusCode::NOT_FOUND);
    }
}
