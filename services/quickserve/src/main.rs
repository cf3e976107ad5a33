//! The `quickserve` program.
fn main() {}
