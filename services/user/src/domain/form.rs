//! The token request of OAuth 2.0: a form, read strictly.

use super::Error;
use std::borrow::Cow;

/// The media type of forms.
const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
/// Longest form, in bytes.
const LONGEST: usize = 8192;

/// What a token request asks for.
#[derive(PartialEq, Eq)]
pub enum Grant {
    /// To sign in (RFC 6749 §4.3).
    Password {
        /// The e-mail address.
        username: String,
        password: String,
    },
    /// The next tokens of a session (RFC 6749 §6).
    Refresh {
        /// The refresh token.
        token: String,
    },
}

/// Reads a token request. Parameters that RFC 6749 does not name are ignored, as it asks (§3.2).
pub fn parse_grant(content_type: &str, form: &[u8]) -> Result<Grant, Error> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(invalid_form("must be application/x-www-form-urlencoded"));
    }
    if form.len() > LONGEST {
        return Err(invalid_form("must have at most 8192 bytes"));
    }
    let form = std::str::from_utf8(form).map_err(|_| invalid_form("must be in UTF-8"))?;
    let mut fields = Fields::default();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode_form(name), decode_form(value)) else {
            return Err(invalid_form("has a malformed escape"));
        };
        if let Some(place) = fields.of(&name)
            && place.replace(value.into_owned()).is_some()
        {
            return Err(invalid_form("has a parameter twice"));
        }
    }
    fields.grant()
}

const fn invalid_form(problem: &'static str) -> Error {
    Error::Invalid { field: "form", problem }
}

/// The parameters of interest.
#[derive(Default)]
struct Fields {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<String>,
    refresh_token: Option<String>,
}

impl Fields {
    fn of(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "grant_type" => Some(&mut self.grant_type),
            "username" => Some(&mut self.username),
            "password" => Some(&mut self.password),
            "refresh_token" => Some(&mut self.refresh_token),
            _ => None,
        }
    }

    fn grant(self) -> Result<Grant, Error> {
        match self.grant_type.as_deref() {
            None | Some("" | "password") => Ok(Grant::Password {
                username: demand("form.username", self.username)?,
                password: demand("form.password", self.password)?,
            }),
            Some("refresh_token") => {
                Ok(Grant::Refresh { token: demand("form.refresh_token", self.refresh_token)? })
            }
            Some(_) => Err(Error::Invalid {
                field: "form.grant_type",
                problem: "must be password or refresh_token",
            }),
        }
    }
}

fn demand(field: &'static str, value: Option<String>) -> Result<String, Error> {
    value
        .filter(|value| !value.is_empty())
        .ok_or(Error::Invalid { field, problem: "must be given" })
}

/// Undoes the escapes of a form.
fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<Grant, String> {
        parse_grant("Application/X-WWW-Form-Urlencoded; charset=utf-8", form.as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn forms_of_usual_clients() {
        let expected = Grant::Password { username: "a+b@c.fr".into(), password: "é & = %".into() };
        for form in [
            "username=a%2Bb%40c.fr&password=%C3%A9+%26+%3D+%25",
            "grant_type=password&username=a%2bb@c.fr&password=%c3%a9%20%26%20=%20%25&scope=&client_id=",
            "grant_type=&&username=a%2Bb%40c.fr&unknown=1&unknown=2&password=%C3%A9+%26+=+%25",
        ] {
            assert!(read(form).unwrap() == expected, "{form}");
        }
        let refresh = read("grant_type=refresh_token&refresh_token=qsr_x").unwrap();
        assert!(refresh == Grant::Refresh { token: "qsr_x".into() });
    }

    #[test]
    fn what_is_refused() {
        for (form, field) in [
            ("", "form.username"),
            ("username=a", "form.password"),
            ("username=a&password=", "form.password"),
            ("username=a&username=b&password=c", "form has a parameter twice"),
            ("username=%zz&password=c", "form has a malformed"),
            ("username=%e&password=c", "form has a malformed"),
            ("username=%ff&password=c", "form has a malformed"),
            ("grant_type=client_credentials&username=a&password=c", "form.grant_type"),
            ("grant_type=refresh_token", "form.refresh_token"),
        ] {
            let error = read(form).err().unwrap();
            assert!(error.starts_with(field), "{form}: {error}");
        }
        assert!(parse_grant("application/json", b"{}").is_err());
        assert!(parse_grant("", b"username=a&password=b").is_err());
        assert!(parse_grant(MEDIA_TYPE, &[b'a'; 8193]).is_err());
        assert!(parse_grant(MEDIA_TYPE, &[0xff]).is_err());
    }
}
