//! The `quickserve` program: reads the command line, starts telemetry, does what was asked.

mod cli;
mod commands;
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
            eprintln!("quickserve: {error:#}");
            ExitCode::FAILURE
        }
    }
}
