//! Merging, refusals by name, and secrets that stay secret.

use super::*;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    hold_ttl_s: u32,
    currency: String,
    secret: Secret,
    retry: Retry,
}
impl Default for Section {
    fn default() -> Self {
        Self {
            hold_ttl_s: 600,
            currency: "EUR".to_owned(),
            secret: Secret::default(),
            retry: Retry { attempts: 2 },
        }
    }
}
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Retry {
    attempts: u8,
}

fn environment(entries: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into_iter()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = file("[order]\nhold_ttl_s = 300\ncurrency = \"CHF\"\n");
    let environment =
        environment(&[("QS_ORDER__HOLD_TTL_S", "60"), ("QS_ORDER__RETRY__ATTEMPTS", "1")]);
    let config = Config::merge(Some(file.path()), environment).unwrap();
    let section: Section = config.section("order").unwrap();
    assert_eq!((section.hold_ttl_s, section.retry.attempts), (60, 1));
    assert_eq!(section.currency, "CHF");
    let absent: Section = config.section("payment").unwrap();
    assert_eq!((absent.hold_ttl_s, absent.retry.attempts), (600, 2));
}

#[test]
fn flags_of_the_command_line_and_foreign_variables_are_not_sections() {
    let environment =
        environment(&[("QS_CONFIG", "x.toml"), ("QS_LISTEN", ":1"), ("HOME", "/"), ("Q__A", "1")]);
    let config = Config::merge(None, environment).unwrap();
    assert_eq!(config.dump(), "");
    config.check_sections(&[]).unwrap();
}

#[test]
fn a_wrong_key_or_value_is_refused_by_name() {
    let check = |key: &str, value: &str, expected: &str| {
        let config = Config::merge(None, environment(&[(key, value)])).unwrap();
        let error = config.section::<Section>("order").unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    check(
        "QS_ORDER__HOLD_TTLL",
        "1",
        "the configuration key `order.hold_ttll` (QS_ORDER__HOLD_TTLL) is unknown; known keys are \
         hold_ttl_s, currency, secret, retry",
    );
    check(
        "QS_ORDER__RETRY__ATTEMPT",
        "1",
        "the configuration key `order.retry.attempt` (QS_ORDER__RETRY__ATTEMPT) is unknown; known \
         keys are attempts",
    );
    check(
        "QS_ORDER__HOLD_TTL_S",
        "soon",
        "the configuration key `order.hold_ttl_s` (QS_ORDER__HOLD_TTL_S) is a text, not u32",
    );
    check(
        "QS_ORDER__RETRY__ATTEMPTS",
        "-1",
        "the configuration key `order.retry.attempts` (QS_ORDER__RETRY__ATTEMPTS) must be u8",
    );
}

#[test]
fn an_unknown_section_and_a_bad_file_are_refused() {
    let config = Config::merge(None, environment(&[("QS_ODER__A", "1")])).unwrap();
    let error = config.check_sections(&["order", "user"]).unwrap_err().to_string();
    assert!(error.contains("`oder` (QS_ODER) is no section; sections are order, user"), "{error}");

    let absent = Path::new("no-such-file.toml");
    assert!(matches!(Config::load(Some(absent)), Err(ConfigError::File { .. })));
    let flat = file("order = 5\n");
    let error = Config::load(Some(flat.path())).unwrap().section::<Section>("order").unwrap_err();
    assert!(error.to_string().ends_with("is a whole number, not a section"), "{error}");
    let broken = file("[order\n");
    assert!(matches!(Config::load(Some(broken.path())), Err(ConfigError::File { .. })));
}

#[test]
fn secrets_are_masked_everywhere_and_numbers_must_be_quoted() {
    let config = Config::from_map([
        ("order.secret", "hunter2"),
        ("order.url", "postgres://qs:hunter2@db:5432/order?x=1"),
        ("order.hold_ttl_s", "5"),
    ]);
    assert_eq!(
        config.dump(),
        "order.hold_ttl_s = 5  # (QS_ORDER__HOLD_TTL_S)\n\
         order.secret = ***  # (QS_ORDER__SECRET)\n\
         order.url = \"postgres://qs:***@db:5432/order?x=1\"  # (QS_ORDER__URL)\n"
    );
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret} {secret:?} {}", serde_json::json!(secret)), "*** *** \"***\"");

    let quoted = Config::from_map([("order.secret", "\"007\"")]);
    assert_eq!(quoted.section::<Section>("order").unwrap().secret.reveal(), "007");
    for unquoted in ["4711", "-4711", "47.11", "true"] {
        let config = Config::from_map([("order.secret", unquoted)]);
        let error = config.section::<Section>("order").unwrap_err().to_string();
        assert!(error.contains("`order.secret`") && !error.contains(unquoted), "{error}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_quoting_it() {
    let file = file("[order]\ncurrency = \"EUR\"\nsecret = \"hunter2\n");
    let error = Config::merge(Some(file.path()), environment(&[])).err().unwrap().to_string();
    assert!(error.contains("line 3") && !error.contains("hunter2"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
