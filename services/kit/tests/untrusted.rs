//! Page tokens and access tokens that nobody issued. `fuzz` does the same for longer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "untrusted/checks.rs"]
mod checks;

use checks::{Tokens, check_page};
use proptest::prelude::*;

thread_local! {
    static TOKENS: Tokens = Tokens::new();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn page_tokens_are_given_or_refused(size: i32, any in ".{0,40}", like in "[A-Za-z0-9_-]{20,24}") {
        check_page(size, &any);
        check_page(size, &like);
        check_page(size.max(0), "");
    }

    #[test]
    fn access_tokens_are_issued_or_refused(
        any in ".{0,200}",
        like in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,90}",
        changes in prop::collection::vec((any::<u16>(), 0..4_u8, "[A-Za-z0-9_.=-]{0,3}"), 0..4),
    ) {
        TOKENS.with(|tokens| {
            tokens.check(&any);
            tokens.check(&like);
            let changes: Vec<_> =
                changes.iter().map(|(at, gone, instead)| (*at, *gone, instead.as_str())).collect();
            tokens.check(&tokens.changed(&changes));
            tokens.check(&tokens.valid);
        });
    }
}
