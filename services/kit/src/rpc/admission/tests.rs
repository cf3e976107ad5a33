//! Places on a clock that stands still unless a test moves it.

use super::*;
use futures::FutureExt as _;
use tokio::time::sleep;

fn rpc(name: &str) -> &'static Rpc {
    proto::find_rpc(&format!("/quickserve.user.v1.{name}")).unwrap()
}

fn get_user() -> &'static Rpc {
    rpc("UserService/GetUser")
}

fn get_me() -> &'static Rpc {
    rpc("UserService/GetMe")
}

fn login() -> &'static Rpc {
    rpc("AuthService/Login")
}

async fn admit(places: &Places, rpc: &'static Rpc) -> Result<Permit, Overloaded> {
    places.wait_for_one(rpc, Priority::of(rpc)).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_is_refused_soon() {
    let places = Places::new(10);
    let mut held = Vec::new();
    for rpc in [get_user(), get_me()].repeat(4) {
        held.push(admit(&places, rpc).await.unwrap());
    }
    let begun = Instant::now();
    assert_eq!(admit(&places, get_me()).await.unwrap_err(), Overloaded);
    assert_eq!(begun.elapsed(), MAX_WAIT);
    // The reserve is for what is critical, and for work that was accepted before.
    held.push(admit(&places, login()).await.unwrap());
    held.push(places.wait_for_one(get_me(), Priority::Accepted).await.unwrap());
    assert!(admit(&places, login()).await.is_err());
    assert!(places.wait_for_one(get_me(), Priority::Accepted).await.is_err());
    held.drain(..3);
    assert!(admit(&places, get_me()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_rpc_takes_half_of_the_places_at_most() {
    let places = Places::new(10);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(admit(&places, get_user()).await.unwrap());
    }
    assert!(admit(&places, get_user()).await.is_err());
    assert!(places.wait_for_one(get_user(), Priority::Critical).await.is_err());
    // What was accepted is not refused for it, nor is another RPC.
    held.push(places.wait_for_one(get_user(), Priority::Accepted).await.unwrap());
    held.push(admit(&places, get_me()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_becomes_free_goes_to_the_newest() {
    let places = Places::new(2);
    let held = admit(&places, get_user()).await.unwrap();
    let oldest = admit(&places, get_user());
    let newest = async {
        sleep(MAX_WAIT / 4).await;
        admit(&places, get_user()).await
    };
    let free = async {
        sleep(MAX_WAIT / 2).await;
        drop(held);
    };
    let (oldest, newest, ()) = tokio::join!(oldest, newest, free);
    assert!(newest.is_ok());
    assert_eq!(oldest.unwrap_err(), Overloaded);
    drop(newest);
    assert!(admit(&places, get_user()).await.is_ok(), "nothing is lost with those who left");
}

#[tokio::test(start_paused = true)]
async fn when_many_wait_already_a_call_is_refused_at_once() {
    let places = Places::new(2);
    let held = admit(&places, get_user()).await.unwrap();
    let many = futures::future::join_all((0..MAX_WAITING).map(|_| admit(&places, get_user())));
    let one_more = async {
        let begun = Instant::now();
        assert_eq!(places.check(get_user(), Priority::Ordinary), Err(Overloaded));
        assert_eq!(admit(&places, get_user()).await.unwrap_err(), Overloaded);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(places.check(get_me(), Priority::Ordinary), Ok(()));
    };
    let (refused, ()) = tokio::join!(many, one_more);
    assert!(refused.iter().all(Result::is_err));
    assert_eq!(places.check(get_user(), Priority::Ordinary), Ok(()), "they have left");
    drop(held);
}

/// Keeps calls coming, each of which takes `took`, for two seconds. Returns how many were in flight at a time in the end.
async fn load(places: &Places, took: Duration) -> usize {
    let ends_at = Instant::now() + Duration::from_secs(2);
    let mut held = Vec::new();
    while Instant::now() < ends_at {
        held.retain(|(_, since): &(Permit, Instant)| since.elapsed() < took);
        while let Some(Ok(place)) = admit(places, get_user()).now_or_never() {
            held.push((place, Instant::now()));
        }
        sleep(Duration::from_millis(5)).await;
    }
    held.len()
}

#[tokio::test(start_paused = true)]
async fn an_rpc_whose_calls_take_long_gets_fewer_places_until_they_do_not() {
    let places = Places::new(200);
    assert_eq!(load(&places, SLOW_READ / 2).await, 100);
    assert_eq!(load(&places, SLOW_READ * 2).await, MIN_PLACES);
    // Others are not concerned.
    assert_eq!(places.lock().share(get_me()).limit, 100);
    assert_eq!(load(&places, SLOW_READ / 2).await, 100);
}

#[test]
fn what_must_go_on_is_critical() {
    let critical = proto::all_rpcs().iter().filter(|rpc| rpc.critical);
    let mut names: Vec<_> = critical.map(|rpc| rpc.path.rsplit('/').next().unwrap()).collect();
    names.sort_unstable();
    let sign_in = ["IssueToken", "Login", "RefreshToken"];
    let work = ["CallForHelp", "Deliver", "StartWork"];
    let care = ["ApproveRelease", "CheckIn", "CheckOut", "ReportIncident"];
    let mut wanted = [&sign_in[..], &work, &care, &["ReceivePspEvent"]].concat();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}
