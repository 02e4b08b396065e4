//! `unsaid usersig`: who an account is, proven with its app's key: by the server that has the key, or here, by whoever has it.

use std::{
    io::{Read, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use unsaid_protocol::{
    SdkAppId, UserId,
    usersig::{Order, make},
};

use super::{AppFlags, table};
use crate::{clock::Clock, limits};

/// Where a key may stand that is not in a file.
const VARIABLE: &str = "UNSAID_SECRET_KEY";

/// A key is some dozens of characters; what is longer is another file.
const KEY_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub struct UserSigFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The account, by its UserID.
    #[arg(value_name = "USER")]
    account: String,
    /// For how long it is valid, in seconds.
    #[arg(long, value_name = "S", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..))]
    expire_s: u64,
    /// Make it here with the app's key from this file, and ask no server; - is standard input. The key can stand in
    /// UNSAID_SECRET_KEY instead.
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
}

/// `unsaid usersig`
pub async fn usersig(flags: UserSigFlags) -> anyhow::Result<()> {
    let UserSigFlags { app, account, expire_s, secret_key_file } = flags;
    let made = match key(secret_key_file.as_deref())? {
        Some(key) => offline(&key, app.app, &account, expire_s)?,
        None => {
            let body = json!({"account": account, "expire_s": expire_s});
            app.ask(Method::POST, "/usersig", body).await?
        }
    };
    app.show(&made, table::usersig);
    Ok(())
}

/// The key that is given, if one is.
fn key(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(file) = file else {
        return Ok(std::env::var(VARIABLE).ok().filter(|key| !key.is_empty()));
    };
    let mut key = String::new();
    let read = if file == Path::new("-") {
        stdin().take(KEY_BYTES_MAX).read_to_string(&mut key)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut key))
    };
    read.with_context(|| format!("the key {} cannot be read", file.display()))?;
    let key = key.trim().to_owned();
    ensure!(!key.is_empty(), "{} is empty: it has to hold the app's secret key", file.display());
    Ok(Some(key))
}

/// As the public generators make it.
fn offline(key: &str, sdkappid: u32, account: &str, expire_s: u64) -> anyhow::Result<Value> {
    let least = limits::SECRET_KEY_BYTES_MIN;
    ensure!(key.len() >= least, "the key has fewer than {least} characters, so it is no secret key of an app");
    let Ok(account) = UserId::new(account) else {
        bail!("{account:?} is no UserID: it has 1 to 32 visible ASCII characters");
    };
    let time_s = u64::from(Clock::system().now().seconds());
    let order = Order { sdkappid: SdkAppId(sdkappid), identifier: account.as_str(), time_s, expire_s, userbuf: None };
    Ok(json!({"account": account.as_str(), "usersig": make(key, order), "expires_s": time_s.saturating_add(expire_s)}))
}
