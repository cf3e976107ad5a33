//! Contracts by server reflection, from servers that know themselves wholly and from others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::server::Router;
use tonic::{Code, Status};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{
    ServerReflection, ServerReflectionServer,
};
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};
use transcode::source::Source;
use transcode::{Options, Transcoder};

use crate::server::{direct, grpc};
use crate::support::{DESCRIPTORS, Edge, compile};

async fn serve(server: Router) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let incoming = futures::stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    tokio::spawn(server.serve_with_incoming(incoming));
    Source::Reflection(direct(address))
}

#[tokio::test]
async fn contracts_are_found_by_reflection_of_either_version() {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&DESCRIPTORS)
    };
    let server = tonic::transport::Server::builder;
    find_all(server().add_service(reflection().build_v1().unwrap())).await;
    find_all(server().add_service(reflection().build_v1alpha().unwrap())).await;
}

async fn find_all(server: Router) {
    let source = serve(server).await;
    let found = source.read().await.unwrap();
    assert_eq!(found.gaps, Vec::<String>::new());
    let transcoder = Transcoder::compile(&found.descriptors, Options::default()).unwrap();
    let whole = Transcoder::compile(&DESCRIPTORS, Options::default()).unwrap();
    assert_eq!(transcoder.routes(), whole.routes());
    // Read twice it is the same set, or every look would be a reload.
    assert_eq!(source.read().await.unwrap().descriptors, found.descriptors);
}

#[tokio::test]
async fn an_upstream_without_reflection_is_an_error() {
    let edge = Edge::new(Options::default());
    let address = grpc(edge.upstream).await;
    assert!(Source::Reflection(direct(address)).read().await.is_err());
}

/// How a server says that it does not have a descriptor.
#[derive(Clone, Copy)]
enum Absent {
    /// By an answer, as most do.
    Answer,
    /// By the end of the call.
    Status(Code),
}

/// A server that lists `services` and has these files, by name and by the services in them.
#[derive(Clone)]
struct Reflection {
    services: Arc<Vec<&'static str>>,
    files: Arc<HashMap<String, Vec<u8>>>,
    absent: Absent,
}

impl Reflection {
    fn answer(&self, request: MessageRequest) -> Result<MessageResponse, Status> {
        let key = match request {
            MessageRequest::ListServices(_) => {
                let service = |name: &&str| ServiceResponse { name: (*name).to_owned() };
                let service = self.services.iter().map(service).collect();
                return Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service }));
            }
            MessageRequest::FileByFilename(key) | MessageRequest::FileContainingSymbol(key) => key,
            _ => return Err(Status::unimplemented("")),
        };
        match (self.files.get(&key), self.absent) {
            (Some(file), _) => {
                let file_descriptor_proto = vec![file.clone()];
                let answer = FileDescriptorResponse { file_descriptor_proto };
                Ok(MessageResponse::FileDescriptorResponse(answer))
            }
            (None, Absent::Answer) => Ok(MessageResponse::ErrorResponse(ErrorResponse {
                error_code: Code::NotFound as i32,
                error_message: "never heard of it".to_owned(),
            })),
            (None, Absent::Status(code)) => Err(Status::new(code, "never heard of it")),
        }
    }
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        request: tonic::Request<tonic::Streaming<ServerReflectionRequest>>,
    ) -> Result<tonic::Response<Self::ServerReflectionInfoStream>, Status> {
        let reflection = self.clone();
        let answers = request.into_inner().map(move |request| {
            let message = reflection.answer(request?.message_request.unwrap())?;
            Ok(ServerReflectionResponse {
                message_response: Some(message),
                ..ServerReflectionResponse::default()
            })
        });
        Ok(tonic::Response::new(answers.boxed()))
    }
}

/// The files of a set as they are, options with their extensions included.
#[derive(prost::Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

const CONTRACTS: [(&str, &str); 3] = [
    ("lost.proto", "package t; message Lost {}"),
    (
        "imported.proto",
        "package t; import \"google/api/annotations.proto\"; message M { string s = 1; }\n\
         service Elsewhere { rpc Get(M) returns (M) {\n\
         option (google.api.http) = { get: \"/clash\" }; } }",
    ),
    (
        "served.proto",
        "package t; import \"google/api/annotations.proto\"; import \"imported.proto\";\n\
         import \"lost.proto\"; message Holder { repeated Deeper deeper = 1; }\n\
         message Deeper { Lost lost = 1; }\n\
         service S {\n\
         rpc Get(M) returns (M) { option (google.api.http) = { get: \"/clash\" }; }\n\
         rpc In(Lost) returns (M) { option (google.api.http) = { get: \"/in\" }; }\n\
         rpc Out(M) returns (Holder) { option (google.api.http) = { get: \"/out\" }; } }",
    ),
];

/// A server without the files `lost.proto` and `google/api/annotations.proto`, which lists a service
/// of which it knows nothing.
fn forgetful(absent: Absent) -> Reflection {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in CONTRACTS {
        std::fs::write(folder.path().join(name), format!("syntax = \"proto3\";\n{text}\n"))
            .unwrap();
    }
    let includes = [
        folder.path().to_str().unwrap().to_owned(),
        format!("{}/../../proto", env!("CARGO_MANIFEST_DIR")),
    ];
    let set = RawSet::decode(compile(&includes, "served.proto").as_slice()).unwrap();
    let name = |file: &[u8]| prost_types::FileDescriptorProto::decode(file).unwrap().name.unwrap();
    let mut files: HashMap<String, Vec<u8>> =
        set.files.into_iter().map(|file| (name(&file), file)).collect();
    files.remove("lost.proto");
    files.remove("google/api/annotations.proto");
    files.insert("t.S".to_owned(), files["served.proto"].clone());
    let services = Arc::new(vec!["t.S", "t.Ghost", "grpc.reflection.v1.ServerReflection"]);
    Reflection { services, files: Arc::new(files), absent }
}

#[tokio::test]
async fn what_a_server_does_not_know_of_itself_keeps_nothing_else_from_being_served() {
    for absent in [Absent::Answer, Absent::Status(Code::NotFound), Absent::Status(Code::Unknown)] {
        let server = tonic::transport::Server::builder()
            .add_service(ServerReflectionServer::new(forgetful(absent)));
        let found = serve(server).await.read().await.unwrap();
        assert_eq!(found.gaps.len(), 3, "{:?}", found.gaps);
        assert!(found.gaps[0].starts_with("service t.Ghost is not served"), "{:?}", found.gaps);
        for missing in ["lost.proto, which served.proto imports", "google/api/annotations.proto"] {
            assert!(found.gaps.iter().any(|gap| gap.contains(missing)), "{:?}", found.gaps);
        }
        let options = Options { skip_incomplete: true, ..Options::default() };
        let transcoder = Transcoder::compile(&found.descriptors, options).unwrap();
        // Elsewhere has the same route, but the server does not list it.
        assert_eq!(transcoder.routes(), 1);
        let route = transcoder.route(&http::Method::GET, "/clash").unwrap();
        assert_eq!(route.method().path(), "/t.S/Get");
        let left_out = transcoder.schema().left_out();
        let rpcs: Vec<&str> = left_out.iter().map(|left_out| left_out.rpc.as_str()).collect();
        assert_eq!(rpcs, ["t.S/In", "t.S/Out"]);
        assert_eq!(
            left_out[1].to_string(),
            "rpc t.S/Out is left out: t.Deeper.lost uses t.Lost, which the descriptor set does not contain"
        );
        // A set that is handed over as complete has to be.
        assert!(Transcoder::compile(&found.descriptors, Options::default()).is_err());
    }
}

#[tokio::test]
async fn a_server_that_cannot_answer_now_is_asked_again_later() {
    let reflection = forgetful(Absent::Status(Code::Unavailable));
    let server =
        tonic::transport::Server::builder().add_service(ServerReflectionServer::new(reflection));
    let error = serve(server).await.read().await.unwrap_err();
    assert!(error.to_string().contains("never heard of it"), "{error}");
}

#[tokio::test]
async fn a_server_that_has_no_descriptor_at_all_is_an_error() {
    let reflection = Reflection { files: Arc::default(), ..forgetful(Absent::Answer) };
    let server =
        tonic::transport::Server::builder().add_service(ServerReflectionServer::new(reflection));
    let error = serve(server).await.read().await.unwrap_err();
    assert!(error.to_string().contains("has no descriptor"), "{error}");
}
