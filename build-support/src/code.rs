//! Message types through prost and services through tonic, one module tree for all packages.

use crate::contracts::Contracts;
use prost_build::{Config, Service, ServiceGenerator};
use std::{io, path::Path};

/// The codec of generated servers, relative to the crate that includes the code: it refuses what breaks a rule.
const SERVER_CODEC: &str = "crate::codec::Codec";

/// Writes one file a package, and `mod.rs`, which includes them all.
///
/// # Errors
/// When a file cannot be written.
pub fn generate_code(contracts: &Contracts, out: &Path, skip_debug: &[String]) -> io::Result<()> {
    let mut config = Config::new();
    config
        .out_dir(out)
        .include_file("mod.rs")
        .btree_map(["."]) // one order of entries, so that equal messages have equal bytes
        .service_generator(Box::new(Both::new()))
        .skip_debug(skip_debug);
    config.compile_fds(contracts.for_generation())
}

/// Clients that trust what they sent and got, and servers that do not: two codecs, hence two generators.
struct Both {
    client: Box<dyn ServiceGenerator>,
    server: Box<dyn ServiceGenerator>,
}

impl Both {
    fn new() -> Self {
        let base = tonic_prost_build::configure;
        Self {
            client: base().build_server(false).service_generator(),
            server: base().build_client(false).codec_path(SERVER_CODEC).service_generator(),
        }
    }
}

impl ServiceGenerator for Both {
    fn generate(&mut self, service: Service, code: &mut String) {
        self.client.generate(service.clone(), code);
        self.server.generate(service, code);
    }
}
