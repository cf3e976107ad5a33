//! Kept addresses: whose they are, and how they change.

use crate::world::{Person, Service, assert_names, assert_refused, stranger};
use kit::testing::{Backend, acting_as};
use proto::quickserve::{common::v1::Address, user::v1 as pb};
use tonic::{Code, Request, Status};
use yare::parameterized;

fn paris() -> Address {
    Address {
        lines: vec!["1 rue de la Paix".into()],
        postcode: "75002".into(),
        city: "Paris".into(),
        country: "FR".into(),
        lat: Some(48.868_7),
        lng: Some(2.330_9),
        access_notes: "code 12B4".into(),
    }
}

async fn keep(service: &Service, person: &Person, label: &str) -> Result<pb::SavedAddress, Status> {
    let request = pb::CreateAddressRequest { label: label.into(), address: Some(paris()) };
    let answer = acting_as(person.subject, service.users.clone().create_address(request)).await?;
    Ok(answer.into_inner().address.unwrap())
}

fn change(id: &str, changes: pb::AddressChanges, paths: &[&str]) -> pb::UpdateAddressRequest {
    let paths = paths.iter().map(ToString::to_string).collect();
    pb::UpdateAddressRequest {
        address_id: id.to_owned(),
        changes: Some(changes),
        update_mask: Some(prost_types::FieldMask { paths }),
        version: 0,
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_address_is_kept_changed_and_forgotten(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let me = person.subject;
    let mut users = service.users.clone();
    let home = keep(&service, &person, "home").await.unwrap();
    assert_eq!((home.label.as_str(), home.version), ("home", 1));
    assert_eq!(home.address, Some(paris()));
    let get = || pb::GetAddressRequest { address_id: home.id.clone() };
    let found = acting_as(me, users.get_address(get())).await.unwrap().into_inner();
    assert_eq!(found.address.unwrap(), home);

    let moved = Address { city: "Lyon".into(), postcode: "69001".into(), ..paris() };
    let changes = pb::AddressChanges { label: String::new(), address: Some(moved) };
    let request = change(&home.id, changes.clone(), &["address.city"]);
    let changed = acting_as(me, users.update_address(request)).await.unwrap().into_inner();
    let changed = changed.address.unwrap();
    let expected = Address { city: "Lyon".into(), ..paris() };
    assert_eq!((changed.address, changed.version), (Some(expected), 2));
    assert_eq!(changed.label, "home");

    let stale = pb::UpdateAddressRequest { version: 1, ..change(&home.id, changes, &[]) };
    let stale = acting_as(me, users.update_address(stale)).await;
    assert_refused(stale, Code::Aborted, "VERSION_MISMATCH");
    let nothing = change(&home.id, pb::AddressChanges::default(), &["address"]);
    assert_names(acting_as(me, users.update_address(nothing)).await, "changes.address");
    let unknown = change(&home.id, pb::AddressChanges::default(), &["owner"]);
    assert_names(acting_as(me, users.update_address(unknown)).await, "update_mask");

    let forget = || pb::DeleteAddressRequest { address_id: home.id.clone() };
    acting_as(me, users.delete_address(forget())).await.unwrap();
    let gone = acting_as(me, users.delete_address(forget())).await;
    assert_refused(gone, Code::NotFound, "ADDRESS_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_foreign_address_is_like_an_absent_one(backend: Backend) {
    let service = Service::new(backend).await;
    let ana = service.join("ana@example.org", "client").await;
    let bob = service.join("bob@example.org", "client").await;
    let operator = service.operator().await;
    let home = keep(&service, &ana, "home").await.unwrap();
    let absent = "018f0000-0000-7000-8000-000000000000";
    for person in [&bob, &operator] {
        let mut answers = Vec::new();
        for id in [home.id.as_str(), absent] {
            let mut users = service.users.clone();
            let me = person.subject;
            let get = pb::GetAddressRequest { address_id: id.into() };
            let get = acting_as(me, users.get_address(get)).await.err().unwrap();
            let request = change(id, pb::AddressChanges::default(), &["label"]);
            let update = acting_as(me, users.update_address(request)).await.err().unwrap();
            let delete = pb::DeleteAddressRequest { address_id: id.into() };
            let delete = acting_as(me, users.delete_address(delete)).await.err().unwrap();
            answers.push([get, update, delete].map(|status| {
                (status.code(), status.message().to_owned(), status.details().to_vec())
            }));
        }
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].iter().all(|(code, ..)| *code == Code::NotFound));
    }
    let mut users = service.users.clone();
    let list = users.list_addresses(pb::ListAddressesRequest::default());
    let others = acting_as(bob.subject, list).await.unwrap().into_inner();
    assert!(others.addresses.is_empty());
    let list = users.list_addresses(pb::ListAddressesRequest::default());
    let own = acting_as(ana.subject, list).await.unwrap().into_inner();
    assert_eq!(own.addresses, [home]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn addresses_are_bounded_paged_and_kept_once_for_a_key(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    let keyed = || {
        let address = Some(paris());
        let mut request = Request::new(pb::CreateAddressRequest { label: "once".into(), address });
        request.metadata_mut().insert("idempotency-key", "k".parse().unwrap());
        request
    };
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut users = service.users.clone();
        let made = acting_as(person.subject, users.create_address(keyed())).await.unwrap();
        ids.push(made.into_inner().address.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
    for n in 1..50 {
        service.world.clock.advance(chrono::Duration::milliseconds(2));
        keep(&service, &person, &format!("no {n}")).await.unwrap();
    }
    let full = keep(&service, &person, "one more").await;
    assert_refused(full, Code::FailedPrecondition, "ADDRESS_LIMIT");

    let mut labels = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAddressesRequest { page_size: 20, page_token };
        let mut users = service.users.clone();
        let page = acting_as(person.subject, users.list_addresses(request)).await.unwrap();
        let page = page.into_inner();
        labels.extend(page.addresses.into_iter().map(|it| it.label));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let newest_first = (1..50).rev().map(|n| format!("no {n}"));
    assert_eq!(labels, newest_first.chain(["once".to_owned()]).collect::<Vec<_>>());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_addresses_name_their_field(backend: Backend) {
    let service = Service::new(backend).await;
    let person = service.join("ana@example.org", "client").await;
    for (address, field) in [
        (None, "address"),
        (Some(Address { lines: vec![], ..paris() }), "address.lines"),
        (Some(Address { postcode: String::new(), ..paris() }), "address.postcode"),
        (Some(Address { country: "France".into(), ..paris() }), "address.country"),
        (Some(Address { lat: Some(91.0), ..paris() }), "address.lat"),
        (Some(Address { lng: Some(f64::NAN), ..paris() }), "address.lng"),
    ] {
        let request = pb::CreateAddressRequest { label: String::new(), address };
        let mut users = service.users.clone();
        assert_names(acting_as(person.subject, users.create_address(request)).await, field);
    }
    let request = pb::CreateAddressRequest { label: "x".into(), address: Some(paris()) };
    let mut users = service.users.clone();
    let nobody = acting_as(stranger(), users.create_address(request)).await;
    assert_refused(nobody, Code::Unauthenticated, "SESSION_REVOKED");
}
