//! Compiles the contracts: descriptors, messages, clients and servers. No protoc is needed.

mod check;
mod code;
mod contracts;
mod debug;
mod names;
mod problem;
mod rpc;
mod rules;
mod table;

pub use problem::Problem;

use contracts::Contracts;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Compiles `quickserve/**.proto` of the package whose build script calls this, and tells Cargo what to watch. Faults
/// are printed as Cargo errors, `file:line: message`, and fail the build.
pub fn compile_protos() {
    let (Some(root), Some(out)) = (env::var_os("CARGO_MANIFEST_DIR"), env::var_os("OUT_DIR"))
    else {
        return report(&[Problem::outside("not run by Cargo as a build script")], "");
    };
    let (root, out) = (PathBuf::from(root), PathBuf::from(out));
    for folder in ["quickserve", "google", "buf"] {
        watch(&root.join(folder));
    }
    if let Err(problems) = compile(std::slice::from_ref(&root), &root.join("quickserve"), &out) {
        let label = root.file_name().unwrap_or_default().to_string_lossy();
        report(&problems, &label);
    }
}

/// Compiles every `.proto` below `tree`, with imports from `include`, into the folder `out`:
/// - `descriptors.bin`: the descriptor set with options and comments;
/// - `mod.rs`: the tree of messages, clients and servers;
/// - `derived.rs`: rules and redaction, as implementations for the messages;
/// - `rpcs.rs`: the policies of all RPCs.
///
/// The crate that includes them has `codec`, `rpc` and `validate` at its root.
///
/// # Errors
/// Every fault of the contracts, in the order of files and lines.
pub fn compile(include: &[PathBuf], tree: &Path, out: &Path) -> Result<(), Vec<Problem>> {
    let contracts = Contracts::load(include, tree).map_err(|problem| vec![problem])?;
    let rpcs = rpc::all(&contracts);
    let mut problems = check::check(&contracts, &rpcs);
    let rules = rules::generate(&contracts).unwrap_or_else(|faults| {
        problems.extend(faults);
        String::new()
    });
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    let derived = rules + &debug::generate(&contracts);
    write(&contracts, &derived, &table::generate(&rpcs), out)
        .map_err(|error| vec![Problem::outside(error)])
}

fn write(contracts: &Contracts, derived: &str, rpcs: &str, out: &Path) -> io::Result<()> {
    fs::create_dir_all(out)?;
    code::generate(contracts, out, &debug::skipped(contracts))?;
    write_if_changed(&out.join("derived.rs"), derived.as_bytes())?;
    write_if_changed(&out.join("rpcs.rs"), rpcs.as_bytes())?;
    write_if_changed(&out.join("descriptors.bin"), &contracts.bytes)
}

/// Leaves an unchanged file alone, so that what depends on it is not compiled again.
fn write_if_changed(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(previous) if previous == content => Ok(()),
        _ => fs::write(path, content),
    }
}

/// Cargo scans a watched folder with all that is below it, so that a new file counts as a change too.
#[expect(clippy::print_stdout, reason = "Cargo reads its instructions from the standard output")]
fn watch(folder: &Path) {
    println!("cargo::rerun-if-changed={}", folder.display());
}

#[expect(clippy::print_stdout, reason = "Cargo reads its instructions from the standard output")]
fn report(problems: &[Problem], folder: &str) {
    for problem in problems {
        let place = if problem.file.is_empty() { "" } else { folder };
        let slash = if place.is_empty() { "" } else { "/" };
        println!("cargo::error={place}{slash}{}", problem.to_string().replace('\n', " "));
    }
}
