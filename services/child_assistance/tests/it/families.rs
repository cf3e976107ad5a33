//! Children, their guardians, and the adults who may fetch them.

use crate::fixture::{CODE, NAME, NOTE, Nursery, new_id, profile};
use kit::{
    Role, Subject,
    testing::{ActingAs, Backend, EventRecorder, at, eventually, refusal, refused_field, somebody},
    values::time::timestamp,
};
use proto::quickserve::child_assistance::v1::{self as pb, ChildEvent, GuardianRight};
use tonic::Status;
use yare::parameterized;

async fn read_child(nursery: &Nursery, id: &str, by: Subject) -> Result<pb::Child, Status> {
    let request = pb::GetChildRequest { child_id: id.to_owned() };
    Ok(nursery.families().get_child(request).by(by).await?.into_inner().child.unwrap())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_is_entered_read_changed_and_forgotten(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let parent = somebody(&[Role::Customer]);
    let lou = nursery.child(parent, "2022-05-17").await;
    let child = read_child(&nursery, &lou, parent).await.unwrap();
    assert_eq!(child.profile, Some(profile("2022-05-17")));
    assert_eq!((child.version, child.guardians.len()), (1, 1));
    // The same id again changes nothing; the id of another family's child is refused.
    let again = pb::CreateChildRequest { id: lou.clone(), profile: Some(profile("2021-01-01")) };
    let kept = nursery.families().create_child(again.clone()).by(parent).await.unwrap();
    assert_eq!(kept.into_inner().version, 1);
    let other = nursery.families().create_child(again).by(somebody(&[Role::Customer])).await;
    assert_eq!(refusal(other), "CHILD_EXISTS");
    let change = |version| pb::UpdateChildRequest {
        child_id: lou.clone(),
        profile: Some(pb::ChildProfile { notes: "new".to_owned(), ..profile("2022-05-17") }),
        version,
    };
    let stale = nursery.families().update_child(change(7)).by(parent).await;
    assert_eq!(refusal(stale), "VERSION_MISMATCH");
    nursery.families().update_child(change(1)).by(parent).await.unwrap();
    let child = read_child(&nursery, &lou, parent).await.unwrap();
    assert_eq!((child.profile.unwrap().notes.as_str(), child.version), ("new", 2));
    let listed = nursery.families().list_children(pb::ListChildrenRequest {}).by(parent).await;
    let listed = listed.unwrap().into_inner().children;
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, lou.as_str()));
    let drop = pb::DeleteChildRequest { child_id: lou.clone() };
    nursery.families().delete_child(drop).by(parent).await.unwrap();
    assert_eq!(refusal(read_child(&nursery, &lou, parent).await), "CHILD_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_profiles_name_their_field(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let parent = somebody(&[Role::Customer]);
    let lou = nursery.child(parent, "2022-05-17").await;
    let good = profile("2022-05-17");
    let contact = |phone: &str| pb::EmergencyContact { name: "Oma".into(), phone: phone.into() };
    for (profile, field) in [
        (pb::ChildProfile { name: String::new(), ..good.clone() }, "profile.name"),
        (pb::ChildProfile { born_on: "2028-01-01".into(), ..good.clone() }, "profile.born_on"),
        (pb::ChildProfile { born_on: "2001-01-01".into(), ..good.clone() }, "profile.born_on"),
        (pb::ChildProfile { allergies: "x".repeat(501), ..good.clone() }, "profile.allergies"),
        (pb::ChildProfile { notes: "x".repeat(1001), ..good.clone() }, "profile.notes"),
        (
            pb::ChildProfile { contacts: vec![contact("0611")], ..good.clone() },
            "profile.contacts[0].phone",
        ),
    ] {
        let request = pb::CreateChildRequest { id: new_id(), profile: Some(profile) };
        let answer = nursery.families().create_child(request).by(parent).await;
        assert_eq!(refused_field(answer), field);
    }
    let adult = |code: &str, valid_to: Option<&str>| pb::CreateAuthorizedAdultRequest {
        child_id: lou.clone(),
        id: new_id(),
        profile: Some(pb::AdultProfile { name: "Anne".into(), ..Default::default() }),
        code: code.to_owned(),
        valid_to: valid_to.map(|at_| timestamp(at(at_))),
        ..Default::default()
    };
    for (request, field) in [
        (adult("12345", None), "code"),
        (adult("12345678901", None), "code"),
        (adult("12345a", None), "code"),
        (adult(CODE, Some("2027-05-24T07:00:00Z")), "valid_to"),
    ] {
        let answer = nursery.families().create_authorized_adult(request).by(parent).await;
        assert_eq!(refused_field(answer), field);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn guardians_come_by_invitation_and_only_those_who_manage_change_things(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let told = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let manages = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Manage).await;
    for guardian in [told, manages] {
        let child = read_child(&nursery, &family.lou, guardian).await.unwrap();
        assert_eq!(child.guardians.len(), 3);
        assert_eq!(refusal(read_child(&nursery, &family.max, guardian).await), "CHILD_NOT_FOUND");
    }
    // Who is told reads, and changes nothing.
    let update = pb::UpdateChildRequest {
        child_id: family.lou.clone(),
        profile: Some(profile("2022-05-17")),
        version: 0,
    };
    let refused = nursery.families().update_child(update.clone()).by(told).await;
    assert_eq!(refusal(refused), "GUARDIAN_RIGHT");
    assert_eq!(refusal(nursery.revoke(&family.aunt, told).await), "GUARDIAN_RIGHT");
    nursery.families().update_child(update.clone()).by(manages).await.unwrap();
    // Who is no guardian any more finds nothing.
    nursery.remove_guardian(&family.lou, told, manages).await.unwrap();
    nursery.remove_guardian(&family.lou, told, manages).await.unwrap();
    assert_eq!(refusal(read_child(&nursery, &family.lou, told).await), "CHILD_NOT_FOUND");
    nursery.remove_guardian(&family.lou, family.parent, manages).await.unwrap();
    let last = nursery.remove_guardian(&family.lou, manages, manages).await;
    assert_eq!(refusal(last), "LAST_GUARDIAN");
    assert_eq!(refusal(nursery.revoke(&family.aunt, family.parent).await), "ADULT_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_invitation_is_accepted_once_and_in_time(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let invite = async || {
        let request = pb::InviteGuardianRequest {
            child_id: family.lou.clone(),
            right: GuardianRight::Notify.into(),
        };
        let answer = nursery.families().invite_guardian(request).by(family.parent).await;
        answer.unwrap().into_inner().invitation.unwrap().token
    };
    let accept = async |token: String, by| {
        nursery.families().accept_invitation(pb::AcceptInvitationRequest { token }).by(by).await
    };
    let (first, second) = (somebody(&[Role::Customer]), somebody(&[Role::Customer]));
    let token = invite().await;
    accept(token.clone(), first).await.unwrap();
    accept(token.clone(), first).await.unwrap();
    assert_eq!(refusal(accept(token, second).await), "INVITATION_NOT_FOUND");
    assert_eq!(refusal(accept("x".repeat(43), second).await), "INVITATION_NOT_FOUND");
    let late = invite().await;
    nursery.wait(14 * 24 * 60);
    assert_eq!(refusal(accept(late, second).await), "INVITATION_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_adult_sets_the_own_code_with_a_link_that_works_once(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let id = new_id();
    let request = pb::CreateAuthorizedAdultRequest {
        child_id: family.lou.clone(),
        id: id.clone(),
        profile: Some(pb::AdultProfile { name: "Bob".into(), ..Default::default() }),
        ..Default::default()
    };
    let create = async || {
        let mut families = nursery.families();
        let answer = families.create_authorized_adult(request.clone()).by(family.parent).await;
        answer.unwrap().into_inner().link_token
    };
    let void = create().await;
    let token = create().await;
    assert_ne!(void, token, "each repetition makes a new link");
    let set = async |token: &str, by: Option<Subject>| {
        let (adult_id, token) = (id.clone(), token.to_owned());
        let request = pb::SetAdultCodeRequest { adult_id, code: "314159".into(), token };
        let mut families = nursery.families();
        match by {
            Some(by) => families.set_adult_code(request).by(by).await,
            None => families.set_adult_code(request).await,
        }
    };
    let bob = somebody(&[Role::Customer]);
    assert_eq!(refusal(set(&void, Some(bob)).await), "ADULT_NOT_FOUND");
    assert_eq!(refusal(set("", None).await), "ADULT_NOT_FOUND");
    assert_eq!(refusal(set("", Some(bob)).await), "ADULT_NOT_FOUND", "is no guardian");
    set(&token, Some(bob)).await.unwrap();
    set(&token, Some(bob)).await.unwrap();
    nursery.wait(2);
    assert_eq!(refusal(set(&token, Some(bob)).await), "ADULT_NOT_FOUND", "it is used up");
    assert_eq!(create().await, "", "who has a code needs no link");
    set("", Some(family.parent)).await.unwrap();
    let listed = pb::ListAuthorizedAdultsRequest { child_id: family.lou.clone() };
    let listed = nursery.families().list_authorized_adults(listed).by(family.parent).await;
    let adults = listed.unwrap().into_inner().adults;
    let bob = adults.iter().find(|adult| adult.id == id).unwrap();
    assert!(bob.has_code && bob.has_account);
    // Nobody can read a code: only its hash is kept.
    let hashes = nursery.texts("SELECT code_hash FROM authorized_adults").await;
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")), "{hashes:?}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn guardians_and_the_carer_are_told_that_authorisations_changed(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let events = EventRecorder::subscribed(&nursery.world.host, &["child."]);
    let family = nursery.family().await;
    let told = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.revoke(&family.aunt, family.parent).await.unwrap();
    nursery.revoke(&family.aunt, family.parent).await.unwrap();
    let facts = async || events.messages::<ChildEvent>("child.authorization_changed");
    let facts = eventually("both facts", facts, |facts| facts.len() == 2).await;
    assert_eq!(facts[0].provider_user_id, "", "no order was open then");
    let last = &facts[1];
    assert_eq!((&last.order_id, &last.child_id), (&order.id, &family.lou));
    assert_eq!(last.provider_user_id, order.provider.user_id.to_string());
    let mut guardians = last.guardian_ids.clone();
    guardians.sort();
    let mut expected = [family.parent, told].map(|it| it.user_id.to_string());
    expected.sort();
    assert_eq!(guardians, expected);
    for event in events.events() {
        let text = format!("{:?}", event.data);
        assert!(!text.contains(NAME) && !text.contains(NOTE));
    }
}
