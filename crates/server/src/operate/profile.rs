//! Profiles: servers by name, with what is needed to ask them, in a file of the person who asks.
//!
//! A token of a profile goes to the server of that profile alone.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::{config::wrong_toml, spelling::nearest};

/// The profile that is taken where none is named.
const DEFAULT: &str = "default";

/// A server, and the right to ask it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) api: Option<String>,
    pub(super) token: Option<String>,
    /// Relative to the folder of the file.
    token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
}

impl Profile {
    /// The profile of that name; without a name the one that is called default, if there is one.
    pub(super) fn load(name: Option<&str>) -> anyhow::Result<Self> {
        let file = file();
        match (file, name) {
            (Some(file), _) if file.exists() => Self::read(&file, name),
            (Some(file), Some(name)) => bail!("there is no profile {name:?}, for there is no file {}", file.display()),
            (None, Some(_)) => bail!("neither XDG_CONFIG_HOME nor HOME is set, so there are no profiles"),
            (_, None) => Ok(Self::default()),
        }
    }

    fn read(file: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let profiles: Result<BTreeMap<String, Self>, toml::de::Error> = toml::from_str(&text);
        // The error shows the line, which may hold a token: what is wrong is said without it.
        let mut profiles =
            profiles.map_err(|error| anyhow::anyhow!("{}, {}", file.display(), wrong_toml(&text, &error)))?;
        if profiles.values().any(|profile| profile.token.is_some()) {
            for_nobody_else(file)?;
        }
        let Some(mut profile) = profiles.remove(name.unwrap_or(DEFAULT)) else {
            let Some(name) = name else {
                return Ok(Self::default());
            };
            let meant = nearest(name, profiles.keys()).map_or_else(String::new, |meant| format!("; is {meant} meant?"));
            bail!("{} has no profile {name:?}{meant}", file.display());
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        profile.ca_file = profile.ca_file.map(|path| folder.join(path));
        if let Some(token_file) = profile.token_file.take() {
            ensure!(profile.token.is_none(), "{}: give token or token_file, not both", file.display());
            let token_file = folder.join(token_file);
            for_nobody_else(&token_file)?;
            let token = fs::read_to_string(&token_file);
            let token = token.with_context(|| format!("token_file {} cannot be read", token_file.display()))?;
            profile.token = Some(token.trim().to_owned());
        }
        Ok(profile)
    }
}

/// Refuses a file with a token that other users of this machine can read.
fn for_nobody_else(file: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(file).with_context(|| format!("{} cannot be looked at", file.display()))?;
    let path = file.display();
    ensure!(
        metadata.permissions().mode() & 0o077 == 0,
        "{path} holds a token, and others can read it: chmod 600 {path}"
    );
    Ok(())
}

/// `$XDG_CONFIG_HOME/unsaid/profiles.toml`, or the same in `~/.config`.
fn file() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("unsaid/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn read(text: &str, mode: u32, name: Option<&str>) -> Result<Profile, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("profiles.toml");
        fs::write(&file, text).expect("writable");
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("it is ours");
        let token = folder.path().join("token");
        fs::write(&token, "of a file\n").expect("writable");
        fs::set_permissions(&token, Permissions::from_mode(mode)).expect("it is ours");
        Profile::read(&file, name).map_err(|error| format!("{error:#}"))
    }

    const TWO: &str =
        "[default]\napi = \"http://a:1\"\n[staging]\napi = \"https://b\"\ntoken = \"t\"\nca_file = \"c\"\n";

    #[test]
    fn a_profile_is_found_by_its_name() {
        let default = read(TWO, 0o600, None).expect("there is one");
        assert_eq!((default.api.as_deref(), default.token.as_deref()), (Some("http://a:1"), None));
        let staging = read(TWO, 0o600, Some("staging")).expect("there is one");
        assert_eq!((staging.api.as_deref(), staging.token.as_deref()), (Some("https://b"), Some("t")));
        assert!(staging.ca_file.is_some_and(|path| path.is_absolute()), "relative to the folder of the file");
        let error = read(TWO, 0o600, Some("stagin")).err().expect("unknown");
        assert!(error.contains("is staging meant?"), "{error}");
        assert!(read("", 0o600, None).expect("nothing is needed").api.is_none());
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o644] {
            let error = read(TWO, mode, None).err().expect("refused");
            assert!(error.contains("chmod 600"), "{error}");
        }
        assert!(read("[default]\napi = \"http://a:1\"", 0o644, None).is_ok(), "there is no secret in it");
        let file = "[default]\ntoken_file = \"token\"";
        assert_eq!(read(file, 0o600, None).expect("readable").token.as_deref(), Some("of a file"));
        assert!(read(file, 0o644, None).err().expect("refused").contains("chmod 600"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_token() {
        let error = read("[default]\ntoken = s3cret", 0o600, None).err().expect("no TOML");
        assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
        let error = read("[default]\ntokn = \"s3cret\"", 0o600, None).err().expect("unknown");
        assert!(error.contains("tokn") && !error.contains("s3cret"), "{error}");
    }
}
