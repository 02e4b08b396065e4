//! What the demo says when it stays up: lines to paste into another terminal.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ADMIN, SDKAPPID};

/// Prints `curl` lines with a valid UserSig.
pub(super) fn invite(base: &str, usersig: &str) {
    let usersig = utf8_percent_encode(usersig, NON_ALPHANUMERIC);
    let query = format!("sdkappid={SDKAPPID}&identifier={ADMIN}&usersig={usersig}&random=1&contenttype=json");
    println!(
        "\nThe server stays up until Ctrl-C, and every callback is shown here. Go on by hand in another terminal:\n"
    );
    println!("  QUERY='{query}'\n");
    let line = |path: &str, body: &str| println!("  curl -s \"{base}/v4/{path}?$QUERY\" -d '{body}'\n");
    line("im_open_login_svc/account_import", r#"{"UserID":"mira"}"#);
    line(
        "openim/sendmsg",
        r#"{"From_Account":"jared","To_Account":"mira","MsgSeq":7,"MsgRandom":42,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}]}"#,
    );
    println!("  # Put the MsgKey of that answer here:");
    line("openim/admin_msgwithdraw", r#"{"From_Account":"jared","To_Account":"mira","MsgKey":"7_42_..."}"#);
    line("openim/get_c2c_unread_msg_num", r#"{"To_Account":"mira"}"#);
    line(
        "openim/admin_getroammsg",
        r#"{"Operator_Account":"mira","Peer_Account":"jared","MaxCnt":10,"MinTime":0,"MaxTime":4294967295}"#,
    );
}
