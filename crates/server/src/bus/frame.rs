//! What is said, as bytes: `1`, the HMAC-SHA256 of what follows, and that as JSON.
//!
//! Others may use the same NATS. Whoever lacks the key can say nothing here, and what was said once is not heard again when
//! somebody repeats it: each member counts what it says. What is not understood is left alone, so that versions can run side
//! by side.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::Sha256;
use unsaid_protocol::{SdkAppId, UserId};

use super::{Said, subject};
use crate::{
    chat::{Content, EndReason, Lane, Message, MessageFlags, Pair, SessionId, Shown},
    cluster::MemberId,
    limits,
};

/// How frames are made now. Another one is another language.
const VERSION: u8 = 1;

const TAG_BYTES: usize = 32;

/// Makes frames, and reads those of others.
pub(super) struct Frames {
    mac: Hmac<Sha256>,
    member: MemberId,
    /// Of the frame that was made last.
    number: u64,
    /// Of the frame of each other member that was heard last.
    heard: HashMap<Arc<str>, u64>,
}

/// Why a frame is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unheard {
    /// It is of another version, or no frame at all.
    Malformed,
    /// It was not made by a member of this cluster.
    Forged,
    /// It was heard before.
    Repeated,
}

impl Unheard {
    pub const ALL: [Self; 3] = [Self::Malformed, Self::Forged, Self::Repeated];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Repeated => "repeated",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    member: Cow<'a, str>,
    number: u64,
    app: u32,
    #[serde(borrow)]
    said: Words<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Words<'a> {
    #[serde(borrow)]
    Wake(Account<'a>),
    #[serde(borrow)]
    End(Ended<'a>),
    #[serde(borrow)]
    Online(Box<OnlineOnly<'a>>),
    #[serde(borrow)]
    Look(Behind<'a>),
}

#[derive(Serialize, Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Ended<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    session: Cow<'a, str>,
    why: Why,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    OtherLogin,
    Resumed,
    AppBackend,
}

/// A message, without what no device is shown.
#[derive(Serialize, Deserialize)]
struct OnlineOnly<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    position: i64,
    flags: u16,
    client_time_s: u32,
    #[serde(borrow)]
    body: Cow<'a, str>,
    #[serde(borrow)]
    custom_data: Cow<'a, str>,
    #[serde(borrow)]
    types: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Behind<'a> {
    #[serde(borrow)]
    lane: Cow<'a, str>,
    place: i64,
}

impl Frames {
    pub(super) fn new(key: &[u8; 32], member: MemberId) -> Self {
        Self { mac: subject::mac(key, "frames"), member, number: 0, heard: HashMap::new() }
    }

    pub(super) fn write(&mut self, said: &Said) -> Vec<u8> {
        self.number += 1;
        let app = match said {
            Said::Wake { app, .. } | Said::End { app, .. } | Said::Online { app, .. } | Said::Look { app, .. } => app.0,
        };
        let body = Body { member: Cow::from(&*self.member.0), number: self.number, app, said: Words::of(said) };
        let mut frame = vec![0; 1 + TAG_BYTES];
        serde_json::to_writer(&mut frame, &body).expect("strings and numbers serialize");
        let tag = self.mac.clone().chain_update(&frame[1 + TAG_BYTES..]).finalize().into_bytes();
        frame[0] = VERSION;
        frame[1..=TAG_BYTES].copy_from_slice(&tag);
        frame
    }

    /// What another member has said.
    pub(super) fn read(&mut self, frame: &[u8]) -> Result<Said, Unheard> {
        let (&[VERSION], rest) = frame.split_at_checked(1).ok_or(Unheard::Malformed)? else {
            return Err(Unheard::Malformed);
        };
        let (tag, json) = rest.split_at_checked(TAG_BYTES).ok_or(Unheard::Malformed)?;
        self.mac.clone().chain_update(json).verify_slice(tag).map_err(|_| Unheard::Forged)?;
        let body: Body<'_> = serde_json::from_slice(json).map_err(|_| Unheard::Malformed)?;
        self.is_new(&body.member, body.number)?;
        body.said.read(SdkAppId(body.app)).ok_or(Unheard::Malformed)
    }

    /// Nobody hears itself, and NATS keeps the order of what one member says.
    fn is_new(&mut self, member: &str, number: u64) -> Result<(), Unheard> {
        if member == &*self.member.0 {
            return Err(Unheard::Repeated);
        }
        if let Some(last) = self.heard.get_mut(member) {
            if number <= *last {
                return Err(Unheard::Repeated);
            }
            *last = number;
            return Ok(());
        }
        // They are members that have started since this one did; most of them have gone again.
        if self.heard.len() >= limits::BUS_MEMBERS_MAX {
            self.heard.clear();
        }
        self.heard.insert(member.into(), number);
        Ok(())
    }
}

impl<'a> Words<'a> {
    fn of(said: &'a Said) -> Self {
        match said {
            Said::Wake { user, .. } => Self::Wake(Account { user: user.as_str().into() }),
            Said::End { user, session, why, .. } => Self::End(Ended {
                user: user.as_str().into(),
                session: (&*session.0).into(),
                why: match why {
                    EndReason::OtherLogin => Why::OtherLogin,
                    EndReason::Resumed => Why::Resumed,
                    EndReason::AppBackend => Why::AppBackend,
                },
            }),
            Said::Online { user, shown, .. } => Self::Online(Box::new(OnlineOnly::of(user, shown))),
            Said::Look { lane, place, .. } => Self::Look(Behind { lane: lane.0.as_str().into(), place: *place }),
        }
    }

    /// None where it names nobody that can be.
    fn read(self, app: SdkAppId) -> Option<Said> {
        Some(match self {
            Self::Wake(Account { user }) => Said::Wake { app, user: name(&user)? },
            Self::End(Ended { user, session, why }) => Said::End {
                app,
                user: name(&user)?,
                session: SessionId(session.into()),
                why: match why {
                    Why::OtherLogin => EndReason::OtherLogin,
                    Why::Resumed => EndReason::Resumed,
                    Why::AppBackend => EndReason::AppBackend,
                },
            },
            Self::Online(online) => online.read(app)?,
            Self::Look(Behind { lane, place }) => {
                lane.split('\t').map(name).collect::<Option<Vec<_>>>().filter(|names| names.len() <= 2)?;
                Said::Look { app, lane: Lane(lane.into()), place }
            }
        })
    }
}

impl<'a> OnlineOnly<'a> {
    fn of(user: &'a UserId, shown: &'a Shown) -> Self {
        let Shown { from, to, id, message } = shown;
        let Content { body, custom_data, types, push_info: _, hash: _ } = &message.content;
        Self {
            user: user.as_str().into(),
            from: from.as_str().into(),
            to: to.as_str().into(),
            id: id.into(),
            key: message.key.to_string().into(),
            position: message.position,
            flags: message.flags.bits(),
            client_time_s: message.client_time_s,
            body: body.into(),
            custom_data: custom_data.into(),
            types: types.into(),
        }
    }

    fn read(self, app: SdkAppId) -> Option<Said> {
        let (user, from, to) = (name(&self.user)?, name(&self.from)?, name(&self.to)?);
        let is_json = serde_json::from_str::<IgnoredAny>(&self.body).is_ok();
        if (user != from && user != to) || !is_json {
            return None;
        }
        let (_, direction) = Pair::of(&from, &to);
        let (body, custom_data, types) = (self.body.into(), self.custom_data.into(), self.types.into());
        let message = Message {
            direction,
            key: self.key.parse().ok()?,
            position: self.position,
            flags: MessageFlags::from_bits(self.flags),
            client_time_s: self.client_time_s,
            recalled_by: None,
            content: Content { body, custom_data, types, ..Content::default() },
        };
        Some(Said::Online { app, user, shown: Arc::new(Shown { from, to, id: self.id.into(), message }) })
    }
}

fn name(text: &str) -> Option<UserId> {
    UserId::new(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn frames(member: &str) -> Frames {
        Frames::new(&KEY, MemberId(member.into()))
    }

    fn user() -> impl Strategy<Value = UserId> {
        "[ -~]{1,32}".prop_map(|text| UserId::new(&text).expect("a name"))
    }

    fn said() -> impl Strategy<Value = Said> {
        let app = any::<u32>().prop_map(SdkAppId);
        let why = prop_oneof![Just(EndReason::OtherLogin), Just(EndReason::Resumed), Just(EndReason::AppBackend)];
        let lane = prop_oneof![
            user().prop_map(|user| Lane::of_account(&user)),
            (user(), user()).prop_map(|(from, to)| Lane::of_conversation(&Pair::of(&from, &to).0)),
        ];
        let online = (app.clone(), user(), user(), any::<bool>(), ".{0,40}", any::<(u32, u16, i64)>());
        prop_oneof![
            (app.clone(), user()).prop_map(|(app, user)| Said::Wake { app, user }),
            (app.clone(), user(), "s_[0-9a-f]{24}", why).prop_map(|(app, user, session, why)| {
                let session = SessionId(session.into());
                Said::End { app, user, session, why }
            }),
            (app, lane, any::<i64>()).prop_map(|(app, lane, place)| Said::Look { app, lane, place }),
            online.prop_map(|(app, from, to, to_sender, text, numbers)| {
                let user = if to_sender { from.clone() } else { to.clone() };
                Said::Online { app, user, shown: Arc::new(shown(from, to, &text, numbers)) }
            }),
        ]
    }

    fn shown(from: UserId, to: UserId, text: &str, (number, bits, position): (u32, u16, i64)) -> Shown {
        let (_, direction) = Pair::of(&from, &to);
        let body = serde_json::to_string(text).expect("text serializes");
        let content =
            Content { body, custom_data: text.to_owned(), types: "TIMTextElem".to_owned(), ..Content::default() };
        let message = Message {
            direction,
            key: unsaid_protocol::MsgKey { seq: number, random: number, time: number },
            position,
            flags: MessageFlags::from_bits(bits),
            client_time_s: number,
            recalled_by: None,
            content,
        };
        Shown { from, to, id: text.to_owned(), message }
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(all in prop::collection::vec(said(), 1..5)) {
            let (mut one, mut other) = (frames("m_1"), frames("m_2"));
            for said in all {
                let frame = one.write(&said);
                prop_assert_eq!(other.read(&frame), Ok(said));
                prop_assert_eq!(other.read(&frame), Err(Unheard::Repeated));
            }
        }

        #[test]
        fn a_frame_of_which_one_byte_is_another_is_not_heard(said in said(), at in any::<usize>(), with in 1_u8..) {
            let mut frame = frames("m_1").write(&said);
            let at = at % frame.len();
            frame[at] ^= with;
            let expected = if at == 0 { Unheard::Malformed } else { Unheard::Forged };
            prop_assert_eq!(frames("m_2").read(&frame), Err(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(frames("m_2").read(&bytes).is_err());
        }

        /// Another version of a member may say anything.
        #[test]
        fn no_json_of_a_member_makes_it_panic(json in "[{}\\[\\]\":,a-z0-9\t ]{0,80}") {
            prop_assert_eq!(frames("m_2").read(&signed(json.as_bytes())), Err(Unheard::Malformed));
        }
    }

    /// What a member has made that says something else.
    fn signed(json: &[u8]) -> Vec<u8> {
        let tag = subject::mac(&KEY, "frames").chain_update(json).finalize().into_bytes();
        [&[VERSION][..], &tag, json].concat()
    }

    #[test]
    fn what_names_nobody_or_is_no_message_is_malformed() {
        let check = |said: &str, expect: bool| {
            let json = format!(r#"{{"member":"m_1","number":1,"app":7,"said":{said},"later":1}}"#);
            assert_eq!(frames("m_2").read(&signed(json.as_bytes())).is_ok(), expect, "{said}");
        };
        let online = |user: &str, body: &str| {
            format!(
                r#"{{"online":{{"user":"{user}","from":"a","to":"b","id":"i","key":"1_2_3","position":0,"flags":0,
                    "client_time_s":1,"body":"{body}","custom_data":"","types":""}}}}"#
            )
        };
        check(r#"{"wake":{"user":"jared"}}"#, true);
        check(r#"{"wake":{"user":""}}"#, false);
        check(r#"{"wake":{"user":"j\u00e4red"}}"#, false);
        check(r#"{"sleep":{"user":"jared"}}"#, false);
        check(r#"{"end":{"user":"jared","session":"s","why":"resumed"}}"#, true);
        check(r#"{"end":{"user":"jared","session":"s","why":"bored"}}"#, false);
        check(r#"{"look":{"lane":"jared","place":1}}"#, true);
        check(r#"{"look":{"lane":"jared\tJonh","place":1}}"#, true);
        check(r#"{"look":{"lane":"a\tb\tc","place":1}}"#, false);
        check(r#"{"look":{"lane":"","place":1}}"#, false);
        check(&online("b", "[]"), true);
        check(&online("c", "[]"), false);
        check(&online("b", "["), false);
    }

    #[test]
    fn another_key_is_another_cluster_and_nobody_hears_itself() {
        let wake = Said::Wake { app: SdkAppId(7), user: UserId::new("jared").expect("a name") };
        let mut one = frames("m_1");
        let frame = one.write(&wake);
        let mut stranger = Frames::new(&[8; 32], MemberId("m_2".into()));
        assert_eq!(stranger.read(&frame), Err(Unheard::Forged));
        assert_eq!(one.read(&frame), Err(Unheard::Repeated));
        let mut other = frames("m_2");
        let later = one.write(&wake);
        assert!(other.read(&later).is_ok());
        assert_eq!(other.read(&frame), Err(Unheard::Repeated), "what was said before is not heard behind it");
    }
}
