//! What the demo prepares and says when it stays up: people and messages to try things on, and lines to paste into another
//! terminal. `docs/rest.md` counts on them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use unsaid_client::RestClient;

use super::{ADMIN, SDKAPPID, devices};
use crate::{apps::Secret, clock::World};

/// Messages with keys that are known beforehand: sender, recipient, `MsgSeq`, `MsgRandom`, time, text. Each line that takes
/// something from a message has one of its own, so that no line spoils another: the first five are those of `docs/rest.md`,
/// the last one is that of [`invite`].
const MESSAGES: [(&str, &str, u32, u32, u32, &str); 6] = [
    ("mira", "tomas", 1, 1001, 1_764_500_001, "wrong window"),
    ("mira", "tomas", 2, 1002, 1_764_500_002, "the parcel is downstairs"),
    ("mira", "yuki", 3, 1003, 1_764_500_003, "shop closes at 6"),
    ("mira", "tomas", 4, 1004, 1_764_500_004, "see you"),
    ("leaver", "tomas", 5, 1005, 1_764_500_005, "goodbye"),
    ("mira", "tomas", 6, 1006, 1_764_500_006, "never mind"),
];

/// Imports people and messages. There are no callbacks for that.
pub async fn prepare(client: &RestClient) -> anyhow::Result<()> {
    let call = async |service: &str, name: &str, body: &str| {
        client.post(service, name, body.to_owned()).await?.envelope()?.accepted(name).map_err(anyhow::Error::from)
    };
    let accounts = r#"{"Accounts":["mira","tomas","yuki","spammer","leaver"]}"#;
    call("im_open_login_svc", "multiaccount_import", accounts).await?;
    for (from, to, seq, random, time_s, text) in MESSAGES {
        let body = format!(r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{text}"}}}}]"#);
        let message = format!(
            r#"{{"SyncFromOldSystem":5,"From_Account":"{from}","To_Account":"{to}","MsgSeq":{seq},"MsgRandom":{random},"MsgTimeStamp":{time_s},"MsgBody":{body}}}"#
        );
        call("openim", "importmsg", &message).await?;
    }
    call("sns", "black_list_add", r#"{"From_Account":"yuki","To_Account":["spammer"]}"#).await?;
    Ok(())
}

/// Prints `curl` lines with a valid UserSig.
pub(super) fn invite(base: &str, usersig: &str) {
    let usersig = utf8_percent_encode(usersig, NON_ALPHANUMERIC);
    let query = format!("sdkappid={SDKAPPID}&identifier={ADMIN}&usersig={usersig}&random=1&contenttype=json");
    println!(
        "\nThe server stays up until Ctrl-C, and every callback is shown here. Go on by hand in another terminal:\n"
    );
    println!("  UNSAID='{base}'\n  QUERY='{query}'\n");
    let line = |path: &str, body: &str| println!("  curl -s \"$UNSAID/v4/{path}?$QUERY\" -d '{body}'\n");
    line(
        "openim/sendmsg",
        r#"{"From_Account":"mira","To_Account":"tomas","MsgSeq":7,"MsgRandom":42,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}]}"#,
    );
    line("openim/admin_msgwithdraw", r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"6_1006_1764500006"}"#);
    line(
        "openim/admin_getroammsg",
        r#"{"Operator_Account":"tomas","Peer_Account":"mira","MaxCnt":10,"MinTime":0,"MaxTime":4294967295}"#,
    );
    println!("  mira, tomas and yuki are there with some messages; docs/rest.md has a line for every command.\n");
}

/// Prints links that log in to the chat page.
pub(super) fn invite_to_chat(base: &str, world: &World) {
    println!("  Or chat: open both in a browser, in two windows, and take something back.\n");
    for user in ["jared", "Jonh"] {
        let usersig = devices::usersig(world, user);
        let usersig = utf8_percent_encode(&usersig, NON_ALPHANUMERIC);
        println!("  {base}/chat/#sdkappid={SDKAPPID}&userid={user}&usersig={usersig}\n");
    }
}

/// Prints what the command line needs to ask this server; `docs/cli.md` counts on it.
pub(super) fn invite_to_operate(base: &str, token: Option<&Secret>) {
    println!("  Or operate it; docs/cli.md has a line for every command.\n");
    println!("  export UNSAID_API_URL='{base}' UNSAID_API_TOKEN='{}'\n", token.map_or("", Secret::expose));
    println!("  unsaid deliveries {SDKAPPID} --account Jonh\n");
}
