//! `unsaid listen`: a receiver for development. It shows each callback with its checks, answers it as a receiver should or as
//! badly as it is told to, and can be an app's endpoint for as long as it runs.
//!
//! The HTTP is the receiver of tests and demo (`unsaid-testkit`), the checks are those of `unsaid-receiver`. A callback goes
//! through `desk.rs`, which judges and answers it, and then to whoever shows it; the answer does not wait for that.

mod answers;
mod desk;
mod registration;
mod show;

use std::{
    io::{Write, stdout},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, ensure};
use clap::Args;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::{Authority, Receiver, ReceiverConfig, Recording, Script};

use self::{
    answers::AnswerFlags,
    desk::{Desk, Secrets, Taken},
    registration::{Registration, Wanted},
    show::Show,
};
use crate::operate::ServerFlags;

/// Connections at once; others wait to be accepted. A server opens no more for an app.
const CONNECTIONS_MAX: usize = 256;

/// Callbacks that wait to be shown. More than these are answered without being shown, and that is said.
const UNSHOWN_MAX: usize = 1024;

#[derive(Debug, Args)]
pub struct ListenFlags {
    /// Where it listens; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Speak plain HTTP. Else it is HTTPS, with a certificate that is made at each start.
    #[arg(long)]
    http: bool,
    /// By which name or address the server reaches it, where that is not the address of --listen.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Write the authority of its certificate to this file, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "http")]
    ca_out: Option<PathBuf>,
    /// Be this app's endpoint until it ends; then what was there before is put back. Needs a token of the operator API.
    #[arg(long, value_name = "SDKAPPID")]
    register: Option<u32>,
    /// The callbacks that --register switches on; all of them unless it is said.
    #[arg(long, value_name = "COMMAND", value_delimiter = ',', requires = "register")]
    commands: Vec<CallbackCommand>,
    /// Take only callbacks of this app.
    #[arg(long, value_name = "SDKAPPID", conflicts_with = "register")]
    app: Option<u32>,
    /// callback.token of the app, to check Sign with; better in the environment.
    #[arg(long, value_name = "TOKEN", env = "UNSAID_CALLBACK_TOKEN", hide_env_values = true)]
    callback_token: Option<String>,
    /// callback.webhook_secret of the app, to check webhook-signature with; better in the environment.
    #[arg(long, value_name = "SECRET", env = "UNSAID_CALLBACK_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    #[command(flatten)]
    answers: AnswerFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// What ends it in order, so that what was there before is put back.
struct Ends {
    signals: [Signal; 3],
}

/// Runs until SIGINT, SIGTERM, SIGHUP, or until nobody reads any more.
pub async fn run(flags: ListenFlags) -> anyhow::Result<()> {
    let mut ends = Ends::new()?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let secrets = Secrets { token: given(&flags.callback_token), webhook: given(&flags.webhook_secret) };
    let app = flags.register.or(flags.app);
    let mut show = Show::new(&flags.server, secrets.said(app));
    let (tell, mut told) = mpsc::channel(UNSHOWN_MAX);
    let desk = Desk::new(app, secrets.clone(), flags.answers.answers()?, tell)?;
    let authority = Authority::new();
    let mut receiver = start(&flags, &authority, Arc::new(desk)).await?;
    let url = url(&flags, receiver.address())?;
    let ca_pem = (!flags.http).then(|| authority.ca_pem());
    if let (Some(file), Some(pem)) = (&flags.ca_out, &ca_pem) {
        std::fs::write(file, pem).with_context(|| format!("--ca-out {} cannot be written", file.display()))?;
    }
    let mut registered = None;
    if let Some(app) = flags.register {
        let commands = if flags.commands.is_empty() { CallbackCommand::ALL.to_vec() } else { flags.commands.clone() };
        let wanted = Wanted { app, url: url.clone(), ca_pem, commands, secrets };
        registered = Some(Registration::begin(flags.server.server()?, &wanted).await?);
    }
    let begun = match &registered {
        Some(registration) => show.registered(&url, registration),
        None => show.begun(&url, (!flags.http && flags.ca_out.is_none()).then(|| authority.ca_pem())),
    };
    let shown = match begun {
        Ok(()) => show_until_the_end(&mut show, &mut told, &mut ends).await,
        Err(error) => Err(error),
    };
    // Whatever has ended it. What comes meanwhile is answered still.
    let put_back = match registered {
        Some(registration) => registration.end().await.map(Some),
        None => Ok(None),
    };
    receiver.stop().await;
    if let Some(said) = put_back? {
        let _ = writeln!(std::io::stderr(), "{said}");
    }
    // Nobody reads any more, and so nothing is wrong.
    shown.or_else(|error| if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.into()) })
}

async fn start(flags: &ListenFlags, authority: &Authority, desk: Arc<Desk>) -> anyhow::Result<Receiver> {
    let identity = (!flags.http).then(|| {
        let mut names = vec!["localhost"];
        let mut addresses = vec![flags.listen.ip()];
        match flags.host.as_deref().map(|host| (host, host.parse::<IpAddr>())) {
            None => {}
            Some((_, Ok(address))) => addresses.push(address),
            Some((name, Err(_))) => names.push(name),
        }
        authority.issue(&names, &addresses)
    });
    let config = ReceiverConfig {
        address: flags.listen,
        identity,
        recording: Recording::Off,
        script: Script::function(move |arrival, number| desk.take(arrival, number)),
        connections_max: CONNECTIONS_MAX,
        ..ReceiverConfig::default()
    };
    Ok(Receiver::start(config).await?)
}

/// An address and not a name, where none is given: so the server says at once whether its settings forbid it.
fn url(flags: &ListenFlags, bound: SocketAddr) -> anyhow::Result<String> {
    let scheme = if flags.http { "http" } else { "https" };
    let host = match &flags.host {
        Some(host) if host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) => format!("[{host}]"),
        Some(host) => host.clone(),
        None => {
            let ip = bound.ip();
            ensure!(!ip.is_unspecified(), "--listen {ip} is every address of this machine: say with --host which one");
            if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
        }
    };
    Ok(format!("{scheme}://{host}:{}/im", bound.port()))
}

async fn show_until_the_end(
    show: &mut Show,
    told: &mut mpsc::Receiver<Taken>,
    ends: &mut Ends,
) -> Result<(), std::io::Error> {
    loop {
        tokio::select! {
            Some(taken) = told.recv() => {
                stdout().write_all(show.taken(&taken).as_bytes())?;
                stdout().flush()?;
            }
            () = ends.any() => return Ok(()),
        }
    }
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self { signals: [interrupt?, terminate?, hangup?] })
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
