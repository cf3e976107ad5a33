//! Any text as an access token, and a valid one with pieces replaced.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/untrusted/checks.rs"]
mod checks;

thread_local! {
    static TOKENS: checks::Tokens = checks::Tokens::new();
}

libfuzzer_sys::fuzz_target!(|data: (&str, Vec<(u16, u8, &str)>)| {
    TOKENS.with(|tokens| {
        tokens.check(data.0);
        tokens.check(&tokens.changed(&data.1));
    });
});
