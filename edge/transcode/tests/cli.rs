//! The program: what `--check` accepts, and contracts that change while it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Writes the descriptors of one method with these rules.
fn describe(path: &Path, rules: &str) {
    describe_rpc(path, "Get(M) returns (M)", rules);
}

fn describe_rpc(path: &Path, rpc: &str, rules: &str) {
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "syntax = \"proto3\";\npackage t;\nimport \"google/api/annotations.proto\";\n\
         message M {{ string s = 1; }}\nservice S {{\n  rpc {rpc} {{\n\
         option (google.api.http) = {{ {rules} }};\n  }}\n}}\n"
    );
    std::fs::write(folder.path().join("t.proto"), source).unwrap();
    let google = format!("{}/../../proto", env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([folder.path(), Path::new(&google)]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_file("t.proto").unwrap();
    // A rename replaces the file at once; it is never seen half written.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, compiler.encode_file_descriptor_set()).unwrap();
    std::fs::rename(&fresh, path).unwrap();
}

fn program(descriptors: &Path) -> Command {
    program_before("http://127.0.0.1:9", descriptors)
}

fn program_before(upstream: &str, descriptors: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcode"));
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    command.arg("--descriptors").arg(descriptors);
    command.args(["--upstream", upstream, "--listen", "127.0.0.1:0"]);
    command
}

fn check(descriptors: &Path, more: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } =
        program(descriptors).arg("--check").args(more).output().unwrap();
    let said = if status.success() { stdout } else { stderr };
    (status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn check_accepts_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    describe(&path, "get: \"/a/{s}\" additional_bindings { get: \"/b\" }");
    assert_eq!(check(&path, &[]), (true, "2 routes\n".to_owned()));
    let all = [
        "--emit-defaults",
        "--enums-as-ints",
        "--preserve-proto-field-names",
        "--unknown-fields=ignore",
        "--unknown-query=ignore",
        "--ignored-query-parameters=key",
        "--ignored-query-parameters=alt",
        "--forward-request-headers=x-a",
        "--forward-response-metadata=x-b",
        "--max-request-bytes=1024",
        "--max-timeout-ms=1000",
        "--errors=problem",
        "--trailing-slash=trim",
        "--services=t.S",
    ];
    assert!(check(&path, &all).0);
    let (accepted, why) = check(&path, &["--forward-request-headers=te"]);
    assert!(!accepted && why.contains("\"te\""), "{why}");
    let (accepted, why) = check(&path, &["--services=t.Other"]);
    assert!(!accepted && why.contains("\"t.Other\""), "{why}");
    describe(&path, "get: \"/a/{t}\"");
    let (accepted, why) = check(&path, &[]);
    assert!(!accepted);
    assert_eq!(why, "t.proto:6: rpc t.S/Get, template \"/a/{t}\": t.M has no field t\n");
    let (accepted, why) = check(&folder.path().join("none.pb"), &[]);
    assert!(!accepted && why.contains("none.pb"), "{why}");
}

/// The set's own `google.rpc` types, as nearly every contract of Google's and Envoy's has them.
#[test]
fn contracts_may_import_the_error_types() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "google/rpc/status.proto",
        "syntax = \"proto3\";\npackage google.rpc;\nimport \"google/protobuf/any.proto\";\n\
         message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }\n",
    );
    write(
        "google/rpc/error_details.proto",
        "syntax = \"proto3\";\npackage google.rpc;\nmessage ErrorInfo { string reason = 1; string domain = 2; }\n",
    );
    write(
        "t.proto",
        "syntax = \"proto3\";\npackage t;\nimport \"google/api/annotations.proto\";\n\
         import \"google/rpc/status.proto\";\nimport \"google/rpc/error_details.proto\";\n\
         message M { google.rpc.Status status = 1; google.rpc.ErrorInfo info = 2; }\n\
         service S { rpc Get(M) returns (M) { option (google.api.http) = { get: \"/a\" }; } }\n",
    );
    let google = format!("{}/../../proto", env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([folder.path(), Path::new(&google)]).unwrap();
    compiler.include_imports(true).open_file("t.proto").unwrap();
    let path = folder.path().join("descriptors.pb");
    std::fs::write(&path, compiler.encode_file_descriptor_set()).unwrap();
    assert_eq!(check(&path, &[]), (true, "1 routes\n".to_owned()));
}

/// What `check` says about a folder of contracts.
fn check_folder(folder: &Path, more: &[&str]) -> (bool, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcode"));
    let Output { status, stdout, stderr } =
        command.arg("check").arg(folder).args(more).env("NO_COLOR", "1").output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.success(), said.lines().map(str::to_owned).collect())
}

/// Writes a set of contracts whose RPCs have these rules.
fn write_set(folder: &Path, name: &str, rules: &[(&str, &str)], more: &str) {
    let package = name.replace('/', ".");
    let rpcs: String = rules
        .iter()
        .map(|(rpc, rule)| {
            format!("rpc {rpc}(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}\n")
        })
        .collect();
    let source = format!(
        "syntax = \"proto3\";\npackage {package};\nimport \"google/api/annotations.proto\";\n{more}\n\
         message M {{ string a = 1; string b = 2; }}\nservice S {{\n{rpcs}}}\n"
    );
    std::fs::create_dir_all(folder.join(name)).unwrap();
    std::fs::write(folder.join(name).join("a.proto"), source).unwrap();
}

#[test]
fn a_folder_of_contracts_is_checked_set_by_set() {
    let folder = tempfile::tempdir().unwrap();
    let google = format!("{}/../../proto", env!("CARGO_MANIFEST_DIR"));
    let import = format!("--import={google}");
    let write = |name: &str, rules: &[(&str, &str)], more: &str| {
        write_set(folder.path(), name, rules, more)
    };
    write("good/v1", &[("Get", "get: \"/a/{a}\""), ("List", "get: \"/a\"")], "");
    // What is imported is not served with it, and clashes with nothing.
    write("user/v1", &[("Get", "get: \"/a/{a}\"")], "import \"good/v1/a.proto\";");
    write("quiet/v1", &[], "");
    describe(&folder.path().join("set.binpb"), "get: \"/b\"");
    let (all_good, lines) = check_folder(folder.path(), &[&import]);
    assert_eq!(
        lines,
        [
            "accepted set.binpb: 1 routes",
            "accepted good/v1: 2 routes",
            "accepted user/v1: 1 routes",
            "3 sets accepted with 4 routes, 0 partly, 0 refused, 1 without routes",
        ]
    );
    assert!(all_good);

    write("clash/v1", &[("Get", "get: \"/a/{a}\""), ("Other", "get: \"/a/{b}\"")], "");
    write(
        "hidden/v1",
        &[
            ("Rest", "get: \"/a/{a=**}\""),
            ("Tail", "get: \"/a/{a=**}/{b}\""),
            ("None", "get: \"/a\""),
        ],
        "",
    );
    write("broken/v1", &[], "import \"nowhere.proto\";");
    let (all_good, lines) = check_folder(folder.path(), &[&import]);
    assert!(!all_good);
    let says = |start: &str, part: &str| {
        let line = lines.iter().find(|line| line.starts_with(start));
        assert!(line.is_some_and(|line| line.contains(part)), "{start} {part}: {lines:#?}");
    };
    says("refused clash/v1", "clash/v1/a.proto:8: rpc clash.v1.S/Other");
    says("refused broken/v1", "nowhere.proto");
    says("partly hidden/v1", "2 of 3 routes");
    says("  rpc hidden.v1.S/Rest", "\"/a/{a=**}\": hidden.v1.S/Tail answers its paths");
    says("3 sets", "1 partly, 2 refused, 1 without");
    // Without the imports nothing can be said of the rest either.
    assert!(!check_folder(&folder.path().join("good"), &[]).0);
    let empty = tempfile::tempdir().unwrap();
    let (accepted, lines) = check_folder(empty.path(), &[]);
    assert!(
        !accepted && lines[0].ends_with("has no .proto file and no descriptor set"),
        "{lines:?}"
    );
}

#[test]
fn an_upstream_that_cannot_be_used_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    describe(&path, "get: \"/a\"");
    for (url, problem) in [
        ("localhost:50051", "must begin with http:// or https://"),
        ("ftp://localhost:50051", "must begin with http:// or https://"),
        ("http://localhost:50051/grpc", "must end behind the host and port"),
        ("http://localhost:0", "port"),
        ("http://user:password@localhost", "user"),
    ] {
        let output = program_before(url, &path).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(problem), "{url}: {said}");
        assert!(!said.contains("password"), "{said}");
    }
    // An authority for an upstream without TLS is a mistake.
    let (accepted, why) = check(&path, &["--upstream-ca", path.to_str().unwrap()]);
    assert!(!accepted && why.contains("https://"), "{why}");
}

/// The program, until it is dropped.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(descriptors: &Path) -> Self {
        Self::of(program(descriptors))
    }

    fn of(mut program: Command) -> Self {
        let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("address=")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        // The rest of the log must be read, or the program waits for room in the pipe.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address: address.unwrap() }
    }

    async fn status(&self, path: &str) -> u16 {
        let stream = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(path).header("host", "edge").body(Empty::<Bytes>::new());
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        answer.collect().await.unwrap();
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn changed_contracts_are_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    describe(&path, "get: \"/old\"");
    let running = Running::start(&path);
    // 503: there is a route, and no upstream behind it.
    assert_eq!((running.status("/old").await, running.status("/new").await), (503, 404));
    describe(&path, "get: \"/new/{no_such_field}\"");
    describe(&path, "get: \"/new\"");
    while running.status("/new").await == 404 {
        tokio::task::yield_now().await;
    }
    assert_eq!((running.status("/old").await, running.status("/new").await), (404, 503));
}

#[tokio::test]
async fn as_many_files_as_allowed_may_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    describe(&path, "get: \"/a\"");
    // The program starts below what it may have.
    let program = program(&path);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 64 && exec \"$0\" \"$@\""]).arg(program.get_program());
    shell.args(program.get_args()).env_remove("RUST_LOG").env("NO_COLOR", "1");
    let running = Running::of(shell);
    let limits = format!("/proc/{}/limits", running.child.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|column| files.split_whitespace().nth(column).unwrap());
    assert_eq!(soft, hard);
}

#[tokio::test]
async fn a_websocket_is_closed_with_a_code_when_the_program_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.pb");
    describe_rpc(&path, "Watch(M) returns (stream M)", "get: \"/watch\"");
    // An upstream that takes every call and answers none.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", silent.local_addr().unwrap());
    let mut running = Running::of(program_before(&upstream, &path));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let url = format!("ws://{}/watch", running.address);
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let terminate = format!("kill -TERM {}", running.child.id());
    assert!(Command::new("sh").args(["-c", &terminate]).status().unwrap().success());
    let mut code = None;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            code = frame.map(|frame| frame.code);
        }
    }
    assert_eq!(code, Some(CloseCode::Restart));
    drop(socket);
    assert!(running.child.wait().unwrap().success());
}
