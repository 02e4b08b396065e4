//! The configuration: the default file that is built in, a file over it, the environment over that, flags on top.
//!
//! The default file is the schema: a key that does not stand in it is unknown, and a value has the type that it has
//! there. What is wrong stops the start, naming where it stands, which key it is and what was expected.

mod apps;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod layers;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;

use self::layers::Layers;
pub(crate) use self::layers::wrong_toml;
pub use self::layers::{ConfigError, Settings, Sources};
use crate::{
    apps::{App, Secret},
    bus::{self, BusSettings},
    callback::{AlarmSettings, EndpointRules, check_alarm_url},
    limits,
    listener::ListenerLimits,
    rest::{RateSettings, RestSettings},
    store::postgres::{AddressError, PostgresAddress},
    story::StorySettings,
    telemetry::check_log,
};

/// The default file.
pub const DEFAULT_TOML: &str = include_str!("../../../../unsaid.default.toml");

/// A message with its fields and, in JSON, twice its bytes for what is escaped.
const REQUEST_BYTES_LEAST: u64 = 2 * limits::MESSAGE_BYTES_MAX as u64;

/// Everything that a server is set up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it was read from, to be read again.
    pub sources: Sources,
    /// Every setting as it was written, to be compared.
    pub settings: Settings,
    pub listen: SocketAddr,
    pub listen_plain: Option<SocketAddr>,
    /// Where the store is.
    pub store: StoreSettings,
    pub data_dir: PathBuf,
    /// How other servers that share the store are talked to.
    pub bus: Option<BusSettings>,
    /// With less room in `data_dir` the server is not ready.
    pub disk_free_min_bytes: u64,
    pub log: String,
    pub log_format: LogFormat,
    pub tls: Option<TlsFiles>,
    pub listener: ListenerLimits,
    pub rest: RestSettings,
    /// Networks whose `X-Forwarded-For` is believed (rule R7).
    pub trusted_proxies: Vec<IpNet>,
    /// How long sessions of before a start have to come back.
    pub session_return: Duration,
    pub callback: EndpointRules,
    pub alarm: AlarmSettings,
    pub stories: StorySettings,
    pub operator: OperatorSettings,
    /// The apps that are declared.
    pub apps: Vec<App>,
}

#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// In `data_dir`.
    Embedded,
    Postgres(Box<PostgresAddress>),
}

impl fmt::Display for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("in data_dir"),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

/// The operator API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorSettings {
    /// An address of its own; without one it shares `listen`, if that is loopback.
    pub listen: Option<SocketAddr>,
    /// A token that is valid as long as it stands here; others are in the store.
    pub token: Option<Secret>,
    /// Whether operators may be shown what messages say.
    pub show_text: bool,
    /// Wrong tokens from one address; then nothing from there is looked at until the minute is over. 0 is no bound.
    pub wrong_tokens_per_min: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Config {
    /// Reads all layers and checks what must hold between their values.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::of(&Layers::read(DEFAULT_TOML, sources)?, sources)
    }

    /// Reads them like [`Config::load`], but goes on behind what is wrong, with the default in its place: what is wrong, of each
    /// app the first thing, and a configuration of all the rest.
    pub fn examine(sources: &Sources) -> (Option<Self>, Vec<ConfigError>) {
        let (mut layers, mut problems) = Layers::read_all(DEFAULT_TOML, sources);
        loop {
            let error = match Self::of(&layers, sources) {
                Ok(config) => return (Some(config), problems),
                Err(error) => error,
            };
            let gone_on = layers.forget(&error.key);
            if !problems.contains(&error) {
                problems.push(error);
            }
            if !gone_on {
                return (None, problems);
            }
        }
    }

    fn of(layers: &Layers, sources: &Sources) -> Result<Self, ConfigError> {
        let callback = EndpointRules {
            allow_http: layers.boolean("callback.allow_http"),
            allow_networks: networks(layers, "callback.allow_networks")?,
        };
        let config = Self {
            sources: sources.clone(),
            settings: layers.settings(),
            listen: layers.parsed("listen", "an address and port, like 127.0.0.1:8080")?,
            listen_plain: optional(layers, "listen_plain", "an address and port, like 127.0.0.1:8080")?,
            store: store(layers)?,
            data_dir: path(layers, "data_dir")?.ok_or_else(|| layers.error("data_dir", "must name a folder"))?,
            bus: bus(layers)?,
            disk_free_min_bytes: layers.integer("limits.disk_free_min_mb", 0, 1_000_000)? * 1_000_000,
            log: log(layers)?,
            log_format: log_format(layers)?,
            tls: tls(layers)?,
            listener: ListenerLimits {
                connections_max: layers.integer("limits.connections_max", 1, 1_000_000)? as usize,
                header_timeout: seconds(layers, "limits.header_timeout_s")?,
                tls_timeout: seconds(layers, "limits.tls_timeout_s")?,
                write_timeout: seconds(layers, "limits.write_timeout_s")?,
                stop_grace: seconds(layers, "limits.stop_grace_s")?,
            },
            session_return: seconds(layers, "limits.session_return_s")?,
            rest: RestSettings {
                request_bytes_max: layers.integer("limits.request_bytes_max", REQUEST_BYTES_LEAST, 16 * 1024 * 1024)?
                    as usize,
                body_timeout: seconds(layers, "limits.body_timeout_s")?,
                egress_addresses: networks(layers, "callback.egress_addresses")?,
                rates: RateSettings {
                    commands_per_s: layers.integer("rates.commands_per_s", 0, 1_000_000)? as u32,
                    recipients_per_min: layers.integer("rates.batch_recipients_per_min", 0, 1_000_000_000)? as u32,
                },
            },
            trusted_proxies: networks(layers, "proxy.trusted")?,
            alarm: alarm(layers, &callback)?,
            stories: StorySettings {
                keep: Duration::from_secs(layers.integer("stories.keep_days", 0, 365)? * 86_400),
                records_max: layers.integer("stories.records_max", 1000, 1_000_000_000)?,
            },
            operator: operator(layers)?,
            apps: apps::declared(layers, sources, &callback)?,
            callback,
        };
        config.check(layers)?;
        Ok(config)
    }

    fn check(&self, layers: &Layers) -> Result<(), ConfigError> {
        self.check_bus(layers)?;
        self.check_operator(layers)?;
        self.check_plain(layers)
    }

    fn check_bus(&self, layers: &Layers) -> Result<(), ConfigError> {
        match &self.store {
            StoreSettings::Embedded if self.bus.is_some() => {
                let problem = "must be empty where store is: one server that owns its store has nobody to talk to. Set store to a \
                               database that servers share";
                Err(layers.error("bus", problem))
            }
            StoreSettings::Embedded | StoreSettings::Postgres(_) => Ok(()),
        }
    }

    /// Tokens must not cross a network in clear, and one that is set must have an address where it can be used.
    fn check_operator(&self, layers: &Layers) -> Result<(), ConfigError> {
        match self.operator.listen {
            None if self.operator.token.is_some() && !self.listen.ip().is_loopback() => {
                Err(layers.error("operator.listen", "must be set where listen is no loopback address"))
            }
            Some(address) if !address.ip().is_loopback() && self.tls.is_none() => {
                Err(layers.error("operator.listen", "must be a loopback address without [tls]"))
            }
            None | Some(_) => Ok(()),
        }
    }

    fn check_plain(&self, layers: &Layers) -> Result<(), ConfigError> {
        let Some(plain) = self.listen_plain else {
            return Ok(());
        };
        if self.tls.is_none() {
            return Err(layers.error("listen_plain", "needs [tls]: without it, listen is plain already"));
        }
        if !plain.ip().is_loopback() {
            return Err(layers.error("listen_plain", "must be a loopback address: what goes there is not encrypted"));
        }
        Ok(())
    }
}

fn bus(layers: &Layers) -> Result<Option<BusSettings>, ConfigError> {
    let (ca_file, (key, text)) = (path(layers, "bus_ca_file")?, secret(layers, "bus", "bus_file")?);
    if text.is_empty() {
        return match ca_file {
            Some(_) => Err(layers.error("bus", "must be set where bus_ca_file is")),
            None => Ok(None),
        };
    }
    let servers = bus::servers(&text).map_err(|problem| layers.error(key, problem))?;
    let read = |file: PathBuf| {
        let pem =
            std::fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        bus::check_authority(&pem).map_err(|problem| format!("{} {problem}", file.display()))?;
        Ok(pem)
    };
    let ca_pem = ca_file.map(read).transpose().map_err(|problem: String| layers.error("bus_ca_file", problem))?;
    Ok(Some(BusSettings { servers, ca_pem }))
}

fn log(layers: &Layers) -> Result<String, ConfigError> {
    let log = layers.text("log");
    check_log(log).map_err(|problem| layers.error("log", problem))?;
    Ok(log.to_owned())
}

fn log_format(layers: &Layers) -> Result<LogFormat, ConfigError> {
    match layers.text("log_format") {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(layers.error("log_format", "must be \"text\" or \"json\"")),
    }
}

fn store(layers: &Layers) -> Result<StoreSettings, ConfigError> {
    let (key, text) = secret(layers, "store", "store_file")?;
    if ["", "sqlite"].contains(&text.as_str()) {
        return Ok(StoreSettings::Embedded);
    }
    let address = text.parse().map_err(|error: AddressError| layers.error(key, error.to_string()))?;
    Ok(StoreSettings::Postgres(Box::new(address)))
}

/// A secret that stands in the configuration, or in a file of its own, which goes first; with the key that it came from.
fn secret<'a>(layers: &Layers, key: &'a str, file_key: &'a str) -> Result<(&'a str, String), ConfigError> {
    let Some(file) = path(layers, file_key)? else {
        return Ok((key, layers.text(key).to_owned()));
    };
    let read = std::fs::read_to_string(&file);
    let text = read.map_err(|error| layers.error(file_key, format!("{} cannot be read: {error}", file.display())))?;
    Ok((file_key, text.trim().to_owned()))
}

fn operator(layers: &Layers) -> Result<OperatorSettings, ConfigError> {
    let listen = optional(layers, "operator.listen", "an address and port, like 127.0.0.1:8081")?;
    let (_, token) = secret(layers, "operator.token", "operator.token_file")?;
    if !token.is_empty() && token.len() < limits::SECRET_KEY_BYTES_MIN {
        let least = limits::SECRET_KEY_BYTES_MIN;
        return Err(layers.error("operator.token", format!("is too short to be secret: at least {least} characters")));
    }
    let token = (!token.is_empty()).then(|| Secret::new(token));
    Ok(OperatorSettings {
        listen,
        token,
        show_text: layers.boolean("operator.show_text"),
        wrong_tokens_per_min: layers.integer("operator.wrong_tokens_per_min", 0, 1_000_000)? as u32,
    })
}

fn alarm(layers: &Layers, rules: &EndpointRules) -> Result<AlarmSettings, ConfigError> {
    let url = layers.text("alarm.url");
    if !url.is_empty() {
        check_alarm_url(url, rules).map_err(|problem| layers.error("alarm.url", problem))?;
    }
    let lag_max = Duration::from_secs(layers.integer("alarm.lag_s", 1, 30 * 86_400)?);
    Ok(AlarmSettings { url: (!url.is_empty()).then(|| url.to_owned()), lag_max })
}

fn tls(layers: &Layers) -> Result<Option<TlsFiles>, ConfigError> {
    match (path(layers, "tls.cert_file")?, path(layers, "tls.key_file")?) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (Some(_), None) => Err(layers.error("tls.key_file", "must be set where tls.cert_file is")),
        (None, Some(_)) => Err(layers.error("tls.cert_file", "must be set where tls.key_file is")),
    }
}

/// A path; relative to the folder of the file where it stands.
fn path(layers: &Layers, key: &str) -> Result<Option<PathBuf>, ConfigError> {
    let text = layers.text(key);
    Ok((!text.is_empty()).then(|| layers.folder(key).unwrap_or(Path::new("")).join(text)))
}

fn optional<T: FromStr>(layers: &Layers, key: &str, expected: &str) -> Result<Option<T>, ConfigError> {
    if layers.text(key).is_empty() { Ok(None) } else { layers.parsed(key, expected).map(Some) }
}

fn seconds(layers: &Layers, key: &str) -> Result<Duration, ConfigError> {
    layers.integer(key, 1, 3600).map(Duration::from_secs)
}

fn networks(layers: &Layers, key: &str) -> Result<Vec<IpNet>, ConfigError> {
    let parse = |text: &str| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| layers.error(key, format!("{text:?} is no network: write it like 10.0.0.0/8")))
    };
    layers.texts(key)?.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("unsaid.toml");
        std::fs::write(&path, file).expect("writable");
        let sources = Sources {
            file: Some(path),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            set: set.iter().map(|&set| set.to_owned()).collect(),
        };
        Config::load(&sources).map_err(|error| error.to_string())
    }

    const APP: &str = "[[apps]]\nsdkappid = 1\nsecret_key = \"0123456789abcdef\"\n";

    #[test]
    fn the_default_file_alone_is_a_configuration() {
        let config = Config::load(&Sources::default()).expect("valid");
        assert_eq!(config.listen, "127.0.0.1:8080".parse().expect("valid"));
        assert!(config.apps.is_empty() && !config.callback.allow_http);
    }

    #[test]
    fn layers_lie_over_each_other() {
        let file =
            "listen = \"127.0.0.1:1\"\n[limits]\nbody_timeout_s = 3\n[callback]\nallow_networks = [\"127.0.0.0/8\"]";
        let config = load(file, &[("UNSAID_LISTEN", "127.0.0.1:2")], &["listen=127.0.0.1:3"]).expect("valid");
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.rest.body_timeout, Duration::from_secs(3));
        assert_eq!(config.callback.allow_networks.len(), 1);
        let config = load(file, &[("UNSAID_LISTEN", "127.0.0.1:2"), ("UNSAID_CALLBACK__ALLOW_HTTP", "true")], &[]);
        let config = config.expect("valid");
        assert_eq!(config.listen.port(), 2);
        assert!(config.callback.allow_http);
    }

    #[test]
    fn what_is_wrong_names_file_key_and_what_was_expected() {
        let app = |more: &str| format!("{APP}{more}");
        for (file, expected) in [
            ("lisen = \"127.0.0.1:1\"", vec!["unsaid.toml", "lisen", "unknown key", "listen"]),
            ("[callback]\nallow_htp = true", vec!["callback.allow_htp", "callback.allow_http"]),
            ("[nothing]\nx = 1", vec!["nothing", "unknown key"]),
            ("listen = 8080", vec!["unsaid.toml", "listen", "a string"]),
            ("log = \"unsaid=loud\"", vec!["unsaid.toml", "log", "info,unsaid=debug"]),
            ("listen = \"nowhere\"", vec!["unsaid.toml", "listen", "127.0.0.1:8080"]),
            ("[tls]\ncert_file = \"a.pem\"", vec!["tls.key_file", "tls.cert_file"]),
            ("[limits]\nconnections_max = 0", vec!["limits.connections_max", "from 1 to"]),
            ("[limits]\nrequest_bytes_max = 2000", vec!["limits.request_bytes_max", "from 16384"]),
            ("[calback]", vec!["calback", "unknown key"]),
            ("listen = \"0.0.0.0:1\"\n[operator]\ntoken = \"0123456789abcdef\"", vec!["operator.listen", "loopback"]),
            ("[operator]\nlisten = \"0.0.0.0:1\"\ntoken = \"0123456789abcdef\"", vec!["operator.listen", "[tls]"]),
            (&app("[apps.callback]\nurl = \"http://x\""), vec!["unsaid.toml", "apps[0].callback.url", "allow_http"]),
            (&app("[apps.callback]\nurl = \"https://127.0.0.1\""), vec!["apps[0].callback.url", "allow_networks"]),
            ("listen_plain = \"127.0.0.1:1\"", vec!["listen_plain", "[tls]"]),
            ("store = \"mysql://ann:s3cret@host/db\"", vec!["unsaid.toml", "store", "postgres://", "%40"]),
            ("store = \"postgres://ann:s3cret@host/db?ssl=yes\"", vec!["unsaid.toml", "store", "option"]),
            ("store_file = \"none\"", vec!["unsaid.toml", "store_file", "none cannot be read"]),
            ("bus = \"http://nats\"", vec!["unsaid.toml", "bus", "nats://10.0.0.5:4222"]),
            ("bus = \"nats://nats\"", vec!["unsaid.toml", "bus", "nobody to talk to", "Set store"]),
            ("bus_ca_file = \"ca.pem\"", vec!["bus", "must be set"]),
            ("bus = \"tls://nats\"\nbus_ca_file = \"none.pem\"", vec!["bus_ca_file", "none.pem", "cannot be read"]),
            ("bus = \"tls://nats\"\nbus_ca_file = \"unsaid.toml\"", vec!["bus_ca_file", "no certificate"]),
            ("[operator]\ntoken = \"short\"", vec!["operator.token", "too short"]),
            ("[callback]\nallow_networks = [\"all\"]", vec!["callback.allow_networks", "10.0.0.0/8"]),
            ("[callback]\negress_addresses = [\"here\"]", vec!["callback.egress_addresses", "10.0.0.0/8"]),
            ("listen = ", vec!["unsaid.toml", "line 1"]),
            ("[[apps]]\nsdkappid = 1", vec!["unsaid.toml", "apps[0].secret_key", "UNSAID_APP_1_SECRET_KEY"]),
            (&app("key = 1"), vec!["apps[0]", "key", "unknown field"]),
            ("[[apps]]\nsdkappid = 1\nsecret_key = 12345", vec!["apps[0].secret_key", "must be a string"]),
            (&app("admins = [\"\"]"), vec!["apps[0]", "admins"]),
            (&app("[apps.callback]\ncommands = [\"C2C.Nothing\"]"), vec!["apps[0]", "C2C.Nothing"]),
            (
                &app("[apps.callback]\ncommands = [\"C2C.CallbackAfterMsgWithDraw\"]"),
                vec!["apps[0].callback.commands", "url"],
            ),
            (&app("[apps.callback]\nurl = \"https://x\"\nca_file = \"none.pem\""), vec!["ca_file", "none.pem"]),
            (&app("[apps.callback]\ntoken = \"t\""), vec!["apps[0].callback.url", "must be set"]),
            (&app(APP), vec!["apps[1].sdkappid", "twice"]),
        ] {
            let error = load(file, &[], &[]).expect_err(file);
            for part in expected {
                assert!(error.contains(part), "{part:?} is not in: {error}");
            }
            assert!(!error.contains("s3cret"), "a secret is not shown: {error}");
        }
        let error = load("[[apps]]\nsdkappid = 1\nsecret_key = 12345", &[], &[]).expect_err("no text");
        assert!(!error.contains("12345"), "a secret is not shown: {error}");
        for key in ["token", "previous_token", "webhook_secret", "previous_webhook_secret", "client_key_pem"] {
            let file = app(&format!("[apps.callback]\nurl = \"https://x\"\n{key} = 424242"));
            let error = load(&file, &[], &[]).expect_err("no text");
            assert!(error.contains(key) && !error.contains("424242"), "a secret is not shown: {error}");
        }
        let error = load("bus = \"nats://me:424242@no host\"", &[], &[]).expect_err("no address");
        assert!(!error.contains("424242"), "a secret is not shown: {error}");
        let error = load("", &[], &["nothing=1"]).expect_err("unknown");
        assert!(error.contains("--set") && error.contains("nothing"), "{error}");
        let error = load("", &[("UNSAID_LIMITS__BODY_TIMEOUT_S", "soon")], &[]).expect_err("no number");
        assert!(error.contains("UNSAID_LIMITS__BODY_TIMEOUT_S"), "{error}");
    }

    #[test]
    fn everything_that_is_wrong_is_found_at_once() {
        let file = "lisen = 1\nlog_format = \"xml\"\n[limits]\nbody_timeout_s = 0\n[tls]\ncert_file = \"a.pem\"\n\
                    [[apps]]\nsdkappid = 1\n[[apps]]\nsdkappid = 2\nsecret_key = \"0123456789abcdef\"\n\
                    [[apps]]\nsdkappid = 2\nsecret_key = \"0123456789abcdef\"\n";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("unsaid.toml");
        std::fs::write(&path, file).expect("writable");
        let set = vec!["nothing=1".to_owned()];
        let (config, problems) = Config::examine(&Sources { file: Some(path), set, ..Sources::default() });
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = [
            "lisen",
            "nothing",
            "log_format",
            "tls.key_file",
            "limits.body_timeout_s",
            "apps[0].secret_key",
            "apps[2].sdkappid",
        ];
        assert_eq!(keys, expected);
        assert_eq!(config.expect("the rest holds").apps.len(), 1);
        let (config, problems) = Config::examine(&Sources::default());
        assert!(config.is_some() && problems.is_empty());
    }

    #[test]
    fn secrets_come_from_a_file_or_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "a secret of a file\n").expect("writable");
        let file = format!("[[apps]]\nsdkappid = 1\nsecret_key_file = {secret:?}\n");
        let key = |config: Config| config.apps[0].keys[0].secret.expose().to_owned();
        assert_eq!(key(load(&file, &[], &[]).expect("valid")), "a secret of a file");
        let environment = [("UNSAID_APP_1_SECRET_KEY", "a secret of the environment")];
        assert_eq!(key(load(&file, &environment, &[]).expect("valid")), "a secret of the environment");

        let address = folder.path().join("address");
        std::fs::write(&address, "postgres://ann:s3cret@db.example/unsaid\n").expect("writable");
        let file = format!("store_file = {address:?}\n");
        for (file, environment) in [
            (file.as_str(), &[][..]),
            ("", &[("UNSAID_STORE", "postgresql://ann:s3cret@db.example/unsaid")][..]),
            ("store = \"postgres://ann:s3cret@db.example/unsaid\"", &[]),
        ] {
            let config = load(file, environment, &[]).expect("valid");
            let StoreSettings::Postgres(address) = &config.store else { panic!("{file}: {:?}", config.store) };
            assert_eq!(address.to_string(), "PostgreSQL, database unsaid at db.example:5432");
            assert!(!format!("{config:?}").contains("s3cret"));
        }
    }
}
