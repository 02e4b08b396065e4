//! Who somebody claims to be: queries of requests, and the `UserSig` in them.

use axum::{body::Body, http::Request};
use unsaid_protocol::usersig::{Claims, decode};

use super::{Reader, rest::check_answer};
use crate::stage::{ADMIN, KEY, Lasting, answer, usersig};

/// A query, a UserSig, or the JSON inside of one: nothing makes anybody somebody else.
pub(super) fn open() -> Reader {
    let lasting = Lasting::new();
    let stage = lasting.stage();
    Box::new(move |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let claims = [decode(text).ok(), serde_json::from_str(text).ok()];
        claims.iter().flatten().for_each(check_claims);
        let request = Request::post(format!("/v4/openim/querystate?{text}")).body(Body::from("{}"));
        let Ok(request) = request else { return };
        let (status, text) = lasting.runtime.block_on(answer(&stage.rest, request));
        check_answer(status, &text);
    })
}

/// The key has signed for the admin alone.
fn check_claims(claims: &Claims) {
    if claims.verify(KEY) {
        let signed = decode(&usersig(ADMIN)).expect("it was just made");
        let said = |claims: &Claims| (claims.identifier.clone(), claims.sdkappid, claims.time_s, claims.expire_s);
        assert_eq!(said(claims), said(&signed));
    }
    let _ = (claims.expired(0), claims.expires_s());
}
