//! The apps that a configuration file declares.

use std::{collections::HashSet, path::Path};

use super::layers::{ConfigError, Layers, Place, Sources};
use crate::{
    apps::{App, AppError, DeclaredApp, Origin, Secret, Surroundings, is_secret},
    callback::EndpointRules,
};

/// All declared apps, with what they refer to read.
pub(super) fn declared(layers: &Layers, sources: &Sources, rules: &EndpointRules) -> Result<Vec<App>, ConfigError> {
    let place = &layers.apps_place;
    let mut apps = Vec::new();
    let mut seen = HashSet::new();
    for (number, value) in &layers.apps {
        let error = |setting: &str, problem: String| {
            let dot = if setting.is_empty() { "" } else { "." };
            ConfigError { place: place.to_string(), key: format!("apps[{number}]{dot}{setting}"), problem }
        };
        let declared: DeclaredApp = serde_path_to_error::deserialize(value.clone()).map_err(|problem| {
            let setting = problem.path().to_string();
            // What is wrong with a secret is said without showing it.
            let secret = is_secret(&setting);
            let message = problem.inner().message().trim().replace('\n', " ");
            error(setting.trim_matches('.'), if secret { "must be a string in quotes".to_owned() } else { message })
        })?;
        if !seen.insert(declared.sdkappid) {
            return Err(error("sdkappid", format!("{} is declared twice", declared.sdkappid)));
        }
        let wrong = |AppError { setting, problem }| error(setting, problem);
        let app = declared.into_app(Origin::File, &Around { place, sources }).map_err(wrong)?;
        rules.check(&app).map_err(wrong)?;
        apps.push(app);
    }
    Ok(apps)
}

/// Files are relative to the folder of the configuration file; secrets may stand in the environment.
struct Around<'a> {
    place: &'a Place,
    sources: &'a Sources,
}

fn variable(sdkappid: u32, setting: &str) -> String {
    format!("UNSAID_APP_{sdkappid}_{}", setting.to_uppercase().replace('.', "_"))
}

impl Surroundings for Around<'_> {
    fn read(&self, setting: &'static str, file: &Path) -> Result<String, AppError> {
        let folder = match self.place {
            Place::File(file) => file.parent().unwrap_or(Path::new("")),
            Place::Default | Place::Environment(_) | Place::Flag => Path::new(""),
        };
        let path = folder.join(file);
        std::fs::read_to_string(&path)
            .map_err(|error| AppError { setting, problem: format!("{} cannot be read: {error}", path.display()) })
    }

    fn secret(&self, sdkappid: u32, setting: &'static str) -> Option<String> {
        self.sources.environment.get(&variable(sdkappid, setting)).cloned()
    }

    fn missing_key(&self, sdkappid: u32) -> Result<Secret, AppError> {
        let variable = variable(sdkappid, "secret_key");
        let problem = format!("is missing: set it, or secret_key_file, or {variable} in the environment");
        Err(AppError { setting: "secret_key", problem })
    }
}
