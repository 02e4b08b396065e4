//! The layers of a configuration, and where each value comes from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use toml::{Table, Value};

use crate::spelling::nearest;

/// What a configuration is read from, besides the default file.
#[derive(Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// The environment variables whose names begin with `UNSAID_`.
    pub environment: BTreeMap<String, String>,
    /// `key=value`, as flags give them.
    pub set: Vec<String>,
}

/// Values of the environment may be secret.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Settings as they were written. Some are secret, so they are compared and never shown.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// The names of those that are written otherwise in `other`.
    pub fn differing_from(&self, other: &Self) -> Vec<String> {
        let differs = |(key, value): &(&String, &Value)| other.0.get(*key) != Some(*value);
        self.0.iter().filter(differs).map(|(key, _)| key.clone()).collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes the value of one of them back to what it is in `other`.
    pub fn take_back(&mut self, key: &str, other: &Self) {
        if let Some(value) = other.0.get(key) {
            self.0.insert(key.to_owned(), value.clone());
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What stops the start: where it stands, which key it is, and what was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    pub place: String,
    pub key: String,
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, problem } = self;
        if key.is_empty() { write!(f, "{place}: {problem}") } else { write!(f, "{place}: {key} {problem}") }
    }
}

impl std::error::Error for ConfigError {}

/// The values that hold, and where each was set.
pub(super) struct Layers {
    values: BTreeMap<String, Value>,
    defaults: BTreeMap<String, Value>,
    places: BTreeMap<String, Place>,
    /// The tables of `[[apps]]`, as they stand in the file, each with its number there.
    pub(super) apps: Vec<(usize, Value)>,
    pub(super) apps_place: Place,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Default,
    File(PathBuf),
    Environment(String),
    Flag,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default configuration"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Flag => f.write_str("--set"),
        }
    }
}

impl Layers {
    pub(super) fn read(default: &str, sources: &Sources) -> Result<Self, ConfigError> {
        let (layers, problems) = Self::read_all(default, sources);
        problems.into_iter().next().map_or(Ok(layers), Err)
    }

    /// Everything that can be read, and what is wrong with the rest.
    pub(super) fn read_all(default: &str, sources: &Sources) -> (Self, Vec<ConfigError>) {
        let default: Table = default.parse().expect("the default file is valid");
        let mut values = BTreeMap::new();
        flatten("", default, &mut values);
        let (defaults, places) = (values.clone(), BTreeMap::new());
        let mut layers = Self { values, defaults, places, apps: Vec::new(), apps_place: Place::Default };
        let mut problems = Vec::new();
        if let Some(path) = &sources.file {
            problems.extend(layers.lay_file(path));
        }
        for (name, value) in &sources.environment {
            problems.extend(layers.lay_variable(name, value).err());
        }
        problems.extend(sources.set.iter().filter_map(|set| layers.lay_flag(set).err()));
        (layers, problems)
    }

    fn lay_file(&mut self, path: &Path) -> Vec<ConfigError> {
        let place = Place::File(path.to_owned());
        let problem = |problem| ConfigError { place: place.to_string(), key: String::new(), problem };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return vec![problem(format!("cannot be read: {error}"))],
        };
        let mut table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                return vec![problem(wrong_toml(&text, &error))];
            }
        };
        let mut problems = Vec::new();
        match table.remove("apps") {
            None => {}
            Some(Value::Array(apps)) => {
                self.apps = apps.into_iter().enumerate().collect();
                self.apps_place = place.clone();
            }
            Some(_) => problems.push(problem("apps must be written as [[apps]]".to_owned())),
        }
        let mut values = BTreeMap::new();
        flatten("", table, &mut values);
        problems.extend(values.into_iter().filter_map(|(key, value)| self.lay(&key, value, &place).err()));
        problems
    }

    fn lay_flag(&mut self, set: &str) -> Result<(), ConfigError> {
        let (key, value) = set.split_once('=').ok_or_else(|| ConfigError {
            place: Place::Flag.to_string(),
            key: set.to_owned(),
            problem: "must be of the form key=value".to_owned(),
        })?;
        self.lay_text(key.trim(), value.trim(), &Place::Flag)
    }

    /// Puts the default in the place of what is wrong with `key`: its value, or those of its table, or an app. Whether there
    /// was something to put away.
    pub(super) fn forget(&mut self, key: &str) -> bool {
        if let Some(number) = key.strip_prefix("apps[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok()) {
            let count = self.apps.len();
            self.apps.retain(|(at, _)| *at != number);
            return self.apps.len() < count;
        }
        let table = key.rsplit_once('.').map_or_else(String::new, |(table, _)| format!("{table}."));
        let is_meant = |set: &String| match self.places.contains_key(key) {
            true => set == key,
            false => !table.is_empty() && set.starts_with(&table),
        };
        let meant: Vec<String> = self.places.keys().filter(|set| is_meant(set)).cloned().collect();
        for key in &meant {
            self.places.remove(key);
            self.values.insert(key.clone(), self.defaults[key].clone());
        }
        !meant.is_empty()
    }

    /// A variable that names no key is left alone: whoever runs a server may have others of that name.
    fn lay_variable(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let key = name.trim_start_matches("UNSAID_").to_lowercase().replace("__", ".");
        if self.values.contains_key(&key) {
            return self.lay_text(&key, value, &Place::Environment(name.to_owned()));
        }
        Ok(())
    }

    /// A value as text: it is read as the type that the default has; a list is separated by commas.
    fn lay_text(&mut self, key: &str, text: &str, place: &Place) -> Result<(), ConfigError> {
        let value = match self.values.get(key) {
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            Some(Value::Array(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            _ => None,
        };
        self.lay(key, value.unwrap_or_else(|| Value::String(text.to_owned())), place)
    }

    fn lay(&mut self, key: &str, value: Value, place: &Place) -> Result<(), ConfigError> {
        let of_table = format!("{key}.");
        if value.is_table() && self.values.keys().any(|known| known.starts_with(&of_table)) {
            return Ok(());
        }
        let error = |problem| ConfigError { place: place.to_string(), key: key.to_owned(), problem };
        let Some(default) = self.values.get_mut(key) else {
            let problem = match nearest(key, self.values.keys()) {
                Some(nearest) => format!("is an unknown key; is {nearest} meant?"),
                None => "is an unknown key; the default configuration names all of them".to_owned(),
            };
            return Err(error(problem));
        };
        if default.type_str() != value.type_str() {
            return Err(error(format!("must be {}, not {}", article(default), article(&value))));
        }
        *default = value;
        self.places.insert(key.to_owned(), place.clone());
        Ok(())
    }

    pub(super) fn settings(&self) -> Settings {
        Settings(self.values.clone())
    }

    /// An error about the value that `key` has, which names where it was set.
    pub(super) fn error(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        let place = self.places.get(key).unwrap_or(&Place::Default);
        ConfigError { place: place.to_string(), key: key.to_owned(), problem: problem.into() }
    }

    /// The folder of the file where `key` was set.
    pub(super) fn folder(&self, key: &str) -> Option<&Path> {
        match self.places.get(key) {
            Some(Place::File(path)) => path.parent(),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.values[key].as_str().expect("it has the type of the default")
    }

    pub(super) fn boolean(&self, key: &str) -> bool {
        self.values[key].as_bool().expect("it has the type of the default")
    }

    pub(super) fn parsed<T: FromStr>(&self, key: &str, expected: &str) -> Result<T, ConfigError> {
        self.text(key).parse().map_err(|_| self.error(key, format!("must be {expected}")))
    }

    pub(super) fn integer(&self, key: &str, least: u64, most: u64) -> Result<u64, ConfigError> {
        let number = self.values[key].as_integer().expect("it has the type of the default");
        let number = u64::try_from(number).ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| self.error(key, format!("must be from {least} to {most}")))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&str>, ConfigError> {
        let items = self.values[key].as_array().expect("it has the type of the default");
        let text = |item: &'_ Value| item.as_str().map(str::len).is_some();
        if !items.iter().all(text) {
            return Err(self.error(key, "must be a list of strings"));
        }
        Ok(items.iter().filter_map(Value::as_str).collect())
    }
}

/// What is wrong with a TOML file, and where: without the line itself, which may hold a secret.
pub(crate) fn wrong_toml(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// Every value of a table by its dotted key.
fn flatten(prefix: &str, table: Table, into: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        if let Some(table) = value.as_table().filter(|table| !table.is_empty()) {
            flatten(&key, table.clone(), into);
        } else {
            into.insert(key, value);
        }
    }
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
