//! Certificates between processes: who is let in, who is believed, and that they turn while calls go on.

use http::Request;
use http_body_util::{BodyExt, Full};
use kit::{
    Clock, Routes,
    identity::{
        identify::{INTERNAL_TOKEN, Identity},
        token::{ISSUER, Mint, Verifier},
    },
    mesh::{Certificates, MeshFiles, ServiceName, name::dns_name_of},
    rpc::{
        caller::EDGE,
        guard::guard_service,
        listener::{Options, bind_listener, serve_routes},
        remote::RemoteChannel,
    },
};
use proto::rpc::{Caller, Rpc};
use quickserve::certs::{
    Wanted,
    authority::{Authorities, IssuedCertificate, Leaf},
    make_certificates, members,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Status, body::Body};

/// The RPC of payment that only order may call.
const CHARGE: &str = "/quickserve.payment.v1.ChargeService/AuthorizePayment";

/// The certificates and keys of an installation.
struct Made {
    folder: TempDir,
    wanted: Wanted,
}

impl Made {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            folder: folder.path().to_owned(),
            namespace: "test".to_owned(),
            days: 30,
            readable: false,
            new_authority: false,
        };
        let made = Self { folder, wanted };
        made.again(&made.wanted, 0);
        made
    }

    /// Runs the command again, so many minutes from now.
    fn again(&self, wanted: &Wanted, minutes: i64) -> Vec<String> {
        make_certificates(wanted, Clock::system().now() + chrono::Duration::minutes(minutes))
            .unwrap()
    }

    fn files(&self, service: &str) -> MeshFiles {
        files_in(&self.folder.path().join(service))
    }

    fn certificates(&self, service: &str) -> Certificates {
        Certificates::load(self.files(service)).unwrap()
    }

    /// A certificate of this authority that says what `leaf` says, in the place of `service`'s own.
    fn issue(&self, leaf: &Leaf, service: &str) -> (TempDir, Certificates) {
        let text = std::fs::read(self.folder.path().join("ca/authorities.json")).unwrap();
        let authorities: Authorities = serde_json::from_slice(&text).unwrap();
        let IssuedCertificate { certificate, key } = authorities.current.issue(leaf).unwrap();
        let (folder, mut files) = (tempfile::tempdir().unwrap(), self.files(service));
        files.cert = write(&folder, "cert.pem", &certificate);
        files.key = write(&folder, "key.pem", &key);
        (folder, Certificates::load(files).unwrap())
    }
}

fn files_in(folder: &Path) -> MeshFiles {
    let [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map(|file| folder.join(file));
    MeshFiles { cert, key, ca, keys: folder.to_owned() }
}

fn write(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn leaf(service: &str) -> Leaf {
    let name = ServiceName { namespace: "test".into(), service: service.into() };
    Leaf::new(name, Clock::system().now(), chrono::Duration::days(1))
}

/// What proves the services of a process with these certificates.
fn identity(certificates: &Certificates) -> Identity {
    let clock = Clock::system();
    let keys = certificates.open_keys(clock.clone()).unwrap();
    let nobody = Verifier::from_jwks(ISSUER, &serde_json::json!({ "keys": [] }), clock.clone());
    Identity::in_mesh(ISSUER, &keys, nobody, clock)
}

/// A service with nothing behind its guard: what the guard lets through is UNIMPLEMENTED.
struct Server {
    address: SocketAddr,
    certificates: Certificates,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    fn start(made: &Made, service: &str) -> Self {
        let certificates = made.certificates(service);
        let identity = Arc::new(identity(&certificates));
        let stack = guard_service(service, Routes::default(), identity);
        let listener = bind_listener(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options { certificates: Some(certificates.clone()), ..Options::default() };
        let serving = serve_routes(listener, stack, CancellationToken::new(), options);
        let task = tokio::spawn(async move {
            serving.await.unwrap();
        });
        Self { address, certificates, _task: AbortOnDropHandle::new(task) }
    }

    fn channel(&self, from: &Certificates, to: &str) -> RemoteChannel {
        let url = format!("https://{}", self.address);
        RemoteChannel::connect_in_mesh(&url, from.client(to).unwrap()).unwrap()
    }
}

/// What a call with this token is answered with.
async fn call(channel: &RemoteChannel, path: &str, token: Option<(&Mint, &str)>) -> Code {
    let frame = Full::new(bytes::Bytes::from_static(&[0; 5])).map_err(|never| match never {});
    let mut request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "20S")
        .header("idempotency-key", "matrix")
        .body(Body::new(frame))
        .unwrap();
    if let Some((mint, target)) = token {
        request.headers_mut().insert(INTERNAL_TOKEN, mint.token(target, None));
    }
    match channel.send(request).await {
        Ok(answer) => Status::from_header_map(answer.headers()).map_or(Code::Ok, |it| it.code()),
        Err(status) => status.code(),
    }
}

/// What comes of asking for a charge with a token for `target`.
async fn asked(channel: &RemoteChannel, mint: &Mint, target: &str) -> Code {
    call(channel, CHARGE, Some((mint, target))).await
}

/// The service that serves an RPC.
fn target(rpc: &Rpc) -> &'static str {
    match rpc.service.split('.').nth(1) {
        Some("fulfilment") => "cleaning",
        Some("kit") => "user",
        Some(package) => package,
        None => "",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_believes_the_certificates_of_those_that_its_contract_lists() {
    let made = Made::new();
    let mut targets: Vec<&str> = proto::all_rpcs().iter().map(target).collect();
    targets.sort_unstable();
    targets.dedup();
    let servers: Vec<_> = targets.iter().map(|name| (*name, Server::start(&made, name))).collect();
    let mut allowed = 0;
    for caller in members() {
        let certificates = made.certificates(caller);
        let mint = identity(&certificates).mint(caller);
        for (name, server) in &servers {
            let channel = server.channel(&certificates, name);
            for rpc in proto::all_rpcs().iter().filter(|rpc| target(rpc) == *name) {
                let code = call(&channel, rpc.path, Some((&mint, name))).await;
                let refused = matches!(code, Code::Unauthenticated | Code::PermissionDenied);
                let is_public = caller == EDGE && rpc.callers.contains(Caller::Public);
                let is_listed = rpc.services.contains(&caller) || is_public;
                assert_eq!(!refused, is_listed, "{caller} calls {}: {code:?}", rpc.path);
                assert_ne!(code, Code::Unavailable, "{caller} calls {}", rpc.path);
                allowed += usize::from(!refused);
            }
        }
    }
    assert!(allowed > 50, "{allowed} are allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_right_opens_no_connection() {
    let (made, foreign) = (Made::new(), Made::new());
    let server = Server::start(&made, "payment");
    let order = made.certificates("order");
    let mint = identity(&order).mint("order");
    let token = Some((&mint, "payment"));
    let good = server.channel(&order, "payment");
    assert_eq!(call(&good, CHARGE, token).await, Code::Unimplemented, "the right one");

    let mut expired = leaf("order");
    expired.begins_at -= chrono::Duration::days(3);
    expired.ends_at -= chrono::Duration::days(2);
    let mut server_only = leaf("order");
    server_only.usages.truncate(1);
    let mut other_authority = foreign.files("order");
    other_authority.ca = made.files("order").ca;
    let (_kept, expired) = made.issue(&expired, "order");
    let (_kept_too, server_only) = made.issue(&server_only, "order");
    let other_authority = Certificates::load(other_authority).unwrap();
    let attempts = [
        ("expired", expired, "payment"),
        ("for servers only", server_only, "payment"),
        ("of another authority", other_authority, "payment"),
        ("of an authority that we do not trust", foreign.certificates("order"), "payment"),
        ("good, and another service answers than was called", order, "notification"),
    ];
    for (what, certificates, called) in attempts {
        let channel = server.channel(&certificates, called);
        assert_eq!(call(&channel, CHARGE, token).await, Code::Unavailable, "{what}");
    }
    let plain = RemoteChannel::connect(&format!("http://{}", server.address)).unwrap();
    assert_eq!(call(&plain, CHARGE, token).await, Code::Unavailable, "none");
    assert_eq!(call(&good, CHARGE, token).await, Code::Unimplemented, "the right one still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_believed_by_its_own_certificate_and_its_own_keys_together() {
    let made = Made::new();
    let server = Server::start(&made, "payment");
    let of = |service: &str| {
        let certificates = made.certificates(service);
        (server.channel(&certificates, "payment"), identity(&certificates))
    };
    let ((order, order_keys), (edge, edge_keys)) = (of("order"), of("edge"));
    let (mallory, mallory_keys) = of("notification");
    let orders = order_keys.mint("order");
    assert_eq!(asked(&order, &orders, "payment").await, Code::Unimplemented);
    assert_eq!(asked(&order, &orders, "provider").await, Code::Unauthenticated, "to another one");
    let own = mallory_keys.mint("notification");
    assert_eq!(asked(&mallory, &own, "payment").await, Code::PermissionDenied, "not listed");
    assert_eq!(asked(&mallory, &orders, "payment").await, Code::Unauthenticated, "replayed");
    let forged = mallory_keys.mint("order");
    assert_eq!(asked(&mallory, &forged, "payment").await, Code::Unauthenticated, "forged");
    assert_eq!(asked(&order, &forged, "payment").await, Code::Unauthenticated, "forged for order");
    let edges = edge_keys.mint(EDGE);
    assert_eq!(asked(&mallory, &edges, "payment").await, Code::Unauthenticated, "the edge's");
    assert_eq!(asked(&edge, &edges, "order").await, Code::Unauthenticated, "of the edge to order");
    assert_eq!(call(&order, CHARGE, None).await, Code::Unauthenticated, "without a token");

    // The same authority, another installation.
    let mut elsewhere = leaf("order");
    elsewhere.name.namespace = "elsewhere".into();
    let (_kept, elsewhere) = made.issue(&elsewhere, "order");
    let elsewhere = server.channel(&elsewhere, "payment");
    assert_eq!(asked(&elsewhere, &orders, "payment").await, Code::Unauthenticated);
}

/// Calls that each open a connection of their own, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: JoinSet<Vec<Code>>,
}

impl Load {
    fn start(server: &Arc<Server>, from: &Certificates, mint: &Mint) -> Self {
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut callers = JoinSet::new();
        for _ in 0..3 {
            let (stop, calls) = (stop.clone(), calls.clone());
            let (server, from, mint) = (server.clone(), from.clone(), mint.clone());
            callers.spawn(async move {
                let mut failed = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let channel = server.channel(&from, "payment");
                    let code = call(&channel, CHARGE, Some((&mint, "payment"))).await;
                    failed.extend((code != Code::Unimplemented).then_some(code));
                    calls.fetch_add(1, Ordering::SeqCst);
                }
                failed
            });
        }
        Self { stop, calls, callers }
    }

    /// Waits until so many calls more have ended.
    async fn goes_on(&self) {
        let until = self.calls.load(Ordering::SeqCst) + 6;
        let calls = async || self.calls.load(Ordering::SeqCst);
        kit::testing::eventually("calls go on", calls, |calls| *calls >= until).await;
    }

    async fn failures(self) -> Vec<Code> {
        self.stop.store(true, Ordering::SeqCst);
        self.callers.join_all().await.concat()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_the_authority_turn_while_no_call_fails() {
    let made = Made::new();
    let server = Arc::new(Server::start(&made, "payment"));
    let order = made.certificates("order");
    let first = std::fs::read(made.files("order").cert).unwrap();
    let (_kept, before) = made.issue(&leaf("order"), "order");
    let mint = identity(&order).mint("order");
    let load = Load::start(&server, &order, &mint);
    load.goes_on().await;
    let longer = Wanted { days: 90, ..made.wanted.clone() };
    let replaced = Wanted { new_authority: true, ..longer.clone() };
    // New certificates; then a new authority is trusted, signs, and is the only one.
    for (wanted, minutes) in [(&longer, 1), (&replaced, 1), (&longer, 3), (&longer, 5)] {
        made.again(wanted, minutes);
        server.certificates.look();
        load.goes_on().await;
        order.look();
        load.goes_on().await;
    }
    // Files that cannot be used change nothing.
    let cert = made.files("payment").cert;
    let good = std::fs::read(&cert).unwrap();
    std::fs::write(&cert, "nonsense").unwrap();
    server.certificates.look();
    load.goes_on().await;
    std::fs::write(&cert, good).unwrap();
    server.certificates.look();
    load.goes_on().await;
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_ne!(std::fs::read(made.files("order").cert).unwrap(), first);
    before.look();
    let withdrawn = server.channel(&before, "payment");
    let code = call(&withdrawn, CHARGE, Some((&mint, "payment"))).await;
    assert_eq!(
        code,
        Code::Unavailable,
        "the authority of this certificate is not trusted any more"
    );
}

#[test]
fn what_is_made_stays_until_it_ends_and_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = Made::new();
    let mode = |path: &str| {
        let found = std::fs::metadata(made.folder.path().join(path)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(
        [mode("order"), mode("order/key.pem"), mode("ca/authorities.json")],
        [0o700, 0o600, 0o600]
    );
    assert_eq!([mode("order/keyring.json"), mode("order/jwks.json")], [0o600, 0o644]);
    let care = std::fs::read(made.files("child_assistance").cert).unwrap();
    assert_eq!(dns_name_of("child_assistance"), "child-assistance");
    assert_eq!(made.again(&made.wanted, 0), ["nothing ends soon, everything stays as it was"]);
    assert_eq!(std::fs::read(made.files("child_assistance").cert).unwrap(), care);
    let readable = Wanted { readable: true, ..made.wanted.clone() };
    made.again(&readable, 0);
    assert_eq!(
        [mode("order"), mode("order/key.pem"), mode("order/keyring.json")],
        [0o755, 0o644, 0o644]
    );
    assert_eq!([mode(""), mode("ca"), mode("ca/authorities.json")], [0o700, 0o700, 0o600]);
    // With twenty days of thirty gone, certificates are renewed and keys turn.
    let did = made.again(&made.wanted, 21 * 24 * 60);
    assert!(did.iter().any(|line| line.starts_with("order has a new certificate")), "{did:?}");
    assert!(did.contains(&"order signs with its next key".to_owned()), "{did:?}");
    let keyring = made.certificates("order").open_keys(Clock::system());
    assert!(keyring.is_ok(), "{:?}", keyring.err().map(|error| error.to_string()));
}
