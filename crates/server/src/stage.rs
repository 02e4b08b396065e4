//! A server without sockets, files and endpoints, on the reference model: from the bytes of a request to those of its answer,
//! all is as it runs.

use std::{cell::OnceCell, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode},
};
use http_body_util::{BodyExt, Limited};
use tokio::{runtime::Runtime, sync::Mutex};
use tower_service::Service;
use unsaid_protocol::{
    SdkAppId,
    usersig::{Order, make},
};

use crate::{
    apps::{App, Apps, Origin, Secret},
    backups::{Backups, Copies},
    bus::Bus,
    callback::{Callbacks, CallbacksParts, Connector},
    chat::{Chat, Devices, Store},
    clock::{Clock, Entropy, Timestamp, World},
    config::{Config, Sources},
    fanout::Fanout,
    gateway::{Gateway, GatewayParts},
    identity::Identities,
    metrics::Metrics,
    operator::{self, Operator, OperatorParts, Tokens},
    reload::{LiveSettings, Reload, ReloadParts},
    rest::{self, Rest, RestParts},
    store::{self, memory::Memory},
    story::{Stories, StorySettings},
};

pub(crate) const APP: SdkAppId = SdkAppId(1_400_000_001);
pub(crate) const ADMIN: &str = "administrator";
/// Of the app. What is kept was signed with it.
pub(crate) const KEY: &str = "a key that only fuzzing uses";
/// Of the operator.
const TOKEN: &str = "a token that only fuzzing uses";
/// When everything happens.
const NOW: Timestamp = Timestamp(1_764_500_000_000);

/// What is costly to make and the same for each input.
pub(crate) struct Lasting {
    pub(crate) runtime: Runtime,
    config: Config,
    live: LiveSettings,
    connector: Arc<Connector>,
    identities: Arc<Identities>,
    metrics: Metrics,
    stories: Stories,
    /// Of the admin.
    usersig: Arc<str>,
}

/// A server for one input.
pub(crate) struct Stage {
    pub(crate) chat: Chat,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) rest: Router,
    usersig: Arc<str>,
    operator: Arc<Operator>,
    /// Its many routes are made where they are needed.
    operator_router: OnceCell<Router>,
}

/// One that holds for the admin, or for an account.
pub(crate) fn usersig(identifier: &str) -> String {
    let time_s = u64::from(NOW.seconds());
    make(KEY, Order { sdkappid: APP, identifier, time_s, expire_s: 86_400, userbuf: None })
}

impl Lasting {
    pub(crate) fn new() -> Self {
        let config = Config::load(&Sources::default()).expect("the default file is a configuration");
        let live = LiveSettings::new(&config).expect("it names no certificate");
        let connector = Arc::new(Connector::new(live.rules.clone()));
        let settings = StorySettings { keep: std::time::Duration::ZERO, ..config.stories };
        let stories = Stories::open(&config.data_dir, settings, Clock::standing_at(NOW));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let identities = Arc::new(Identities::default());
        let usersig = usersig(ADMIN).into();
        Self { runtime, config, live, connector, identities, metrics: Metrics::new(), stories, usersig }
    }

    /// A new server with one app, three accounts and what they said to each other.
    pub(crate) fn stage(&self) -> Stage {
        let world = World { clock: Clock::standing_at(NOW), entropy: Entropy::seeded([7; 32]) };
        let fanout = Fanout::new(Bus::none());
        let devices: Arc<dyn Devices> = Arc::clone(&fanout) as Arc<dyn Devices>;
        let (hint_sender, _) = store::hints(Arc::clone(&devices));
        let store: Arc<dyn Store> = Arc::new(Memory::new(world.clock.clone(), world.entropy.clone(), hint_sender));
        let apps = Arc::new(Apps::default());
        let callbacks = Callbacks::new(
            CallbacksParts {
                apps: Arc::clone(&apps),
                connector: Arc::clone(&self.connector),
                stories: self.stories.clone(),
                metrics: self.metrics.callbacks.clone(),
                world: world.clone(),
                leases: None,
            },
            store.epoch(),
        );
        let before = Arc::new(callbacks.clone());
        let chat = Chat::new(Arc::clone(&store), Arc::clone(&apps), before, devices, world.clock.clone());
        let gateway = Gateway::new(GatewayParts {
            apps: Arc::clone(&apps),
            chat: chat.clone(),
            identities: Arc::clone(&self.identities),
            fanout,
            world: world.clone(),
            trusted_proxies: self.live.trusted_proxies.clone(),
            metrics: self.metrics.gateway.clone(),
        });
        let operator = self.operator(&apps, &chat, &callbacks, &store, &world);
        let rest = rest::router(Rest::new(RestParts {
            apps,
            chat: chat.clone(),
            callbacks,
            identities: Arc::clone(&self.identities),
            world,
            settings: self.live.rest.clone(),
            trusted_proxies: self.live.trusted_proxies.clone(),
            metrics: self.metrics.rest.clone(),
        }));
        let usersig = Arc::clone(&self.usersig);
        let stage = Stage { chat, gateway, rest, usersig, operator, operator_router: OnceCell::new() };
        self.runtime.block_on(stage.furnish());
        stage
    }

    fn operator(
        &self,
        apps: &Arc<Apps>,
        chat: &Chat,
        callbacks: &Callbacks,
        store: &Arc<dyn Store>,
        world: &World,
    ) -> Arc<Operator> {
        let (folder, clock) = (&self.config.data_dir, world.clock.clone());
        let backups = Arc::new(Backups::new(folder, Arc::clone(store), Copies::OfPostgres, clock, 0));
        let parts = ReloadParts {
            live: self.live.clone(),
            apps: Arc::clone(apps),
            chat: chat.clone(),
            store: Arc::clone(store),
            making: Arc::new(Mutex::new(())),
        };
        let reload = Reload::new(&self.config, parts);
        Operator::new(OperatorParts {
            apps: Arc::clone(apps),
            chat: chat.clone(),
            rules: self.live.rules.clone(),
            callbacks: callbacks.clone(),
            stories: self.stories.clone(),
            world: world.clone(),
            tokens: Arc::new(Tokens::new(Vec::new(), Some(Secret::new(TOKEN)))),
            show_text: self.live.show_text.clone(),
            wrong_tokens_per_min: 0,
            trusted_proxies: self.live.trusted_proxies.clone(),
            backups,
            making: reload.making(),
            reload,
        })
    }
}

impl Stage {
    async fn furnish(&self) {
        let app = App::new(APP, Secret::new(KEY), Origin::Runtime);
        self.chat.save_app(app).await.expect("it is a new app");
        for (command, body) in [
            ("im_open_login_svc/multiaccount_import", r#"{"Accounts":["mira","tomas","yuki"]}"#),
            (
                "openim/sendmsg",
                r#"{"From_Account":"mira","To_Account":"tomas","MsgSeq":1,"MsgRandom":1001,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]}"#,
            ),
        ] {
            let (status, answer) = self.rest(command, body.as_bytes()).await.expect("it is a path");
            assert!(status == StatusCode::OK && answer.contains(r#""ErrorCode":0"#), "{command}: {answer}");
        }
    }

    /// What a command of the admin is answered; none where it is not even a path.
    pub(crate) async fn rest(&self, command: &str, body: &[u8]) -> Option<(StatusCode, String)> {
        let path = format!("/v4/{command}?sdkappid={APP}&identifier={ADMIN}&usersig={}", self.usersig);
        let request = Request::post(path).body(Body::from(body.to_vec())).ok()?;
        Some(answer(&self.rest, request).await)
    }

    /// What an operator is answered; none where it is no request.
    pub(crate) async fn operator(&self, method: &str, path: &str, body: &[u8]) -> Option<(StatusCode, String)> {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let router = self.operator_router.get_or_init(|| operator::router(Arc::clone(&self.operator)));
        Some(answer(router, request.body(Body::from(body.to_vec())).ok()?).await)
    }
}

/// Far more than any answer here.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a request is answered: its status, and its body, which is always text.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let Ok(response): Result<Response<Body>, _> = router.clone().call(request).await;
    let status = response.status();
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound")]
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.expect("it is not that long");
    (status, String::from_utf8(body.to_bytes().to_vec()).expect("answers are text"))
}
