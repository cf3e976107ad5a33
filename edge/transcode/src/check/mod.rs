//! `check`: what of a folder of contracts can be served, and why the rest cannot.

mod find;
mod reach;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::body::BoxError;
use crate::options::Options;
use crate::transcoder::Transcoder;

use find::{ContractSet, Found};
use reach::Unreachable;
pub(crate) use reach::unreachable_routes;

/// What to check.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder. The .proto files of each folder in it are a set of contracts, and so is each descriptor
    /// set (.pb, .binpb, .desc, .fds, .protoset). What .proto files import is looked for below it.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Another folder to look for imports in (repeatable).
    #[arg(long, value_name = "DIR")]
    import: Vec<PathBuf>,
}

/// What became of a set.
enum Outcome {
    /// It can be served, with so many routes.
    Accepted(usize),
    /// It can be served, but some of its routes are never reached.
    Partly { routes: usize, unreachable: Vec<Unreachable> },
    /// It has no route.
    WithoutRoutes,
    /// It cannot be served, and why.
    Refused(String),
}

/// Checks a folder and prints a line for each set that has routes or is refused, and a sum; succeeds if all routes of all
/// sets can be served.
///
/// # Errors
/// When the folder cannot be read or has no contracts.
pub fn run_check(args: &Args) -> Result<ExitCode, BoxError> {
    let found = find::find_contracts(&args.folder)?;
    if found.sets.is_empty() {
        let folder = args.folder.display();
        return Err(format!("{folder} has no .proto file and no descriptor set").into());
    }
    let mut out = std::io::stdout().lock();
    let (mut accepted, mut routes, mut partly, mut refused, mut empty) = (0, 0, 0, 0, 0);
    for set in &found.sets {
        let name = set.name(&args.folder);
        match check_set(set, &found, args) {
            Outcome::Accepted(count) => {
                accepted += 1;
                routes += count;
                writeln!(out, "accepted {name}: {count} routes")?;
            }
            Outcome::Partly { routes, unreachable } => {
                partly += 1;
                writeln!(out, "partly {name}: {} of {routes} routes", routes - unreachable.len())?;
                for route in unreachable {
                    writeln!(out, "  {route}")?;
                }
            }
            Outcome::WithoutRoutes => empty += 1,
            Outcome::Refused(reason) => {
                refused += 1;
                writeln!(out, "refused {name}: {reason}")?;
            }
        }
    }
    writeln!(
        out,
        "{accepted} sets accepted with {routes} routes, {partly} partly, {refused} refused, {empty} without routes"
    )?;
    Ok(if refused + partly == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_set(set: &ContractSet, found: &Found, args: &Args) -> Outcome {
    let outcome = match set {
        ContractSet::Descriptors(path) => check_descriptors(path),
        ContractSet::Sources { declares_services: false, .. } => Ok(Outcome::WithoutRoutes),
        ContractSet::Sources { root, files, .. } => {
            check_sources(&found.imports_of(root, &args.folder, &args.import), files)
        }
    };
    outcome.unwrap_or_else(|error| Outcome::Refused(error.to_string()))
}

fn check_descriptors(path: &Path) -> Result<Outcome, BoxError> {
    check_routes(&std::fs::read(path)?, Vec::new())
}

/// Compiles the files of one folder; only what they declare themselves is served.
fn check_sources(imports: &[PathBuf], files: &[PathBuf]) -> Result<Outcome, BoxError> {
    // Protobuf's own files come with the compiler; a copy in the folder may be too new for it.
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    for folder in imports {
        resolver.add(IncludeFileResolver::new(folder.clone()));
    }
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for file in files {
        compiler.open_file(file).map_err(|error| match error.file() {
            Some(place) => format!("{place}: {error}"),
            None => error.to_string(),
        })?;
    }
    let own: Vec<String> = compiler
        .files()
        .filter(|file| !file.is_import())
        .map(|file| file.name().to_owned())
        .collect();
    let set = compiler.file_descriptor_set();
    let own = set.file.iter().filter(|file| own.iter().any(|name| name == file.name()));
    let services = own.flat_map(|file| {
        let package = file.package();
        let prefix = if package.is_empty() { String::new() } else { format!("{package}.") };
        file.service.iter().map(move |service| format!("{prefix}{}", service.name()))
    });
    let services: Vec<String> = services.collect();
    match services.is_empty() {
        true => Ok(Outcome::WithoutRoutes),
        false => check_routes(&compiler.encode_file_descriptor_set(), services),
    }
}

fn check_routes(descriptors: &[u8], services: Vec<String>) -> Result<Outcome, BoxError> {
    let transcoder = Transcoder::compile(descriptors, Options { services, ..Options::default() })?;
    let unreachable = reach::unreachable_routes(&transcoder);
    Ok(match transcoder.routes() {
        0 => Outcome::WithoutRoutes,
        routes if unreachable.is_empty() => Outcome::Accepted(routes),
        routes => Outcome::Partly { routes, unreachable },
    })
}
