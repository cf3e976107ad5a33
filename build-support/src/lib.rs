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

/// Compiles a tree of contracts from the build script of their package: every `.proto` below the folder `tree`, with
/// imports from the folders `imports`, into `OUT_DIR/out`. Tells Cargo what to watch. Faults are printed as Cargo errors,
/// `file:line: message`, and fail the build. Folders are relative to the package. See [`compile_contracts`].
pub fn build_contracts(imports: &[&str], tree: &str, out: &str) {
    let (Some(root), Some(target)) = (env::var_os("CARGO_MANIFEST_DIR"), env::var_os("OUT_DIR"))
    else {
        return report_problems(&[Problem::outside("not run by Cargo as a build script")]);
    };
    let root = PathBuf::from(root);
    for folder in ["google", "buf", tree] {
        watch_files(&root.join(folder));
    }
    let include: Vec<PathBuf> = imports.iter().map(|folder| root.join(folder)).collect();
    if let Err(mut problems) =
        compile_contracts(&include, &root.join(tree), &Path::new(&target).join(out))
    {
        for problem in problems.iter_mut().filter(|problem| !problem.file.is_empty()) {
            problem.file = place(&root, &include, &problem.file);
        }
        report_problems(&problems);
    }
}

/// The path of an imported file from the folder above the package, where the developer stands.
fn place(root: &Path, include: &[PathBuf], file: &str) -> String {
    let found = include.iter().map(|folder| folder.join(file)).find(|path| path.exists());
    let above = root.parent().unwrap_or(root);
    let relative = found.as_deref().and_then(|path| path.strip_prefix(above).ok());
    relative.map_or_else(|| file.to_owned(), |path| path.display().to_string())
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
pub fn compile_contracts(include: &[PathBuf], tree: &Path, out: &Path) -> Result<(), Vec<Problem>> {
    let contracts = Contracts::load(include, tree).map_err(|problem| vec![problem])?;
    let rpcs = rpc::all_rpcs(&contracts);
    let mut problems = check::check_contracts(&contracts, &rpcs);
    let rules = rules::generate_rules(&contracts, &rpcs).unwrap_or_else(|faults| {
        problems.extend(faults);
        String::new()
    });
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    let derived = rules + &debug::generate_debug(&contracts);
    write_generated(&contracts, &derived, &table::generate_table(&rpcs), out)
        .map_err(|error| vec![Problem::outside(error)])
}

fn write_generated(contracts: &Contracts, derived: &str, rpcs: &str, out: &Path) -> io::Result<()> {
    fs::create_dir_all(out)?;
    code::generate_code(contracts, out, &debug::skipped_messages(contracts))?;
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
fn watch_files(folder: &Path) {
    println!("cargo::rerun-if-changed={}", folder.display());
}

#[expect(clippy::print_stdout, reason = "Cargo reads its instructions from the standard output")]
fn report_problems(problems: &[Problem]) {
    for problem in problems {
        println!("cargo::error={}", problem.to_string().replace('\n', " "));
    }
}
