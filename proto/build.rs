//! Compiles the contracts; a fault in one of them fails the build with its file and line.

fn main() {
    build_support::build_contracts(&["."], "quickserve", "");
    // An example with every kind of rule: only the tests include what is generated from it.
    build_support::build_contracts(&[".", "tests/contract"], "tests/contract", "sample");
}
