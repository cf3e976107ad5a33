//! What ARCHITECTURE.md and GLOSSARY.md claim of the sources, read from the sources: who uses whom, how long a function
//! is, how things are named.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod figures;
mod floors;
mod sources;
mod uses;
