//! `openim/get_c2c_unread_msg_num` (rest 5.1).

use std::borrow::Cow;

use unsaid_protocol::{
    UserId, error,
    rest::{PeerError, PeerUnread, UnreadByPeer, UnreadTotal},
};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "get_c2c_unread_msg_num",
    about: "How many messages an account has not read: in all, or from each of some others.",
    fields: &[&TO_ACCOUNT, &PEER_ACCOUNT],
    refusals: &[(error::TO_ACCOUNT, "`To_Account` was not imported")],
    examples: &[
        Example {
            body: r#"{"To_Account":"yuki"}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AllC2CUnreadMsgNum":1}"#,
            note: "",
        },
        Example {
            body: r#"{"To_Account":"yuki","Peer_Account":["mira","tomas","ghost"]}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"C2CUnreadMsgNumList":[{"Peer_Account":"mira","C2CUnreadMsgNum":1},{"Peer_Account":"tomas","C2CUnreadMsgNum":0}],"ErrorList":[{"Peer_Account":"ghost","ErrorCode":70107}]}"#,
            note: "",
        },
    ],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const TO_ACCOUNT: Field =
    Field::required("To_Account", Kind::Account, error::TO_ACCOUNT, "whose unread messages are counted");
const PEER_ACCOUNT: Field = Field::optional(
    "Peer_Account",
    Kind::Texts,
    error::BODY_NOT_JSON,
    "from whom, at most 10; one that is no account is named in `ErrorList`",
)
.at_most(limits::UNREAD_PEERS_MAX, error::BODY_NOT_JSON);

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let user = required(fields.account(&TO_ACCOUNT))?;
    let peers = fields.texts(&PEER_ACCOUNT)?;
    let Some(total) = call.rest.chat.store().unread(call.caller.app.sdkappid, user.clone()).await? else {
        let info = format!("To_Account {user} was not imported");
        return Err(Refusal::new(error::TO_ACCOUNT, info).into());
    };
    match peers {
        None => Ok(Answer::with(UnreadTotal { total })),
        Some(peers) => by_peer(call, user, &peers).await,
    }
}

/// A peer that cannot be an account, or is none, is named in the list of errors.
async fn by_peer(call: Call<'_>, user: UserId, peers: &[Cow<'_, str>]) -> Result<Answer, ChatError> {
    let named: Vec<UserId> = peers.iter().filter_map(|peer| UserId::new(peer).ok()).collect();
    let counts = call.rest.chat.store().unread_from(call.caller.app.sdkappid, user, named.clone()).await?;
    let found = |peer: &str| named.iter().position(|named| named.as_str() == peer).and_then(|at| counts[at]);
    let mut answer = UnreadByPeer { counts: Vec::new(), errors: Vec::new() };
    for peer in peers {
        match found(peer) {
            Some(unread) => answer.counts.push(PeerUnread { peer, unread }),
            None => answer.errors.push(PeerError { peer, code: error::ACCOUNT_NOT_FOUND }),
        }
    }
    Ok(Answer::with(answer))
}
