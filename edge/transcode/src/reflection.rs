//! Contracts by gRPC server reflection, version 1.

use std::collections::{BTreeMap, HashSet};

use futures::{StreamExt as _, stream};
use prost::Message as _;
use tonic::transport::Channel;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
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
    let mut client = ServerReflectionClient::new(channel).max_decoding_message_size(64 << 20);
    let mut files = BTreeMap::new();
    for service in services(&mut client).await? {
        if !service.starts_with("grpc.reflection.") {
            fetch(&mut client, MessageRequest::FileContainingSymbol(service), &mut files).await?;
        }
    }
    let mut asked = HashSet::new();
    loop {
        let known = |name: &String| files.contains_key(name) || asked.contains(name);
        let missing = files.values().flat_map(|f: &File| &f.imports).find(|i| !known(i)).cloned();
        let Some(name) = missing else { break };
        asked.insert(name.clone());
        fetch(&mut client, MessageRequest::FileByFilename(name), &mut files).await?;
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

type Client = ServerReflectionClient<Channel>;

async fn services(client: &mut Client) -> Result<Vec<String>, BoxError> {
    match ask(client, MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|s| s.name).collect())
        }
        _ => Err("the upstream's reflection does not list its services".into()),
    }
}

async fn fetch(
    client: &mut Client,
    request: MessageRequest,
    files: &mut BTreeMap<String, File>,
) -> Result<(), BoxError> {
    match ask(client, request.clone()).await? {
        MessageResponse::FileDescriptorResponse(answer) => {
            for bytes in answer.file_descriptor_proto {
                let header = Header::decode(bytes.as_slice())?;
                files.insert(header.name, File { bytes, imports: header.imports });
            }
            Ok(())
        }
        MessageResponse::ErrorResponse(error) => {
            Err(format!("the upstream's reflection: {request:?}: {}", error.error_message).into())
        }
        _ => Err("the upstream's reflection answers another question".into()),
    }
}

async fn ask(client: &mut Client, request: MessageRequest) -> Result<MessageResponse, BoxError> {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut answers = client.server_reflection_info(stream::iter([request])).await?.into_inner();
    let answer: Option<Result<ServerReflectionResponse, _>> = answers.next().await;
    let answer = answer.ok_or("the upstream's reflection did not answer")??;
    answer.message_response.ok_or_else(|| "the upstream's reflection answered nothing".into())
}
