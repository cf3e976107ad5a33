//! The `quickserve` program: reads the command line, starts telemetry, does what was asked.

mod backup;
mod cli;
mod commands;
mod drive;
mod events;
mod reconcile;
mod seed;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::main(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quickserve: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each told once: some repeat theirs in their own text.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
