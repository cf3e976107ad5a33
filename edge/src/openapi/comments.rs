//! What the document takes from the comment of a contract besides its text.

/// The first statement of a comment, without its full stop.
pub fn summary_of(comment: &str) -> &str {
    let end = [". ", ": ", "; ", "\n"].iter().filter_map(|mark| comment.find(mark)).min();
    end.and_then(|end| comment.get(..end)).unwrap_or(comment).trim_end_matches('.')
}

/// The stable codes that a comment lists after the word `Reasons`.
pub fn reasons_of(comment: &str) -> Vec<&str> {
    let listed = comment.split_once("Reasons: ").map_or("", |(_, listed)| listed);
    let listed = listed.split_once(". ").map_or(listed, |(listed, _)| listed);
    listed.split('`').skip(1).step_by(2).collect()
}

/// The media type that a comment names first.
pub fn media_type(comment: &str) -> Option<&str> {
    let codes = comment.split('`').skip(1).step_by(2);
    codes.filter(|code| !code.contains(' ')).find(|code| {
        code.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read() {
        assert_eq!(summary_of("Opens a session. Unknown address, wrong."), "Opens a session");
        let form = "The form, `application/x-www-form-urlencoded`: `username` and `password`.";
        assert_eq!(media_type(form), Some("application/x-www-form-urlencoded"));
        assert_eq!(media_type("A path `a b/c`, and/or more"), None);
        assert_eq!(summary_of("Returns it: whole to some. More."), "Returns it");
        assert_eq!(reasons_of("Does it. Reasons: `A_B`, `C`."), ["A_B", "C"]);
        assert!(reasons_of("Does `it`.").is_empty());
    }
}
