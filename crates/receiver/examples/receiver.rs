//! A receiver to start from: prints what it is told.
//!
//! `UNSAID_SDKAPPID=1400000001 UNSAID_TOKEN=... cargo run -p unsaid-receiver --features axum --example receiver`
//!
//! It listens on 127.0.0.1:8080 for `/im`, without TLS: a server takes such a URL only where its operator allows it.

use std::{env, sync::Arc};

use unsaid_receiver::{Answer, Callback, Event, Receiver, Recent, SdkAppId, Verifier, axum::callbacks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sdkappid = SdkAppId(env::var("UNSAID_SDKAPPID")?.parse()?);
    let mut verifier = Verifier::with_tokens(sdkappid, [env::var("UNSAID_TOKEN")?])?;
    if let Ok(secret) = env::var("UNSAID_WEBHOOK_SECRET") {
        verifier = verifier.and_webhook_secrets([secret.as_str()])?;
    }
    let receiver = Arc::new(Receiver::new(verifier, Recent::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("callbacks of app {sdkappid} to http://{}/im", listener.local_addr()?);
    let app = axum::Router::new().route("/im", callbacks(receiver, handle));
    Ok(axum::serve(listener, app).await?)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the others are printed alike")]
async fn handle(callback: Callback) -> Answer {
    if let Some(missed) = &callback.missed {
        println!("missed in lane {}: {} to {}", missed.lane, missed.after + 1, missed.through);
    }
    match callback.event {
        Event::AfterMsgWithDraw(recall) => {
            println!("{} took back {} from {}", recall.from, recall.key, recall.to);
            Answer::accept()
        }
        Event::BeforeSendMsg(question) => {
            let says = |text: &str| question.message.body.iter().any(|element| element.content["Text"] == text);
            if says("spam") { Answer::refuse("spam is not delivered") } else { Answer::accept() }
        }
        told => {
            println!("{}", serde_json::to_string(&told).unwrap_or_default());
            Answer::accept()
        }
    }
}
