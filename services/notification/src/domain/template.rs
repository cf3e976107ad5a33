//! Templates: data compiled in, checked as a whole before the service starts.

use super::{catalogue::NOTICES, message::Particulars, text::Locale};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What stands where a value is not known.
const UNKNOWN: &str = "–";

/// The words of a language, as the file has them.
const fn template_file(locale: Locale) -> &'static str {
    match locale {
        Locale::Fr => include_str!("../templates/fr.toml"),
        Locale::En => include_str!("../templates/en.toml"),
    }
}

/// A place in a text that is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Date,
    Service,
    Amount,
    Stars,
    Subject,
    Code,
    Expires,
    Name,
    Body,
    Reference,
    Stop,
}

impl Slot {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "date" => Self::Date,
            "service" => Self::Service,
            "amount" => Self::Amount,
            "stars" => Self::Stars,
            "subject" => Self::Subject,
            "code" => Self::Code,
            "expires" => Self::Expires,
            "name" => Self::Name,
            "body" => Self::Body,
            "reference" => Self::Reference,
            "stop" => Self::Stop,
            _ => return None,
        })
    }

    /// What a template of this name has to fill in.
    fn of_template(template: &str) -> &'static [Self] {
        if template.starts_with("order.reviewed.") {
            &[Self::Date, Self::Service, Self::Stars]
        } else if template.starts_with("order.") {
            &[Self::Date, Self::Service, Self::Amount]
        } else if template.starts_with("payment.") || template.starts_with("payout.") {
            &[Self::Amount]
        } else if template.starts_with("provider.document_expiring.")
            || template.starts_with("provider.document_expired.")
            || template.starts_with("provider.restricted.")
        {
            &[Self::Subject]
        } else if template.starts_with("series.") {
            &[Self::Date, Self::Service]
        } else if template.starts_with("transport.stop_completed.") {
            &[Self::Stop]
        } else if carries_code(template) {
            &[Self::Code, Self::Expires]
        } else {
            &[]
        }
    }
}

/// Whether mail from a template carries a code that is made when it is sent.
pub fn carries_code(template: &str) -> bool {
    code_purpose(template).is_some()
}

/// What a mailed code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePurpose {
    /// It proves the e-mail address.
    Verification,
    /// It sets a new password.
    PasswordReset,
}

/// What the code in a mail from a template is good for, if it carries one.
pub fn code_purpose(template: &str) -> Option<CodePurpose> {
    match template {
        "user.contact_verification_requested.account" => Some(CodePurpose::Verification),
        "user.password_reset_requested.account" => Some(CodePurpose::PasswordReset),
        _ => None,
    }
}

/// A text with places to fill in.
#[derive(Debug)]
struct Text(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Plain(String),
    Slot(Slot),
}

impl Text {
    /// Reads a text in which `{name}` is a slot.
    fn parse(text: &str, allowed: &[Slot]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.trim();
        while let Some((plain, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a brace that never closes")?;
            let slot = Slot::named(name).filter(|slot| allowed.contains(slot));
            let slot = slot.ok_or_else(|| format!("has nothing for {{{name}}}"))?;
            pieces.extend([Piece::Plain(plain.to_owned()), Piece::Slot(slot)]);
            rest = after;
        }
        if rest.contains('}') {
            return Err("has a brace that never opens".to_owned());
        }
        pieces.push(Piece::Plain(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn fill(&self, value: impl Fn(Slot) -> Option<String>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Slot(slot) => text.push_str(value(*slot).as_deref().unwrap_or(UNKNOWN)),
            }
        }
        text
    }
}

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    letter: String,
    letter_of_order: String,
    words: HashMap<String, String>,
    templates: BTreeMap<String, Words>,
}

/// Subject and body of a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    subject: String,
    body: String,
}

/// The templates of a language.
struct Language {
    letter: Text,
    letter_of_order: Text,
    words: HashMap<String, String>,
    templates: HashMap<String, (Text, Text)>,
}

/// The templates of every language.
pub struct Templates {
    french: Language,
    english: Language,
}

/// Why templates are refused.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file is not as it should be.
    #[error("the templates of {0}: {1}")]
    File(&'static str, toml::de::Error),
    /// A text has something it must not have.
    #[error("the template {template} of {locale} {problem}")]
    Text {
        locale: &'static str,
        /// Name of the template.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Templates are missing or unused.
    #[error("the templates of {0} and the catalogue differ: {1:?}")]
    Catalogue(&'static str, Vec<String>),
}

/// A code and its end.
#[derive(Clone, Copy)]
pub struct Code<'a> {
    pub code: &'a str,
    /// When it ends, in the reader's zone.
    pub expires: (DateTime<Utc>, Tz),
}

/// A message in words. It is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub body: String,
}

impl Templates {
    /// Reads the templates that are compiled in.
    ///
    /// # Errors
    /// A file that does not parse, a slot that nothing fills, a template too few or too many.
    pub fn load() -> Result<Self, TemplateError> {
        Ok(Self { french: Language::load(Locale::Fr)?, english: Language::load(Locale::En)? })
    }

    const fn language(&self, locale: Locale) -> &Language {
        match locale {
            Locale::Fr => &self.french,
            Locale::En => &self.english,
        }
    }

    /// The words of a message.
    pub fn render(
        &self,
        locale: Locale,
        template: &str,
        particulars: &Particulars,
        code: Option<Code<'_>>,
    ) -> Rendered {
        let language = self.language(locale);
        let value = |slot| language.value(locale, slot, particulars, code);
        // A template of an earlier version that is gone has no words left.
        match language.templates.get(template) {
            Some((subject, body)) => {
                Rendered { subject: subject.fill(value), body: body.fill(value) }
            }
            None => Rendered { subject: template.to_owned(), body: String::new() },
        }
    }

    /// The whole text of a letter with `body`, about the order with `reference` if there is one.
    pub fn letter(
        &self,
        locale: Locale,
        name: &str,
        body: &str,
        reference: Option<String>,
    ) -> String {
        let language = self.language(locale);
        let text = if reference.is_some() { &language.letter_of_order } else { &language.letter };
        text.fill(|slot| match slot {
            Slot::Name => Some(name.to_owned()),
            Slot::Body => Some(body.to_owned()),
            Slot::Reference => reference.clone(),
            _ => None,
        })
    }
}

/// Reads a text of the template `name` of the language `tag`.
fn parse_text(
    tag: &'static str,
    name: &str,
    text: &str,
    allowed: &[Slot],
) -> Result<Text, TemplateError> {
    Text::parse(text, allowed).map_err(|problem| TemplateError::Text {
        locale: tag,
        template: name.to_owned(),
        problem,
    })
}

impl Language {
    fn load(locale: Locale) -> Result<Self, TemplateError> {
        Self::parse(locale, template_file(locale))
    }

    fn parse(locale: Locale, text: &str) -> Result<Self, TemplateError> {
        let tag = locale.tag();
        let file: File = toml::from_str(text).map_err(|error| TemplateError::File(tag, error))?;
        let expected: BTreeSet<_> =
            NOTICES.iter().map(super::catalogue::Notice::template).collect();
        let found: BTreeSet<_> = file.templates.keys().cloned().collect();
        let differ: Vec<_> = expected.symmetric_difference(&found).cloned().collect();
        if !differ.is_empty() {
            return Err(TemplateError::Catalogue(tag, differ));
        }
        let mut templates = HashMap::new();
        for (name, Words { subject, body }) in file.templates {
            let allowed = Slot::of_template(&name);
            let texts = (
                parse_text(tag, &name, &subject, allowed)?,
                parse_text(tag, &name, &body, allowed)?,
            );
            templates.insert(name, texts);
        }
        let frame = [Slot::Name, Slot::Body, Slot::Reference];
        Ok(Self {
            letter: parse_text(tag, "letter", &file.letter, &frame[..2])?,
            letter_of_order: parse_text(tag, "letter_of_order", &file.letter_of_order, &frame)?,
            words: file.words,
            templates,
        })
    }

    fn value(
        &self,
        locale: Locale,
        slot: Slot,
        particulars: &Particulars,
        code: Option<Code<'_>>,
    ) -> Option<String> {
        match slot {
            Slot::Date => {
                Some(locale.moment(particulars.starts_at?, particulars.zone.unwrap_or(Tz::UTC)))
            }
            Slot::Service => particulars.service.as_deref().map(|key| self.word(key)),
            Slot::Amount => particulars.amount.map(|amount| locale.money(amount)),
            Slot::Stars => particulars.stars.map(|stars| stars.to_string()),
            Slot::Subject => particulars.subject.as_deref().map(|key| self.word(key)),
            Slot::Code => code.map(|code| code.code.to_owned()),
            Slot::Expires => code.map(|Code { expires: (at, zone), .. }| locale.moment(at, zone)),
            Slot::Stop => particulars.stop.map(|stop| stop.to_string()),
            Slot::Name | Slot::Body | Slot::Reference => None,
        }
    }

    /// What a stable code is called.
    fn word(&self, key: &str) -> String {
        self.words.get(key).cloned().unwrap_or_else(|| key.replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::{Money, values::money::Currency};

    fn full() -> Particulars {
        Particulars {
            starts_at: "2027-05-10T09:00:00Z".parse().ok(),
            zone: Some(chrono_tz::Europe::Paris),
            amount: Some(Money::new(Currency::EUR, 12_000)),
            service: Some("cleaning".to_owned()),
            stars: Some(4),
            subject: Some("insurance".to_owned()),
            stop: Some(2),
        }
    }

    #[test]
    fn every_notice_has_words_in_every_language_and_every_slot_resolves() {
        let templates = Templates::load().unwrap();
        let at = "2027-05-10T09:30:00Z".parse().unwrap();
        let code =
            Code { code: "7QK2M-9XATB-C4D8E-FGH3J", expires: (at, chrono_tz::Europe::Paris) };
        for notice in NOTICES {
            let name = notice.template();
            let said = Locale::ALL.map(|locale| {
                let code = carries_code(&name).then_some(code);
                let Rendered { subject, body } = templates.render(locale, &name, &full(), code);
                for text in [&subject, &body] {
                    assert!(!text.is_empty(), "{name}");
                    assert!(
                        !text.contains(['{', '}']) && !text.contains(UNKNOWN),
                        "{name}: {text}"
                    );
                }
                assert!(!subject.contains('\n') && subject.chars().count() <= 90, "{subject}");
                (subject, body)
            });
            assert!(said[0] != said[1], "{name} says the same in both languages");
        }
    }

    #[test]
    fn a_code_stands_on_a_line_of_its_own() {
        let templates = Templates::load().unwrap();
        let at = "2027-05-10T09:30:00Z".parse().unwrap();
        let code =
            Code { code: "7QK2M-9XATB-C4D8E-FGH3J", expires: (at, chrono_tz::Europe::Paris) };
        for name in NOTICES.iter().map(|it| it.template()).filter(|name| carries_code(name)) {
            for locale in Locale::ALL {
                let body =
                    templates.render(locale, &name, &Particulars::default(), Some(code)).body;
                assert!(body.lines().any(|line| line == code.code), "{name}: {body}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let templates = Templates::load().unwrap();
        let none = Particulars::default();
        let said = templates.render(Locale::En, "payout.paid.provider", &none, None);
        assert!(said.body.contains(UNKNOWN));
        assert!(templates.render(Locale::En, "gone", &none, None).body.is_empty());
    }

    #[test]
    fn incomplete_templates_stop_the_start() {
        let good = template_file(Locale::En);
        for (bad, expected) in [
            (
                good.replacen("[templates.\"order.closed", "", 1).replacen(
                    "order.assigned.customer",
                    "order.asigned.customer",
                    1,
                ),
                "order.asigned.customer",
            ),
            (good.replacen("{amount}", "{amonut}", 1), "nothing for {amonut}"),
            (good.replacen("{amount}", "{code}", 1), "nothing for {code}"),
            (good.replacen("{amount}", "{amount", 1), "has"),
            (good.replacen("subject", "sujet", 1), "sujet"),
        ] {
            let error = Language::parse(Locale::En, &bad).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
