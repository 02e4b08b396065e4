//! The people of the demo, each with a device: real sessions, which send, recall and hear of it.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::value::{RawValue, to_raw_value};
use unsaid_client::{Pushes, SessionClient, SessionConfig};
use unsaid_protocol::{
    UserId,
    session::{Login, Message, Push, Send, What},
    usersig::{self, Order},
};

use super::{SDKAPPID, SECRET_KEY, USERSIG_EXPIRE_S, story::Story};
use crate::clock::World;

/// How long the story waits for an answer or a push.
const PATIENCE: Duration = Duration::from_secs(10);

/// A device that has logged in.
pub(super) struct Device {
    user: &'static str,
    pub(super) client: SessionClient,
    pushes: Pushes,
}

/// A UserSig, as the app's own backend makes it.
pub(super) fn usersig(world: &World, user: &str) -> String {
    let (time_s, expire_s) = (u64::from(world.clock.now().seconds()), USERSIG_EXPIRE_S);
    usersig::make(SECRET_KEY, Order { sdkappid: SDKAPPID, identifier: user, time_s, expire_s, userbuf: None })
}

impl Device {
    pub(super) async fn log_in(
        story: &Story,
        base: &str,
        user: &'static str,
        platform: &str,
        world: &World,
    ) -> anyhow::Result<Self> {
        let config = SessionConfig { base: base.to_owned(), ca_pem: None, timeout: PATIENCE };
        let (client, pushes) = SessionClient::connect(&config).await?;
        let login = Login {
            sdkappid: SDKAPPID.0,
            user_id: UserId::new(user).context("a valid UserID")?.to_string(),
            user_sig: usersig(world, user),
            platform: platform.to_owned(),
            cursor: None,
            session: None,
        };
        let answer = client.login(&login).await?;
        story.said(user, "login", &format!(r#"{{"user_id":"{user}","platform":"{platform}",..}}"#));
        story.answer(serde_json::to_string(&answer)?.as_bytes());
        Ok(Self { user, client, pushes })
    }

    /// Sends a text; answers the message's key.
    pub(super) async fn send(
        &self,
        story: &Story,
        to: &str,
        number: u32,
        text: &str,
        now_s: u32,
    ) -> anyhow::Result<String> {
        let message = Send {
            to: to.to_owned(),
            seq: number,
            random: 1000 + number,
            client_time_s: now_s,
            body: body(text)?,
            custom_data: String::new(),
            online_only: false,
            no_unread: false,
            no_last: false,
            needs_receipt: false,
            push_info: None,
        };
        story.said(self.user, "send", &serde_json::to_string(&message)?);
        let sent = self.client.send(&message).await?;
        story.answer(serde_json::to_string(&sent)?.as_bytes());
        Ok(sent.msg_key)
    }

    pub(super) async fn recall(&self, story: &Story, to: &str, key: &str) -> anyhow::Result<()> {
        story.said(self.user, "recall", &format!(r#"{{"to":"{to}","msg_key":"{key}"}}"#));
        self.client.recall(to, key).await?;
        story.answer(b"{}");
        Ok(())
    }

    /// Waits until this device hears of the recall of that message; answers the tombstone.
    pub(super) async fn hears_of_recall(&mut self, key: &str) -> anyhow::Result<Message> {
        let heard = async {
            loop {
                let push = self.pushes.next().await.map_err(|closed| anyhow::anyhow!("it was closed: {closed}"))?;
                let Push::Updates(updates) = push else { continue };
                for update in updates.updates {
                    if let What::Recall { message } = update.what
                        && message.msg_key == key
                    {
                        return anyhow::Ok(message);
                    }
                }
            }
        };
        let tombstone = tokio::time::timeout(PATIENCE, heard).await.context("the device did not hear of it")??;
        ensure!(tombstone.body.get() == "[]", "a tombstone says nothing");
        Ok(tombstone)
    }
}

fn body(text: &str) -> anyhow::Result<Box<RawValue>> {
    Ok(to_raw_value(&serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]))?)
}
