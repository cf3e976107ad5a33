//! Compiles the contracts; a fault in one of them fails the build with its file and line.

fn main() {
    build_support::compile_protos();
}
