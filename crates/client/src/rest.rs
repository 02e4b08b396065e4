//! The calls. Each is named like its command; what they do and answer is said in rest 3 to 5.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use unsaid_protocol::{MsgKey, SdkAppId};

use crate::{Answer, ClientError, connection::Target, pool::Pool};

/// Which server, as whom, and within which bounds.
#[derive(Clone)]
pub struct RestConfig {
    /// `http://127.0.0.1:8080` or `https://chat.example`.
    pub base: String,
    /// The authority of the server's certificate; without it, those that the system trusts.
    pub ca_pem: Option<Vec<u8>>,
    pub sdkappid: SdkAppId,
    /// An admin of the app.
    pub identifier: String,
    pub usersig: String,
    /// How many requests may be under way at once; more of them wait.
    pub connections_max: usize,
    /// For one call in all: waiting for a connection, dialling, sending, reading.
    pub timeout: Duration,
}

/// Calls one server as one admin. It is used from many tasks at once, behind an `Arc`.
pub struct RestClient {
    pool: Pool,
    /// Everything of the query but `random`, which is what differs.
    query: String,
    /// For `random` and `MsgRandom`; the server asks only that they differ.
    random: AtomicU32,
}

/// What part of a conversation is wanted.
#[derive(Clone, Copy, Debug)]
pub struct HistoryRange {
    pub count_max: u32,
    pub from_time_s: i64,
    pub to_time_s: i64,
    /// `LastMsgKey` of the page before this one.
    pub before: Option<MsgKey>,
}

/// What stands for itself in a query value.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl RestClient {
    pub fn new(config: &RestConfig) -> Result<Self, ClientError> {
        let target = Target::new(&config.base, config.ca_pem.as_deref())?;
        let query = format!(
            "sdkappid={}&identifier={}&usersig={}&contenttype=json",
            config.sdkappid,
            utf8_percent_encode(&config.identifier, VALUE),
            utf8_percent_encode(&config.usersig, VALUE),
        );
        let pool = Pool::new(target, config.connections_max, config.timeout);
        Ok(Self { pool, query, random: AtomicU32::new(1) })
    }

    /// Sends a JSON body to a command, and hands over whatever comes back.
    pub async fn post(&self, service: &str, command: &str, json: impl Into<Bytes>) -> Result<Answer, ClientError> {
        let request = Request::post(self.path_and_query(service, command))
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(json.into()))
            .map_err(ClientError::Request)?;
        let (status, _, body) = self.raw(request).await?;
        Ok(Answer { status, body })
    }

    /// The same for a command that has to succeed: any other code than 0 is an error.
    pub async fn call(&self, service: &str, command: &str, body: &Value) -> Result<Value, ClientError> {
        self.post(service, command, body.to_string()).await?.envelope()?.accepted(command)
    }

    /// Sends any request as it is; only `Host` is added if it is missing. The URI is a path with its query.
    pub async fn raw(&self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.pool.target.authority.clone());
        let (head, body) = self.pool.exchange(request).await?;
        Ok((head.status, head.headers, body))
    }

    /// Where a command is called, with the right to do so: another `random` each time.
    pub fn path_and_query(&self, service: &str, command: &str) -> String {
        format!("/v4/{service}/{command}?{}&random={}", self.query, self.next_random())
    }

    fn next_random(&self) -> u32 {
        self.random.fetch_add(1, Ordering::Relaxed)
    }
}

impl RestClient {
    pub async fn account_import(&self, user: &str) -> Result<(), ClientError> {
        let body = json!({ "UserID": user });
        self.call("im_open_login_svc", "account_import", &body).await.map(drop)
    }

    /// Sends one text and returns its key.
    pub async fn sendmsg(&self, from: &str, to: &str, text: &str) -> Result<MsgKey, ClientError> {
        let body = json!({
            "From_Account": from,
            "To_Account": to,
            "MsgRandom": self.next_random(),
            "MsgBody": [{ "MsgType": "TIMTextElem", "MsgContent": { "Text": text } }],
        });
        let answer = self.call("openim", "sendmsg", &body).await?;
        answer["MsgKey"].as_str().and_then(|key| key.parse().ok()).ok_or_else(|| incomplete("MsgKey", &answer))
    }

    /// Takes back the message that `from` sent to `to`.
    pub async fn admin_msgwithdraw(&self, from: &str, to: &str, key: MsgKey) -> Result<(), ClientError> {
        let body = json!({ "From_Account": from, "To_Account": to, "MsgKey": key.to_string() });
        self.call("openim", "admin_msgwithdraw", &body).await.map(drop)
    }

    /// `reader` has read what `peer` sent up to that time in seconds, or up to now.
    pub async fn admin_set_msg_read(&self, reader: &str, peer: &str, time_s: Option<i64>) -> Result<(), ClientError> {
        let mut body = json!({ "Report_Account": reader, "Peer_Account": peer });
        if let Some(time_s) = time_s {
            body["MsgReadTime"] = time_s.into();
        }
        self.call("openim", "admin_set_msg_read", &body).await.map(drop)
    }

    /// What `user` has unread in all conversations.
    pub async fn get_c2c_unread_msg_num(&self, user: &str) -> Result<i64, ClientError> {
        let answer = self.call("openim", "get_c2c_unread_msg_num", &json!({ "To_Account": user })).await?;
        answer["AllC2CUnreadMsgNum"].as_i64().ok_or_else(|| incomplete("AllC2CUnreadMsgNum", &answer))
    }

    /// What `user` has unread of `peer`.
    pub async fn get_c2c_unread_msg_num_of(&self, user: &str, peer: &str) -> Result<i64, ClientError> {
        let body = json!({ "To_Account": user, "Peer_Account": [peer] });
        let answer = self.call("openim", "get_c2c_unread_msg_num", &body).await?;
        let unread = &answer["C2CUnreadMsgNumList"][0]["C2CUnreadMsgNum"];
        unread.as_i64().ok_or_else(|| incomplete("C2CUnreadMsgNumList", &answer))
    }

    /// A page of the conversation with `peer`, as `operator` sees it: the whole answer.
    pub async fn admin_getroammsg(
        &self,
        operator: &str,
        peer: &str,
        range: HistoryRange,
    ) -> Result<Value, ClientError> {
        let mut body = json!({
            "Operator_Account": operator,
            "Peer_Account": peer,
            "MaxCnt": range.count_max,
            "MinTime": range.from_time_s,
            "MaxTime": range.to_time_s,
        });
        if let Some(key) = range.before {
            body["LastMsgKey"] = key.to_string().into();
        }
        self.call("openim", "admin_getroammsg", &body).await
    }
}

/// An answer that says OK but lacks what it is for.
fn incomplete(field: &'static str, answer: &Value) -> ClientError {
    ClientError::Incomplete { field, answer: answer.to_string() }
}
