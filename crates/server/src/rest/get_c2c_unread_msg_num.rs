//! `openim/get_c2c_unread_msg_num` (rest 5.1).

use std::borrow::Cow;

use unsaid_protocol::{
    UserId, error,
    rest::{PeerError, PeerUnread, UnreadByPeer, UnreadTotal},
};

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::Fields,
    gate::Caller,
};
use crate::{
    chat::{ChatError, Refusal},
    limits,
};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let Question { user, peers } = read(body).map_err(ChatError::Refused)?;
    let Some(total) = rest.chat.store().unread(caller.app.sdkappid, user.clone()).await? else {
        let info = format!("To_Account {user} was not imported");
        return Err(ChatError::Refused(Refusal::new(error::TO_ACCOUNT, info)));
    };
    match peers {
        None => Ok(Answer::with(UnreadTotal { total })),
        Some(peers) => by_peer(rest, caller, user, &peers).await,
    }
}

/// A peer that cannot be an account, or is none, is named in the list of errors.
async fn by_peer(rest: &Rest, caller: &Caller, user: UserId, peers: &[Cow<'_, str>]) -> Result<Answer, ChatError> {
    let named: Vec<UserId> = peers.iter().filter_map(|peer| UserId::new(peer).ok()).collect();
    let counts = rest.chat.store().unread_from(caller.app.sdkappid, user, named.clone()).await?;
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

/// Whose messages, and from whom; the total if not said.
struct Question<'a> {
    user: UserId,
    peers: Option<Vec<Cow<'a, str>>>,
}

fn read(body: &[u8]) -> Result<Question<'_>, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let user = fields.account("To_Account", error::TO_ACCOUNT)?;
    let peers = fields.texts("Peer_Account", error::BODY_NOT_JSON)?;
    if peers.as_ref().is_some_and(|peers| peers.len() > limits::UNREAD_PEERS_MAX) {
        let info = format!("Peer_Account may name at most {} accounts", limits::UNREAD_PEERS_MAX);
        return Err(Refusal::new(error::BODY_NOT_JSON, info));
    }
    Ok(Question { user, peers })
}
