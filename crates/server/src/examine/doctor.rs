//! `unsaid doctor`: a deployment as it stands, from the clock to the endpoints.

use clap::Args;

use super::{Findings, Form, bus, configuration, database, disk, endpoints, running};
use crate::{
    clock::World,
    config::{Config, StoreSettings},
    operate::{API, ServerFlags},
    serve::ServeFlags,
};

#[derive(Debug, Args)]
pub struct DoctorFlags {
    #[command(flatten)]
    config: ServeFlags,
    #[command(flatten)]
    server: ServerFlags,
    /// Send no sample to the endpoints.
    #[arg(long)]
    no_samples: bool,
}

/// `unsaid doctor`: an error if there is a problem.
pub async fn doctor(flags: DoctorFlags) -> anyhow::Result<()> {
    let DoctorFlags { config, server, no_samples } = flags;
    let world = World::system()?;
    let mut findings = Findings::default();
    let (config, problems) = Config::examine(&config.sources());
    configuration::problems(&problems, &mut findings);
    let Some(config) = config else {
        return findings.end(Form::of(server.json));
    };
    let now = world.clock.now();
    configuration::tls(&config, now, &mut findings);
    let in_use = match &config.store {
        StoreSettings::Embedded => disk::store(&config, &mut findings),
        StoreSettings::Postgres(address) => database::store(address, &world.clock, &mut findings),
    };
    if let Some(bus) = &config.bus {
        bus::servers(bus, &mut findings).await;
    }
    disk::room(&config, &mut findings);
    match config.store {
        StoreSettings::Embedded => disk::fsync(&config, &world.clock, &mut findings),
        StoreSettings::Postgres(_) => {}
    }

    let form = Form::of(server.json);
    let server = server.server_or(&address(&config))?;
    let answers = running::answers(&server, in_use || server.has_token, &world.clock, &mut findings).await;
    running::descriptors(Some(&server).filter(|_| answers), &config, &mut findings).await;
    if no_samples {
        findings.ok("apps", "no endpoint is tried, as --no-samples says");
    } else if answers {
        endpoints::of_server(&server, now, &mut findings).await;
    } else {
        endpoints::of_configuration(&config, &world, &mut findings).await;
    }
    findings.end(form)
}

/// Where a server with this configuration has its operator API, as far as that needs no name.
fn address(config: &Config) -> String {
    match configuration::operator(config) {
        Some(address) if config.tls.is_none() && address.port() != 0 => format!("http://{address}"),
        Some(_) | None => API.to_owned(),
    }
}
