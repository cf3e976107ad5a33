//! Contracts by gRPC server reflection: version 1, or the older v1alpha with the same messages.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt as _, stream};
use http::uri::PathAndQuery;
use prost::Message as _;
use tonic::Code;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::body::BoxError;
use crate::direct::Direct;

/// The most files that are read: a server that sends ever new imports ends here.
const MAX_FILES: usize = 10_000;

/// Contracts as they were read.
#[derive(Debug, Default)]
pub struct Contracts {
    /// The serialised `FileDescriptorSet`.
    pub descriptors: Vec<u8>,
    /// What a server does not know of itself, in words. The rest can be served.
    pub gaps: Vec<String>,
}

impl Contracts {
    /// Says in the log what is missing.
    pub fn warn_of_gaps(&self) {
        for gap in &self.gaps {
            tracing::warn!("the upstream's reflection is incomplete: {gap}");
        }
    }
}

/// A file as the server sent it (options keep their extensions), and what is needed of it.
struct File {
    bytes: Vec<u8>,
    header: Header,
}

/// Just what is needed of a `FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<ServiceHeader>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceHeader {
    #[prost(string, tag = "1")]
    name: String,
}

/// Reads the descriptors of all services of a server, reflection's own left out. Files of which the
/// server serves nothing are marked as imported. A service or an import of which it has no descriptor
/// is a gap, and the rest is read.
///
/// # Errors
/// When the server cannot be reached, has no reflection, or has no descriptor of any service.
pub async fn read_contracts(upstream: Direct) -> Result<Contracts, BoxError> {
    let mut client = Client::new(upstream);
    let mut files = BTreeMap::new();
    let mut gaps = Vec::new();
    let listed = client.services().await?;
    let listed: HashSet<String> =
        listed.into_iter().filter(|name| !name.starts_with("grpc.reflection.")).collect();
    for service in listed.iter().collect::<BTreeSet<_>>() {
        let symbol = MessageRequest::FileContainingSymbol(service.clone());
        if let Some(problem) = client.fetch(symbol, &mut files).await? {
            gaps.push(format!("service {service} is not served, it has no descriptor: {problem}"));
        }
    }
    if files.is_empty()
        && let Some(gap) = gaps.first()
    {
        return Err(format!("the upstream's reflection: {gap}").into());
    }
    client.fetch_imports(&mut files, &mut gaps).await?;
    let mut descriptors = Vec::new();
    for file in files.into_values() {
        let bytes = file.marked(&listed);
        prost::encoding::bytes::encode(1, &bytes, &mut descriptors);
    }
    Ok(Contracts { descriptors, gaps })
}

impl File {
    /// The file as an entry of a set: one without any listed service is only imported.
    fn marked(self, listed: &HashSet<String>) -> Vec<u8> {
        let Header { package, services, .. } = &self.header;
        let serves = services.iter().any(|service| match package.as_str() {
            "" => listed.contains(&service.name),
            package => listed.contains(&format!("{package}.{}", service.name)),
        });
        let mut bytes = self.bytes;
        if !serves {
            bytes.extend_from_slice(IS_IMPORT);
        }
        bytes
    }
}

/// The mark of a Buf image, as bytes of a `FileDescriptorProto`: field 8042, a message with field 1 true.
const IS_IMPORT: &[u8] = &[0xD2, 0xF6, 0x03, 2, 1 << 3, 1];

/// The method, of the newest version first.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
const MAX_ANSWER: usize = 64 << 20;

/// Whether a status says that the server does not have a file, and not that it cannot be asked now.
fn is_about_the_file(code: Code) -> bool {
    !matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::ResourceExhausted
            | Code::Unauthenticated
            | Code::PermissionDenied
    )
}

struct Client {
    grpc: Grpc<Direct>,
    method: &'static str,
}

impl Client {
    fn new(upstream: Direct) -> Self {
        let [method, _] = METHODS;
        let grpc = Grpc::new(upstream)
            .max_decoding_message_size(MAX_ANSWER)
            .accept_compressed(CompressionEncoding::Gzip);
        Self { grpc, method }
    }

    /// The names of the services, from the first version which the server has.
    async fn services(&mut self) -> Result<Vec<String>, BoxError> {
        let list = MessageRequest::ListServices(String::new());
        let mut answer = self.ask(list.clone()).await;
        if answer.as_ref().is_err_and(|status| status.code() == Code::Unimplemented) {
            let [_, older] = METHODS;
            self.method = older;
            answer = self.ask(list).await;
        }
        match answer? {
            MessageResponse::ListServicesResponse(list) => {
                Ok(list.service.into_iter().map(|s| s.name).collect())
            }
            _ => Err("the upstream's reflection does not list its services".into()),
        }
    }

    /// Adds the files of an answer; what the server says instead when it does not have them.
    async fn fetch(
        &mut self,
        request: MessageRequest,
        files: &mut BTreeMap<String, File>,
    ) -> Result<Option<String>, BoxError> {
        let answer = match self.ask(request).await {
            Ok(answer) => answer,
            // Some servers end the call instead of answering.
            Err(status) if is_about_the_file(status.code()) => {
                return Ok(Some(format!("{}: {}", status.code(), status.message())));
            }
            Err(status) => return Err(status.into()),
        };
        match answer {
            MessageResponse::FileDescriptorResponse(answer) => {
                for bytes in answer.file_descriptor_proto {
                    let header = Header::decode(bytes.as_slice())?;
                    files.insert(header.name.clone(), File { bytes, header });
                }
                Ok(None)
            }
            MessageResponse::ErrorResponse(error) => {
                let code = Code::from_i32(error.error_code);
                Ok(Some(format!("{code}: {}", error.error_message)))
            }
            _ => Err("the upstream's reflection answers another question".into()),
        }
    }

    async fn fetch_imports(
        &mut self,
        files: &mut BTreeMap<String, File>,
        gaps: &mut Vec<String>,
    ) -> Result<(), BoxError> {
        let mut asked = HashSet::new();
        loop {
            let missing = files.values().find_map(|file| {
                let mut imports = file.header.imports.iter();
                let import = imports.find(|&it| !files.contains_key(it) && !asked.contains(it))?;
                Some((import.clone(), file.header.name.clone()))
            });
            let Some((import, user)) = missing else { return Ok(()) };
            asked.insert(import.clone());
            let request = MessageRequest::FileByFilename(import.clone());
            if let Some(problem) = self.fetch(request, files).await? {
                gaps.push(format!(
                    "{import}, which {user} imports, has no descriptor, and methods that need its \
                     types are not served: {problem}"
                ));
            }
            if files.len() > MAX_FILES {
                return Err("the upstream's reflection names too many files".into());
            }
        }
    }

    async fn ask(&mut self, request: MessageRequest) -> Result<MessageResponse, tonic::Status> {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        self.grpc.ready().await.map_err(tonic::Status::from_error)?;
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let path = PathAndQuery::from_static(self.method);
        let request = tonic::Request::new(stream::iter([request]));
        let mut answers = self.grpc.streaming(request, path, codec).await?.into_inner();
        let answer = answers.next().await.transpose()?.and_then(|a| a.message_response);
        answer.ok_or_else(|| tonic::Status::internal("the upstream's reflection did not answer"))
    }
}
