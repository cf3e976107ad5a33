//! The generic transcoder as a program of its own.

use std::process::ExitCode;

use clap::Parser as _;
use transcode::cli::Args;

#[derive(clap::Parser)]
#[command(
    version,
    about = "Serves gRPC services as JSON over HTTP, by their google.api.http rules"
)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    transcode::cli::main(Cli::parse().args)
}
