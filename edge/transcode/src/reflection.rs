//! Contracts by gRPC server reflection: version 1, or the older v1alpha with the same messages.

use std::collections::{BTreeMap, HashSet};

use futures::{StreamExt as _, stream};
use http::uri::PathAndQuery;
use prost::Message as _;
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::body::BoxError;

/// The most files that are read: a server that sends ever new imports ends here.
const MAX_FILES: usize = 10_000;

/// A file as the server sent it (options keep their extensions), and what it imports.
struct File {
    bytes: Vec<u8>,
    imports: Vec<String>,
}

/// Just what is needed of a `FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
}

/// Reads the serialised `FileDescriptorSet` of all services of a server, reflection's own left out.
///
/// # Errors
/// When the server cannot be reached, has no reflection, or does not know a file it names.
pub async fn descriptors(channel: Channel) -> Result<Vec<u8>, BoxError> {
    let mut client = Client::new(channel);
    let mut files = BTreeMap::new();
    for service in client.services().await? {
        if !service.starts_with("grpc.reflection.") {
            client.fetch(MessageRequest::FileContainingSymbol(service), &mut files).await?;
        }
    }
    let mut asked = HashSet::new();
    loop {
        let known = |name: &String| files.contains_key(name) || asked.contains(name);
        let missing = files.values().flat_map(|f: &File| &f.imports).find(|i| !known(i)).cloned();
        let Some(name) = missing else { break };
        asked.insert(name.clone());
        client.fetch(MessageRequest::FileByFilename(name), &mut files).await?;
        if files.len() > MAX_FILES {
            return Err("the upstream's reflection names too many files".into());
        }
    }
    let mut set = Vec::new();
    for file in files.values() {
        prost::encoding::bytes::encode(1, &file.bytes, &mut set);
    }
    Ok(set)
}

/// The method, of the newest version first.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
const MAX_ANSWER: usize = 64 << 20;

struct Client {
    grpc: Grpc<Channel>,
    method: &'static str,
}

impl Client {
    fn new(channel: Channel) -> Self {
        let [method, _] = METHODS;
        Self { grpc: Grpc::new(channel).max_decoding_message_size(MAX_ANSWER), method }
    }

    /// The names of the services, from the first version which the server has.
    async fn services(&mut self) -> Result<Vec<String>, BoxError> {
        let list = || MessageRequest::ListServices(String::new());
        let mut answer = self.ask(list()).await;
        if answer.as_ref().is_err_and(|status| status.code() == Code::Unimplemented) {
            let [_, older] = METHODS;
            self.method = older;
            answer = self.ask(list()).await;
        }
        match answer? {
            MessageResponse::ListServicesResponse(list) => {
                Ok(list.service.into_iter().map(|s| s.name).collect())
            }
            _ => Err("the upstream's reflection does not list its services".into()),
        }
    }

    async fn fetch(
        &mut self,
        request: MessageRequest,
        files: &mut BTreeMap<String, File>,
    ) -> Result<(), BoxError> {
        match self.ask(request.clone()).await? {
            MessageResponse::FileDescriptorResponse(answer) => {
                for bytes in answer.file_descriptor_proto {
                    let header = Header::decode(bytes.as_slice())?;
                    files.insert(header.name, File { bytes, imports: header.imports });
                }
                Ok(())
            }
            MessageResponse::ErrorResponse(error) => {
                let problem = error.error_message;
                Err(format!("the upstream's reflection: {request:?}: {problem}").into())
            }
            _ => Err("the upstream's reflection answers another question".into()),
        }
    }

    async fn ask(&mut self, request: MessageRequest) -> Result<MessageResponse, tonic::Status> {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        self.grpc.ready().await.map_err(|e| tonic::Status::from_error(e.into()))?;
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let path = PathAndQuery::from_static(self.method);
        let request = tonic::Request::new(stream::iter([request]));
        let mut answers = self.grpc.streaming(request, path, codec).await?.into_inner();
        let answer = answers.next().await.transpose()?.and_then(|a| a.message_response);
        answer.ok_or_else(|| tonic::Status::internal("the upstream's reflection did not answer"))
    }
}
