//! Configuration: compiled-in defaults, then a TOML file, then `QS_<SECTION>__<KEY>` from the environment.
//!
//! Each service reads one section, a struct of its own with `#[serde(default, deny_unknown_fields)]`, so that a
//! mistyped key stops the start instead of being ignored.

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    error::{Actual, Kind},
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Visitor};
use std::{collections::BTreeMap, fmt, path::Path};

/// What the environment variables that configure QuickServe start with.
pub const ENV_PREFIX: &str = "QS_";
/// What a masked value prints as.
const MASK: &str = "***";

/// The merged configuration of this process.
#[derive(Clone)]
pub struct Config {
    merged: Figment,
}

/// Why a configuration is refused. Texts name the key and where it was set, never a value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or is not TOML.
    #[error("the configuration file {path}: {problem}")]
    File {
        /// Path of the configuration file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key is unknown, or its value does not fit.
    #[error("the configuration key `{key}`{origin} {problem}")]
    Key {
        /// The key with its section, for example `order.hold_ttl_s`.
        key: String,
        /// Where the key was set; starts with a space.
        origin: String,
        /// What is wrong, continuing the sentence.
        problem: String,
    },
}

impl Config {
    /// Merges `file`, when there is one, with the environment of this process. The command line takes the file from
    /// `--config` or `QS_CONFIG`.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::merge(file, std::env::vars_os().filter_map(require_unicode))
    }

    /// Only the compiled-in defaults.
    pub fn defaults() -> Self {
        Self { merged: Figment::new() }
    }

    /// A configuration for tests: `("order.hold_ttl_s", "600")`, with values as the environment gives them.
    pub fn from_map<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self { merged: Figment::from(Variables::new(entries.collect())) }
    }

    fn merge(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut merged = Figment::new();
        if let Some(path) = file {
            merged = merged.merge(Toml::string(&read_file(path)?));
            // The provider's errors surface only when a value is asked for: ask for all of them now.
            merged.extract::<Dict>().map_err(|error| ConfigError::File {
                path: path.display().to_string(),
                problem: without_source(&error.kind.to_string()),
            })?;
        }
        let variables = environment.filter_map(|(name, value)| {
            let key = name.strip_prefix(ENV_PREFIX)?;
            // A variable without a section is a flag of the command line, such as QS_LISTEN.
            key.contains("__").then(|| (key.to_ascii_lowercase().replace("__", "."), value))
        });
        Ok(Self { merged: merged.merge(Variables::new(variables.collect())) })
    }

    /// Reads the section `name`; settings that are not given keep their defaults.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, ConfigError> {
        match self.merged.find_value(name) {
            Err(_) => return Ok(T::default()),
            Ok(Value::Dict(..)) => {}
            Ok(value) => {
                let problem = format!("is {}, not a section", kind_noun(&value.to_actual()));
                let key = name.to_owned();
                return Err(ConfigError::Key { origin: self.origin(name), problem, key });
            }
        }
        self.merged.focus(name).extract().map_err(|error| self.refusal(name, &error))
    }

    /// Refuses sections that no part of the program reads. `known` are those that are read.
    pub fn check_sections(&self, known: &[&str]) -> Result<(), ConfigError> {
        let sections: Dict = self.merged.extract().unwrap_or_default();
        match sections.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(ConfigError::Key {
                key: name.clone(),
                origin: self.origin(name),
                problem: format!("is no section; sections are {}", known.join(", ")),
            }),
        }
    }

    /// What is set beyond the defaults, one `key = value  # origin` a line, with secrets masked.
    pub fn dump(&self) -> String {
        let sections: Dict = self.merged.extract().unwrap_or_default();
        let mut lines = Vec::new();
        for (name, value) in &sections {
            self.dump_value(name, value, &mut lines);
        }
        lines.concat()
    }

    fn dump_value(&self, key: &str, value: &Value, lines: &mut Vec<String>) {
        if let Value::Dict(_, entries) = value {
            for (name, value) in entries {
                self.dump_value(&format!("{key}.{name}"), value, lines);
            }
            return;
        }
        let shown = if is_secret(key) {
            MASK.to_owned()
        } else if let Some(text) = value.as_str() {
            format!("{:?}", without_password(text))
        } else {
            serde_json::to_string(value).unwrap_or_default()
        };
        lines.push(format!("{key} = {shown}  #{}\n", self.origin(key)));
    }

    fn refusal(&self, section: &str, error: &figment::Error) -> ConfigError {
        let mut path = vec![section];
        path.extend(error.path.iter().map(String::as_str));
        if let Kind::UnknownField(field, _) = &error.kind
            && path.last() != Some(&field.as_str())
        {
            path.push(field);
        }
        let key = path.join(".");
        ConfigError::Key { origin: self.origin(&key), problem: problem_with(&error.kind), key }
    }

    /// Where `key` was set: ` (QS_ORDER__HOLD_TTL_S)` or ` (in quickserve.toml)`.
    fn origin(&self, key: &str) -> String {
        let Some(metadata) = self.merged.find_metadata(key) else { return String::new() };
        match &metadata.source {
            Some(Source::File(path)) => format!(" (in {})", path.display()),
            _ if metadata.name == Variables::NAME => {
                let variable = key.to_ascii_uppercase().replace('.', "__");
                format!(" ({ENV_PREFIX}{variable})")
            }
            _ => " (in the configuration file)".to_owned(),
        }
    }
}

fn require_unicode(
    (name, value): (std::ffi::OsString, std::ffi::OsString),
) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        path: path.display().to_string(),
        problem: error.to_string(),
    })
}

/// The words of a TOML error without the lines it quotes: a secret may be in them.
fn without_source(text: &str) -> String {
    let words = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|'));
    words.collect::<Vec<_>>().join(": ")
}

/// What is wrong, in words that carry no value: a password in the wrong place must not reach a log.
fn problem_with(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, known) => format!("is unknown; known keys are {}", known.join(", ")),
        Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
        Kind::InvalidType(actual, expected) => format!("is {}, not {expected}", kind_noun(actual)),
        Kind::InvalidValue(_, expected) => format!("must be {expected}"),
        Kind::InvalidLength(length, expected) => format!("has {length} entries, not {expected}"),
        Kind::MissingField(field) => format!("misses `{field}`"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
        Kind::Message(text) => text.clone(),
        other => other.to_string(),
    }
}

fn kind_noun(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

/// Dotted keys with textual values, as the environment gives them.
struct Variables(BTreeMap<String, String>);

impl Variables {
    const NAME: &'static str = "environment";

    fn new(entries: BTreeMap<String, String>) -> Self {
        Self(entries)
    }
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named(Self::NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut sections = Dict::new();
        for (key, value) in &self.0 {
            // Parsing a value cannot fail: what is neither number, boolean, list nor table is a text.
            let value = value.parse().unwrap_or_else(|_| Value::from(value.as_str()));
            insert_value(&mut sections, key, value);
        }
        Ok(Map::from([(Profile::Default, sections)]))
    }
}

/// Puts `value` at the dotted `key`, making tables on the way.
fn insert_value(table: &mut Dict, key: &str, value: Value) {
    let Some((name, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let entry = table.entry(name.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, inner) = entry {
        insert_value(inner, rest, value);
    }
}

fn is_secret(key: &str) -> bool {
    const NAMES: [&str; 8] =
        ["secret", "password", "passwd", "token", "key", "pepper", "credentials", "dsn"];
    let name = key.rsplit('.').next().unwrap_or(key);
    NAMES.iter().any(|secret| name.ends_with(secret)) || name.contains("secret")
}

/// The text with the password of a URL (`scheme://user:password@host`) masked.
fn without_password(text: &str) -> String {
    mask_password(text).unwrap_or_else(|| text.to_owned())
}

/// None when the text is no URL with a password.
fn mask_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end)?;
    let (login, host) = authority.rsplit_once('@')?;
    let (user, _) = login.split_once(':')?;
    Some(format!("{scheme}://{user}:{MASK}@{host}{tail}"))
}

/// A text that is never printed, logged or serialised: only [`Secret::reveal`] shows it.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether no secret is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Takes a text, and refuses what the environment read as a number without repeating it.
struct SecretVisitor;

impl SecretVisitor {
    fn refuse<E: serde::de::Error>() -> Result<Secret, E> {
        Err(E::custom("is a secret that reads as a number or boolean: put it in double quotes"))
    }
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret text")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }
    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
        Self::refuse()
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
        Self::refuse()
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
        Self::refuse()
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
        Self::refuse()
    }
}

#[cfg(test)]
mod tests;
