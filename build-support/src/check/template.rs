//! Path templates of `google.api.http`: `/v1/{parent=shops/*}/orders/{order.id}:cancel`.

/// A parsed template.
pub struct Template {
    /// The template with every variable replaced by what it matches, and the verb: two routes with the same shape match
    /// the same paths.
    pub shape: String,
    /// The variables' field paths, in order.
    pub variables: Vec<String>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix('/').ok_or("must start with `/`")?;
        let mut template = Self { shape: String::new(), variables: Vec::new() };
        let (path, verb) = split_verb(path);
        for segment in split_segments(path)? {
            template.shape.push('/');
            let shape = template.segment(segment)?;
            template.shape.push_str(&shape);
        }
        if let Some(verb) = verb {
            literal(verb)?;
            template.shape.push(':');
            template.shape.push_str(verb);
        }
        let path = template.shape.split(':').next().unwrap_or_default();
        if path.contains("**/") {
            return Err("may have `**` in the last place only".into());
        }
        Ok(template)
    }

    fn segment(&mut self, segment: &str) -> Result<String, String> {
        let Some(inner) = segment.strip_prefix('{') else {
            return match segment {
                "*" | "**" => Ok(segment.to_owned()),
                other => literal(other).map(str::to_owned),
            };
        };
        let inner = inner.strip_suffix('}').ok_or("has an unclosed `{`")?;
        let (variable, pattern) = inner.split_once('=').unwrap_or((inner, "*"));
        if !variable.split('.').all(is_identifier) {
            return Err(format!("has the variable `{variable}`, which is no field path"));
        }
        if self.variables.iter().any(|known| known == variable) {
            return Err(format!("has the variable `{variable}` twice"));
        }
        self.variables.push(variable.to_owned());
        let parts = pattern.split('/').map(|part| match part {
            "*" | "**" => Ok(part),
            other => literal(other),
        });
        Ok(parts.collect::<Result<Vec<_>, _>>()?.join("/"))
    }
}

/// Splits off `:verb`, which follows the last segment; a colon inside braces is none.
fn split_verb(path: &str) -> (&str, Option<&str>) {
    let start = path.rfind(['/', '}']).unwrap_or(0);
    match path.get(start..).and_then(|tail| tail.find(':')) {
        Some(colon) => {
            let (path, verb) = path.split_at(start + colon);
            (path, verb.strip_prefix(':'))
        }
        None => (path, None),
    }
}

/// Splits at slashes outside braces.
fn split_segments(path: &str) -> Result<Vec<&str>, String> {
    let mut segments = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (position, character) in path.char_indices() {
        match (character, inside) {
            ('{', true) => return Err("has a `{` inside a variable".into()),
            ('{', false) => inside = true,
            ('}', true) => inside = false,
            ('}', false) => return Err("has a `}` without its `{`".into()),
            ('/', false) => {
                segments.push(path.get(start..position).unwrap_or_default());
                start = position + 1;
            }
            _ => {}
        }
    }
    segments.push(path.get(start..).unwrap_or_default());
    Ok(segments)
}

fn literal(text: &str) -> Result<&str, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if text.is_empty() {
        return Err("has an empty segment".into());
    }
    if text.chars().all(plain) { Ok(text) } else { Err(format!("has the segment `{text}`")) }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn shapes_and_variables() {
        for (text, shape, variables) in [
            ("/v1/orders", "/v1/orders", &[][..]),
            ("/v1/orders/{order_id}", "/v1/orders/*", &["order_id"]),
            ("/v1/orders/{order_id}:cancel", "/v1/orders/*:cancel", &["order_id"]),
            ("/v1/orders:search", "/v1/orders:search", &[]),
            ("/v1/{name=shops/*/orders/*}:x", "/v1/shops/*/orders/*:x", &["name"]),
            ("/v1/{order.id}/lines/{line}", "/v1/*/lines/*", &["order.id", "line"]),
            ("/files/{path=**}", "/files/**", &["path"]),
            ("/.well-known/jwks.json", "/.well-known/jwks.json", &[]),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(
                (template.shape.as_str(), &template.variables[..]),
                (shape, &variables.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_template() {
        for text in [
            "",
            "v1",
            "/",
            "/v1//x",
            "/v1/{",
            "/v1/}",
            "/v1/{a",
            "/v1/{a{b}}",
            "/v1/{1a}",
            "/v1/{a}/{a}",
            "/v1/{a=}",
            "/v1/a b",
            "/v1/**/x",
            "/{a=**}/x",
            "/v1/{a}b",
            "/v1/x:",
            "/v1/{a..b}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
