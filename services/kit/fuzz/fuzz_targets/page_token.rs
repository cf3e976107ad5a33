//! Any size and text as a page of a list.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/untrusted/checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: (i32, &str)| checks::check_page(data.0, data.1));
