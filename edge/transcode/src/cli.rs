//! The arguments of the generic mode, the same for every program that offers it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use http::Uri;

use crate::check;
use crate::direct::Direct;
use crate::options::{ErrorFormat, Options, TrailingSlash};
use crate::serve::{self, ReloadableTranscoder};
use crate::source::{self, Source};
use crate::sse::SseFields;
use crate::transcoder::Transcoder;

/// Serves the HTTP rules of any gRPC contracts, or says which of them it could serve.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Option<ServeArgs>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Says of all contracts in a folder whether they can be served, with how many routes, or why not.
    Check(check::Args),
}

/// How to serve.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// A serialised FileDescriptorSet with its imports; read again when it changes. Without it the
    /// upstream is asked by server reflection.
    #[arg(long, value_name = "FILE")]
    descriptors: Option<PathBuf>,
    /// The gRPC server, http:// or https://.
    #[arg(long, value_name = "URL")]
    upstream: Uri,
    /// The certificate authority of an https:// upstream, PEM.
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// A service to serve, or a package with all services in it (repeatable); all services without.
    #[arg(long, value_name = "NAME")]
    services: Vec<String>,
    /// Compile the routes and exit: 0 when they are accepted.
    #[arg(long)]
    check: bool,
    /// Print fields without presence even when they hold their default.
    #[arg(long)]
    emit_defaults: bool,
    /// Print enums as numbers.
    #[arg(long)]
    enums_as_ints: bool,
    /// Print field names as the contracts write them.
    #[arg(long)]
    preserve_proto_field_names: bool,
    /// What becomes of unknown fields in JSON.
    #[arg(long, value_enum, default_value = "refuse")]
    unknown_fields: Unknown,
    /// What becomes of query parameters that name no field.
    #[arg(long, value_enum, default_value = "refuse")]
    unknown_query: Unknown,
    /// A query parameter that is not for the transcoder (repeatable).
    #[arg(long, value_name = "NAME")]
    ignored_query_parameters: Vec<String>,
    /// A request header passed on as metadata (repeatable).
    #[arg(long, value_name = "NAME")]
    forward_request_headers: Vec<String>,
    /// Response metadata passed on as a header (repeatable).
    #[arg(long, value_name = "NAME")]
    forward_response_metadata: Vec<String>,
    /// The longest request content in bytes; of a client stream, which may be of any length, the longest message.
    #[arg(long, value_name = "N", default_value_t = Options::default().max_request_bytes)]
    max_request_bytes: usize,
    /// The longest deadline in milliseconds.
    #[arg(long, value_name = "N")]
    max_timeout_ms: Option<u64>,
    /// The shape of error bodies.
    #[arg(long, value_enum, default_value = "google")]
    errors: Errors,
    /// What a slash at the end of a path means.
    #[arg(long, value_enum, default_value = "strict")]
    trailing_slash: Slash,
    /// The field that holds a resource's version, for ETag and If-Match.
    #[arg(long, value_name = "NAME")]
    etag_field: Option<String>,
    /// The field of a stream's messages that is printed as the `id:` of server-sent events.
    #[arg(long, value_name = "NAME")]
    sse_id_field: Option<String>,
    /// The field of a stream's messages that is printed as the `event:` of server-sent events.
    #[arg(long, value_name = "NAME")]
    sse_event_field: Option<String>,
    /// The field of a request for a stream that takes `Last-Event-ID`.
    #[arg(long, value_name = "NAME")]
    sse_resume_field: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unknown {
    Refuse,
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Errors {
    Google,
    Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Slash {
    Strict,
    Trim,
}

impl ServeArgs {
    /// The transcoder's options.
    pub fn options(&self) -> Options {
        Options {
            services: self.services.clone(),
            // What an upstream cannot say about itself must not keep the rest from being served.
            skip_incomplete: self.descriptors.is_none(),
            emit_defaults: self.emit_defaults,
            enums_as_ints: self.enums_as_ints,
            preserve_proto_field_names: self.preserve_proto_field_names,
            ignore_unknown_fields: self.unknown_fields == Unknown::Ignore,
            ignore_unknown_query: self.unknown_query == Unknown::Ignore,
            ignored_query_parameters: self.ignored_query_parameters.clone(),
            forward_request_headers: self.forward_request_headers.clone(),
            forward_response_metadata: self.forward_response_metadata.clone(),
            max_request_bytes: self.max_request_bytes,
            server_streams_over_websocket: true,
            max_timeout: self.max_timeout_ms.map(Duration::from_millis),
            errors: match self.errors {
                Errors::Google => ErrorFormat::Google,
                Errors::Problem => ErrorFormat::Problem,
            },
            trailing_slash: match self.trailing_slash {
                Slash::Strict => TrailingSlash::Strict,
                Slash::Trim => TrailingSlash::Trim,
            },
            etag_field: self.etag_field.clone(),
            sse: SseFields {
                id: self.sse_id_field.clone(),
                event: self.sse_event_field.clone(),
                resume: self.sse_resume_field.clone(),
            },
            ..Options::default()
        }
    }
}

/// Does what the arguments ask; the cause of a failure goes to standard error.
pub fn main(args: Args) -> ExitCode {
    let done = match (args.command, args.serve) {
        (Some(Command::Check(args)), _) => check::run_check(&args),
        (None, Some(args)) => serve_to_the_end(args),
        (None, None) => Err("--upstream and --listen are needed to serve".into()),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{error}");
        ExitCode::FAILURE
    })
}

/// Runs the generic mode to its end, in a runtime of its own.
fn serve_to_the_end(args: ServeArgs) -> Result<ExitCode, crate::BoxError> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,transcode=info"));
    // A program that has set up its own log keeps it.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    #[cfg(unix)]
    serve::raise_file_limit();
    // On one processor there is no other thread to share work with.
    let alone = std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
    let mut builder = match alone {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(run_command(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the generic mode until the process is asked to end (SIGINT or SIGTERM).
///
/// # Errors
/// When the contracts are refused at the start, or the address cannot be listened on.
pub async fn run_command(args: ServeArgs) -> Result<(), crate::BoxError> {
    let ca = args.upstream_ca.as_ref().map(std::fs::read).transpose()?;
    let upstream = Direct::new(&args.upstream, ca.as_deref())?;
    let source = match &args.descriptors {
        Some(path) => Source::File(path.clone()),
        None => Source::Reflection(upstream.clone()),
    };
    let options = args.options();
    let contracts = if args.check { source.read().await? } else { source.first().await? };
    contracts.warn_of_gaps();
    let descriptors = contracts.descriptors;
    let transcoder = Transcoder::compile(&descriptors, options)?;
    for route in check::unreachable_routes(&transcoder) {
        tracing::warn!("{route}");
    }
    if args.check {
        writeln!(std::io::stdout(), "{} routes", transcoder.routes())?;
        return Ok(());
    }
    let listener = serve::bind_listener(args.listen)?;
    let reloadable = ReloadableTranscoder::new(transcoder);
    let watch = tokio::spawn(source::watch_sources(source, descriptors, reloadable.clone()));
    tracing::info!(address = %listener.local_addr()?, routes = reloadable.load().routes(), "listening");
    let end = serve::asked_to_end();
    serve::serve_transcoder(listener, reloadable, upstream, end).await;
    watch.abort();
    Ok(())
}
