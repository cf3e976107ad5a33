//! A service with several replicas, which refuse, freeze, leave and come back, and what its caller notices of it.

use super::*;
use crate::testing::eventually;
use async_trait::async_trait;
use futures::{SinkExt as _, channel::mpsc};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{io, sync::Mutex};

/// Noticed at once, for tests; with questions for health that a busy machine has time to answer.
const FAST: FollowPace = FollowPace {
    lookup: Duration::from_millis(50),
    least_lookup: Duration::from_millis(10),
    health: Duration::from_millis(100),
    health_limit: Duration::from_millis(500),
    first_pause: Duration::from_secs(60),
};
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

/// A name whose addresses a test sets; an error while there are none.
#[derive(Clone, Default)]
struct Name {
    addresses: Arc<Mutex<Option<Vec<SocketAddr>>>>,
    lookups: Arc<AtomicUsize>,
}

impl Name {
    fn set(&self, addresses: Option<&[SocketAddr]>) {
        *self.addresses.lock().unwrap() = addresses.map(<[_]>::to_vec);
    }

    fn of(addresses: &[SocketAddr]) -> Self {
        let name = Self::default();
        name.set(Some(addresses));
        name
    }

    fn channel(&self, pace: FollowPace) -> RemoteChannel {
        let origin = Uri::from_static("http://service:7100");
        let replicas = Replicas::new(origin, pace, None);
        RemoteChannel::new(replicas, Arc::new(self.clone()), policy)
    }

    /// Waits until the name has been looked up twice more: the answer of the first one has been taken then.
    async fn until_looked_up(&self) {
        let before = self.lookups.load(Ordering::SeqCst);
        let lookups = async || self.lookups.load(Ordering::SeqCst);
        eventually("two more lookups", lookups, |now| *now >= before + 2).await;
    }
}

#[async_trait]
impl Resolver for Name {
    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.addresses.lock().unwrap().clone().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A replica at 127.0.0.`last`.
async fn replica(last: u8, answer: fn(usize) -> Answer) -> Peer {
    Peer::on(
        TcpListener::bind(("127.0.0.".to_owned() + &last.to_string(), 0)).await.unwrap(),
        answer,
    )
    .await
}

/// A way to `peer` that carries no more once it is told to freeze: connections stay open, new ones are accepted, and
/// nothing comes back.
async fn freezable(peer: SocketAddr) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.4:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let freeze = CancellationToken::new();
    let frozen = freeze.clone();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let frozen = frozen.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(peer).await.unwrap();
                tokio::select! {
                    biased;
                    () = frozen.cancelled() => std::future::pending().await,
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                }
            });
        }
    });
    (address, freeze)
}

/// The codes of so many calls, made by a few callers at a time.
async fn codes(channel: &RemoteChannel, path: &'static str, timeout: &'static str) -> Vec<Code> {
    let mut callers = JoinSet::new();
    for _ in 0..6 {
        let channel = channel.clone();
        callers.spawn(async move {
            let mut codes = Vec::new();
            for _ in 0..20 {
                codes.push(code(&channel, path, Some(timeout)).await);
            }
            codes
        });
    }
    callers.join_all().await.concat()
}

/// Waits until of `all` replicas those in `expected` can be used, and no other.
async fn until_usable(channel: &RemoteChannel, all: &[SocketAddr], expected: &[SocketAddr]) {
    let is_usable = |address: &SocketAddr| {
        let others: Vec<_> = all.iter().copied().filter(|other| other != address).collect();
        channel.shared.replicas.has_other(&others)
    };
    let usable = async || all.iter().copied().filter(is_usable).collect::<Vec<_>>();
    eventually("the replicas that can be used", usable, |found| found == expected).await;
}

#[tokio::test]
async fn every_replica_takes_its_share_and_a_third_one_too() {
    let replicas = [
        replica(2, |_| Answer::Echo).await,
        replica(3, |_| Answer::Echo).await,
        replica(4, |_| Answer::Echo).await,
    ];
    let addresses = replicas.each_ref().map(|replica| replica.address);
    let name = Name::of(&addresses[..2]);
    let channel = name.channel(FAST);
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    until_usable(&channel, &addresses, &addresses[..2]).await;
    assert!(codes(&channel, "/t/Write", "30S").await.iter().all(|code| *code == Code::Ok));
    let [first, second, third] = replicas.each_ref().map(Peer::calls);
    assert!(first >= 30 && second >= 30 && third == 0, "{first} {second} {third}");

    name.set(Some(&addresses));
    until_usable(&channel, &addresses, &addresses).await;
    assert!(codes(&channel, "/t/Write", "30S").await.iter().all(|code| *code == Code::Ok));
    assert!(replicas[2].calls() >= 15, "{}", replicas[2].calls());
}

#[tokio::test]
async fn a_replica_that_refuses_costs_no_call() {
    let (first, second) = (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Echo).await);
    let name = Name::of(&[first.address, second.address]);
    // Nothing but the calls themselves finds out that it is gone.
    let channel = name.channel(FollowPace { lookup: NEVER, health: NEVER, ..FAST });
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    let addresses = [first.address, second.address];
    until_usable(&channel, &addresses, &addresses).await;
    second.shutdown.cancel();
    second._task.await.unwrap();
    for path in ["/t/Write", "/t/Read"] {
        assert!(codes(&channel, path, "30S").await.iter().all(|code| *code == Code::Ok), "{path}");
    }
    until_usable(&channel, &addresses, &addresses[..1]).await;
    assert!(name.lookups.load(Ordering::SeqCst) >= 2, "it may have another address by now");
}

#[tokio::test]
async fn a_frozen_replica_costs_no_call_that_may_be_repeated_and_is_out_soon() {
    let (first, second) = (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Echo).await);
    let (frozen, freeze) = freezable(second.address).await;
    let channel = Name::of(&[first.address, frozen]).channel(FAST);
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    let addresses = [first.address, frozen];
    until_usable(&channel, &addresses, &addresses).await;
    freeze.cancel();
    assert!(codes(&channel, "/t/Read", "4S").await.iter().all(|code| *code == Code::Ok));
    until_usable(&channel, &addresses, &addresses[..1]).await;
    assert!(codes(&channel, "/t/Write", "30S").await.iter().all(|code| *code == Code::Ok));
}

#[tokio::test]
async fn a_replica_that_only_accepts_is_never_asked() {
    let good = replica(2, |_| Answer::Echo).await;
    let silent = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let channel = Name::of(&[silent.local_addr().unwrap(), good.address]).channel(FAST);
    assert!(codes(&channel, "/t/Write", "30S").await.iter().all(|code| *code == Code::Ok));
}

#[tokio::test]
async fn a_replica_that_answers_for_its_health_only_gets_no_calls_for_a_while() {
    let (good, stuck) = (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Hang).await);
    let addresses = [good.address, stuck.address];
    let channel = Name::of(&addresses).channel(FAST);
    channel.shared.follow_name();
    until_usable(&channel, &addresses, &addresses).await;
    for _ in 0..20 {
        // The second half of the time is for the other replica.
        assert_eq!(code(&channel, "/t/Read", Some("2S")).await, Code::Ok);
    }
    assert!((1..=3).contains(&stuck.calls()), "{}", stuck.calls());
}

#[tokio::test]
async fn a_replica_that_stops_is_left_before_it_closes() {
    let (first, second) = (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Echo).await);
    let addresses = [first.address, second.address];
    let channel = Name::of(&addresses).channel(FAST);
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    until_usable(&channel, &addresses, &addresses).await;
    let calling = tokio::spawn({
        let channel = channel.clone();
        async move { codes(&channel, "/t/Write", "30S").await }
    });
    second.shutdown.cancel();
    assert!(calling.await.unwrap().iter().all(|code| *code == Code::Ok));
    until_usable(&channel, &addresses, &addresses[..1]).await;
}

#[tokio::test]
async fn a_replica_that_leaves_the_name_ends_its_calls_and_is_closed() {
    let (leaving, staying) =
        (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Echo).await);
    let (address, connection) = cable(leaving.address).await;
    let name = Name::of(&[address]);
    let channel = name.channel(FAST);
    let (mut sends, frames) = mpsc::channel::<Result<Frame<Bytes>, Status>>(1);
    let body = Body::new(StreamBody::new(frames));
    let request = Request::post("/t/Stream").body(body).unwrap();
    let mut echo = channel.send(request).await.unwrap().into_body();

    name.set(Some(&[staying.address]));
    until_usable(&channel, &[address, staying.address], &[staying.address]).await;
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    assert_eq!((leaving.calls(), staying.calls()), (1, 1));
    sends.send(Ok(Frame::data(Bytes::from_static(b"still here")))).await.unwrap();
    let frame = echo.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&frame[..], b"still here");
    assert!(!connection.is_finished());
    drop(sends);
    assert!(echo.collect().await.unwrap().to_bytes().is_empty());
    connection.await.unwrap();
}

#[tokio::test]
async fn an_error_and_an_empty_answer_keep_the_replicas() {
    let peer = replica(2, |_| Answer::Echo).await;
    let name = Name::default();
    let channel = name.channel(FAST);
    assert_eq!(code(&channel, "/t/Write", Some("30S")).await, Code::Unavailable, "no address yet");
    name.set(Some(&[]));
    name.until_looked_up().await;
    assert_eq!(code(&channel, "/t/Write", Some("30S")).await, Code::Unavailable, "no address yet");
    name.set(Some(&[peer.address]));
    name.until_looked_up().await;
    for nothing in [None, Some(&[][..])] {
        name.set(nothing);
        name.until_looked_up().await;
        assert_eq!(code(&channel, "/t/Write", Some("30S")).await, Code::Ok);
    }
}

#[tokio::test]
async fn a_service_that_comes_back_at_another_address_is_found_at_once() {
    let (old, new) = (replica(2, |_| Answer::Echo).await, replica(3, |_| Answer::Echo).await);
    let name = Name::of(&[old.address]);
    // A call that finds nobody there is what asks for the next lookup.
    let channel = name.channel(FollowPace { lookup: NEVER, ..FAST });
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    old.shutdown.cancel();
    old._task.await.unwrap();
    name.set(Some(&[new.address]));
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Unavailable);
    let answers = async || code(&channel, "/t/Write", None).await;
    eventually("the new address", answers, |code| *code == Code::Ok).await;
    assert_eq!(new.calls(), 1);
}

#[tokio::test]
async fn nothing_is_asked_before_the_first_call_or_after_the_last_channel() {
    let peer = replica(2, |_| Answer::Echo).await;
    let name = Name::of(&[peer.address]);
    let channel = name.channel(FAST);
    tokio::task::yield_now().await;
    assert_eq!(name.lookups.load(Ordering::SeqCst), 0);
    assert_eq!(code(&channel, "/t/Write", None).await, Code::Ok);
    let watched = Arc::downgrade(&channel.shared.replicas);
    drop(channel);
    let alive = async || watched.strong_count();
    eventually("the end of what follows the name", alive, |count| *count == 0).await;
}
