//! What a run is made of, drawn from its seed. Each run leaves some kinds of things out, so that what the others would hide
//! comes to light (swarm testing).

use unsaid_protocol::callback::CallbackCommand;

use super::receiver::Mood;
use crate::{
    apps::{LaneBy, RecallBody},
    clock::Entropy,
};

/// What somebody does; each has a weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    Send,
    Recall,
    Read,
    ReadAll,
    Modify,
    Receipt,
    /// To many; by the app backend alone.
    Batch,
    /// Ends an account's logins; by the app backend alone.
    Kick,
    /// A device logs out, or logs in as if it had never been there.
    LogOut,
    Forget,
    /// A connection breaks: at once, or without the server's hearing of it.
    Break,
    Silence,
    /// The parked events of an app are sent again.
    Replay,
    /// Someone says that the endpoint is back.
    Back,
}

const DEEDS: [Deed; 14] = [
    Deed::Send,
    Deed::Recall,
    Deed::Read,
    Deed::ReadAll,
    Deed::Modify,
    Deed::Receipt,
    Deed::Batch,
    Deed::Kick,
    Deed::LogOut,
    Deed::Forget,
    Deed::Break,
    Deed::Silence,
    Deed::Replay,
    Deed::Back,
];

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ground {
    Memory,
    Sqlite,
}

#[derive(Clone, Debug)]
pub(super) struct Mix {
    pub(super) ground: Ground,
    pub(super) apps: usize,
    pub(super) accounts: usize,
    pub(super) devices: usize,
    pub(super) deeds: usize,
    pub(super) weights: Vec<(Deed, u32)>,
    /// How often, of a hundred deeds, the app backend does it and no device.
    pub(super) backend_in_100: u32,
    /// At most so long between two deeds, in milliseconds.
    pub(super) pause_ms: u32,
    pub(super) lane: LaneBy,
    pub(super) commands: Vec<CallbackCommand>,
    pub(super) recall_body: RecallBody,
    pub(super) moods: Vec<Mood>,
    /// Events that are refused whatever the receiver's mood, and those that make it crash.
    pub(super) bad_in_100: u32,
    pub(super) crashing_in_100: u32,
    /// Requests to receivers whose answer is lost, that come late, and that come twice.
    pub(super) answers_lost_in_100: u32,
    pub(super) late_in_100: u32,
    pub(super) doubled_in_100: u32,
    /// Answers to the app backend's own requests that are lost, so that it asks again.
    pub(super) calls_again_in_100: u32,
    pub(super) hints_lost_in_100: u32,
    pub(super) store_fails_in_100: u32,
    pub(super) restarts: u32,
    pub(super) jumps: u32,
    /// How long a frame is under way at most, and work at the store.
    pub(super) latency_ms: u32,
}

impl Mix {
    pub(super) fn drawn(entropy: &Entropy) -> Self {
        let one_of = |choices: &[u32]| choices[entropy.next_u32() as usize % choices.len()];
        let moods = [Mood::Answers, Mood::Refuses, Mood::Stalls, Mood::Gone, Mood::Busy];
        let moods = moods.into_iter().filter(|mood| *mood == Mood::Answers || one_of(&[0, 0, 1]) == 1).collect();
        let weights = DEEDS.map(|deed| {
            let weight = match deed {
                Deed::Send => one_of(&[4, 8, 16]),
                Deed::Recall => one_of(&[2, 8, 16]),
                Deed::Read | Deed::Modify | Deed::Receipt => one_of(&[0, 2, 8]),
                Deed::Kick | Deed::LogOut | Deed::Forget | Deed::Replay | Deed::Back => one_of(&[0, 0, 1]),
                Deed::ReadAll | Deed::Batch | Deed::Break | Deed::Silence => one_of(&[0, 1, 2]),
            };
            (deed, weight)
        });
        let commands = match one_of(&[0, 1, 2, 2]) {
            0 => vec![CallbackCommand::AfterMsgWithDraw],
            1 => vec![CallbackCommand::AfterMsgWithDraw, CallbackCommand::AfterSendMsg],
            _ => CallbackCommand::AFTER.into(),
        };
        Self {
            ground: Ground::Memory,
            apps: one_of(&[1, 2]) as usize,
            accounts: one_of(&[2, 3, 5]) as usize,
            devices: one_of(&[0, 2, 4, 6]) as usize,
            deeds: one_of(&[30, 80, 160]) as usize,
            weights: weights.into(),
            backend_in_100: one_of(&[20, 50, 90]),
            pause_ms: one_of(&[3, 200, 5_000]),
            lane: if one_of(&[0, 0, 1]) == 1 { LaneBy::Conversation } else { LaneBy::Account },
            commands,
            recall_body: [RecallBody::All, RecallBody::Unread, RecallBody::Detail][one_of(&[0, 1, 2]) as usize],
            moods,
            bad_in_100: one_of(&[0, 0, 4]),
            crashing_in_100: one_of(&[0, 0, 0, 2]),
            answers_lost_in_100: one_of(&[0, 0, 10]),
            late_in_100: one_of(&[0, 0, 10]),
            doubled_in_100: one_of(&[0, 0, 10]),
            calls_again_in_100: one_of(&[0, 20]),
            hints_lost_in_100: one_of(&[0, 0, 20]),
            store_fails_in_100: one_of(&[0, 0, 4]),
            restarts: one_of(&[0, 0, 1, 4]),
            jumps: one_of(&[0, 0, 2, 6]),
            latency_ms: one_of(&[1, 20, 400]),
        }
    }
}
