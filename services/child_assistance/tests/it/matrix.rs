//! Who may call what: every RPC about children and their care, against everyone who might call it.

use crate::fixture::{CODE, Family, Hand, Nursery, TO_END, because, new_id, profile};
use kit::{
    Role, Subject,
    rpc::{client::Channel, error::reason_of},
    testing::{Backend, acting_as, somebody, window},
};
use proto::quickserve::child_assistance::v1::{
    self as pb, GuardianRight, care_service_client::CareServiceClient,
    family_service_client::FamilyServiceClient,
};
use std::collections::BTreeSet;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use vertical::testing::{Order, TO_WORK};
use yare::parameterized;

/// The guard does not let them in.
const DENIED: &str = "denied";
/// They may, and it is done.
const OK: &str = "ok";
/// They did not say why they ask.
const REASON: &str = "Operator-Reason";
const NO_ORDER: &str = "ORDER_NOT_FOUND";
const NO_CHILD: &str = "CHILD_NOT_FOUND";
const NO_ADULT: &str = "ADULT_NOT_FOUND";
const RIGHT: &str = "GUARDIAN_RIGHT";
const STATE: &str = "ORDER_STATE";
const CLOSED: &str = "CARE_CLOSED";

/// Who asks, in the order of the columns. Carers are those of three orders: one that begins in two days, one that runs, and
/// one that is over. The silent operator gives no reason. The service is order, on its own account.
const ASKERS: [&str; 12] = [
    "manager",
    "notified guardian",
    "revoked guardian",
    "carer before",
    "carer",
    "carer after",
    "other carer",
    "operator",
    "silent operator",
    "stranger",
    "nobody",
    "service",
];

/// An RPC, and what it answers each asker.
type Row = (&'static str, [&'static str; 12]);

/// What only guardians of a child see; all others do not even learn that it exists.
const fn of_guardians(
    manager: &'static str,
    notified: &'static str,
    hidden: &'static str,
) -> [&'static str; 12] {
    [
        manager, notified, hidden, hidden, hidden, hidden, hidden, hidden, hidden, hidden, DENIED,
        DENIED,
    ]
}

/// What carers do in the course of an order.
const fn of_carers(before: &'static str, after: &'static str) -> [&'static str; 12] {
    [DENIED, DENIED, DENIED, before, OK, after, NO_ORDER, DENIED, DENIED, DENIED, DENIED, DENIED]
}

/// What each account may do for itself.
const OF_ACCOUNTS: [&str; 12] = [OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, DENIED, DENIED];

/// These are asked in one family, one after the other.
const FAMILY_ROWS: [Row; 13] = [
    (
        "CreateChild",
        [OK, OK, OK, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, OK, DENIED, DENIED],
    ),
    ("ListChildren", OF_ACCOUNTS),
    ("GetChild", of_guardians(OK, OK, NO_CHILD)),
    ("UpdateChild", of_guardians(OK, RIGHT, NO_CHILD)),
    // The manager may, but not while it is cared for.
    ("DeleteChild", of_guardians("CHILD_IN_CARE", RIGHT, NO_CHILD)),
    ("InviteGuardian", of_guardians(OK, RIGHT, NO_CHILD)),
    ("RemoveGuardian", of_guardians(OK, RIGHT, NO_CHILD)),
    ("CreateAuthorizedAdult", of_guardians(OK, RIGHT, NO_CHILD)),
    ("ListAuthorizedAdults", of_guardians(OK, OK, NO_CHILD)),
    ("ListChildAccesses", of_guardians(OK, RIGHT, NO_CHILD)),
    // Who has the link may do it too; these have not.
    (
        "SetAdultCode",
        [
            OK, RIGHT, NO_ADULT, NO_ADULT, NO_ADULT, NO_ADULT, NO_ADULT, NO_ADULT, NO_ADULT,
            NO_ADULT, NO_ADULT, DENIED,
        ],
    ),
    ("RevokeAuthorizedAdult", of_guardians(OK, RIGHT, NO_ADULT)),
    // Who was given one may accept it, and is a guardian then: so this comes last.
    ("AcceptInvitation", OF_ACCOUNTS),
];

/// Each of these is asked in a family of its own.
const CARE_ROWS: [Row; 9] = [
    (
        "GetCare",
        [OK, OK, NO_ORDER, CLOSED, OK, CLOSED, NO_ORDER, OK, REASON, NO_ORDER, DENIED, DENIED],
    ),
    // The customer alone names children: another guardian is no party.
    (
        "NameChildren",
        [
            OK, NO_ORDER, NO_ORDER, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, NO_ORDER,
            DENIED, DENIED,
        ],
    ),
    ("CheckIn", of_carers(STATE, STATE)),
    (
        "CheckOut",
        [
            DENIED,
            DENIED,
            DENIED,
            "CHILD_STATE",
            OK,
            "CHILD_STATE",
            NO_ORDER,
            OK,
            REASON,
            DENIED,
            DENIED,
            DENIED,
        ],
    ),
    ("ApproveRelease", of_guardians(OK, RIGHT, NO_ORDER)),
    ("MarkAbsent", of_guardians(OK, RIGHT, NO_ORDER)),
    ("RefuseChild", of_carers(STATE, STATE)),
    ("ReportIncident", of_carers(STATE, STATE)),
    (
        "ListIncidents",
        [
            OK, OK, NO_ORDER, NO_ORDER, NO_ORDER, NO_ORDER, NO_ORDER, OK, REASON, NO_ORDER, DENIED,
            DENIED,
        ],
    ),
];

/// A family with its guardians, and its orders in all phases.
struct Scene<'a> {
    nursery: &'a Nursery,
    family: Family,
    notified: Subject,
    revoked: Subject,
    uncle: String,
    /// An adult whose code and rights the rows change.
    spare: String,
    before: Order,
    during: Order,
    after: Order,
    release_id: String,
}

impl<'a> Scene<'a> {
    async fn set(nursery: &'a Nursery) -> Self {
        let family = nursery.family().await;
        let parent = family.parent;
        let uncle = nursery.adult(parent, &family.max, CODE).await;
        let spare = nursery.adult(parent, &family.max, "").await;
        let [notified, revoked] = [somebody(&[Role::Customer]), somebody(&[Role::Customer])];
        for child in [&family.lou, &family.max] {
            nursery.invite(parent, child, GuardianRight::Notify, notified).await;
            nursery.invite(parent, child, GuardianRight::Manage, revoked).await;
            nursery.remove_guardian(child, revoked, parent).await.unwrap();
        }
        let children = [family.lou.as_str(), family.max.as_str()];
        let mut before = nursery.book(&family, &children).await;
        before.window = window("2027-05-26T08:00:00Z", 2);
        nursery.go(&mut before, TO_WORK[0]).await;
        let mut after = nursery.begin(&family, &children).await;
        for (child, adult) in [(&family.lou, &family.aunt), (&family.max, &uncle)] {
            nursery.check_in(&after, Hand::over(child, adult, 1)).await.unwrap();
            let fetched = Hand::over(child, adult, 2).code(CODE);
            nursery.check_out(&after, fetched).await.unwrap();
        }
        nursery.go_through(&mut after, &TO_END).await;
        let during = nursery.begin(&family, &children).await;
        nursery.check_in(&during, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
        let by_photo = Hand::over(&family.lou, &family.aunt, 2).photo_id();
        let waiting = nursery.check_out(&during, by_photo).await.unwrap();
        let release_id = waiting.releases[0].id.clone();
        Self { nursery, family, notified, revoked, uncle, spare, before, during, after, release_id }
    }

    /// The account of an asker; none of who is not signed in.
    fn account(&self, asker: &str) -> Option<Subject> {
        Some(match asker {
            "manager" => self.family.parent,
            "notified guardian" => self.notified,
            "revoked guardian" => self.revoked,
            "carer before" => self.before.provider,
            "carer" => self.during.provider,
            "carer after" => self.after.provider,
            "other carer" => somebody(&[Role::Provider]),
            "operator" | "silent operator" => self.nursery.operator,
            "stranger" => somebody(&[Role::Customer]),
            _ => return None,
        })
    }

    /// The order that an asker asks about: carers ask about their own.
    fn order(&self, method: &str, asker: &str) -> &Order {
        match (method, asker) {
            (_, "carer before") => &self.before,
            (_, "carer after") => &self.after,
            (_, "carer") => &self.during,
            ("NameChildren", _) => &self.before,
            _ => &self.during,
        }
    }

    /// What an RPC answers an asker.
    async fn ask(&self, method: &str, asker: &str) -> String {
        let from = if asker == "service" { "order" } else { "edge" };
        let channel = self.nursery.world.host.of(from).channel("child_assistance");
        let call = Call { scene: self, order: self.order(method, asker), asker };
        let made = async {
            match FAMILY_ROWS.iter().any(|(of_family, _)| *of_family == method) {
                true => call.of_family(method, FamilyServiceClient::new(channel)).await,
                false => call.of_care(method, CareServiceClient::new(channel)).await,
            }
        };
        let answer = match self.account(asker) {
            Some(account) => acting_as(account, made).await,
            None => made.await,
        };
        answer.map_or_else(|refused| why(&refused), |()| OK.to_owned())
    }
}

/// Why a call is refused: by the guard, for a field, or for a reason.
fn why(refused: &Status) -> String {
    let field =
        refused.get_details_bad_request().and_then(|it| it.field_violations.into_iter().next());
    match (refused.code(), field, reason_of(refused).as_str()) {
        (_, Some(violation), _) => violation.field,
        (Code::Unauthenticated, ..) | (Code::PermissionDenied, _, "PERMISSION_DENIED") => {
            DENIED.to_owned()
        }
        (_, None, reason) => reason.to_owned(),
    }
}

/// One call of an asker about an order of a family.
struct Call<'a> {
    scene: &'a Scene<'a>,
    order: &'a Order,
    asker: &'a str,
}

impl Call<'_> {
    /// A request with the reason of an operator, unless they are silent.
    fn request<M>(&self, message: M) -> Request<M> {
        if self.asker == "silent operator" { Request::new(message) } else { because(message) }
    }

    async fn of_family(
        &self,
        method: &str,
        mut families: FamilyServiceClient<Channel>,
    ) -> Result<(), Status> {
        let Scene { nursery, family, revoked, .. } = self.scene;
        let child_id = family.max.clone();
        let profile = Some(profile("2020-01-02"));
        match method {
            "CreateChild" => {
                let request = pb::CreateChildRequest { id: new_id(), profile };
                families.create_child(request).await.map(drop)
            }
            "ListChildren" => families.list_children(pb::ListChildrenRequest {}).await.map(drop),
            "GetChild" => families.get_child(pb::GetChildRequest { child_id }).await.map(drop),
            "UpdateChild" => {
                let request = pb::UpdateChildRequest { child_id, profile, version: 0 };
                families.update_child(request).await.map(drop)
            }
            "DeleteChild" => {
                families.delete_child(pb::DeleteChildRequest { child_id }).await.map(drop)
            }
            "InviteGuardian" => {
                let right = GuardianRight::Notify.into();
                let request = pb::InviteGuardianRequest { child_id, right };
                families.invite_guardian(request).await.map(drop)
            }
            "RemoveGuardian" => {
                let user_id = revoked.user_id.to_string();
                let request = pb::RemoveGuardianRequest { child_id, user_id };
                families.remove_guardian(request).await.map(drop)
            }
            "AcceptInvitation" => {
                let token =
                    nursery.invitation(family.parent, &child_id, GuardianRight::Notify).await;
                let request = pb::AcceptInvitationRequest { token };
                families.accept_invitation(request).await.map(drop)
            }
            _ => self.of_adults(method, families).await,
        }
    }

    async fn of_adults(
        &self,
        method: &str,
        mut families: FamilyServiceClient<Channel>,
    ) -> Result<(), Status> {
        let Scene { family, spare, .. } = self.scene;
        let child_id = family.max.clone();
        match method {
            "CreateAuthorizedAdult" => {
                let profile = pb::AdultProfile { name: "Bob".into(), ..Default::default() };
                let request = pb::CreateAuthorizedAdultRequest {
                    child_id,
                    id: new_id(),
                    profile: Some(profile),
                    ..Default::default()
                };
                families.create_authorized_adult(request).await.map(drop)
            }
            "ListAuthorizedAdults" => {
                let request = pb::ListAuthorizedAdultsRequest { child_id };
                families.list_authorized_adults(request).await.map(drop)
            }
            "ListChildAccesses" => {
                let request = pb::ListChildAccessesRequest { child_id, ..Default::default() };
                families.list_child_accesses(request).await.map(drop)
            }
            "SetAdultCode" => {
                let (adult_id, code) = (spare.clone(), "314159".to_owned());
                let request = pb::SetAdultCodeRequest { adult_id, code, token: String::new() };
                families.set_adult_code(request).await.map(drop)
            }
            "RevokeAuthorizedAdult" => {
                let request = pb::RevokeAuthorizedAdultRequest { adult_id: spare.clone() };
                families.revoke_authorized_adult(request).await.map(drop)
            }
            unknown => panic!("this test does not know how to call {unknown}"),
        }
    }

    async fn of_care(
        &self,
        method: &str,
        mut care: CareServiceClient<Channel>,
    ) -> Result<(), Status> {
        let Scene { family, uncle, release_id, .. } = self.scene;
        let (order_id, child_id) = (self.order.id.clone(), family.max.clone());
        match method {
            "GetCare" => {
                care.get_care(self.request(pb::GetCareRequest { order_id })).await.map(drop)
            }
            "NameChildren" => {
                let child_ids = vec![family.lou.clone(), child_id];
                care.name_children(pb::NameChildrenRequest { order_id, child_ids }).await.map(drop)
            }
            "CheckIn" => {
                let (adult_id, code, handover) = (uncle.clone(), String::new(), 1);
                let handover = if self.asker == "carer after" { 3 } else { handover };
                let request = pb::CheckInRequest { order_id, child_id, adult_id, code, handover };
                care.check_in(request).await.map(drop)
            }
            "CheckOut" => {
                let request = pb::CheckOutRequest {
                    order_id,
                    child_id: family.lou.clone(),
                    adult_id: family.aunt.clone(),
                    code: CODE.to_owned(),
                    photo_id: false,
                    handover: if self.asker == "carer after" { 4 } else { 2 },
                };
                care.check_out(self.request(request)).await.map(drop)
            }
            "ApproveRelease" => {
                let release_id = release_id.clone();
                let request = pb::ApproveReleaseRequest { order_id, release_id };
                care.approve_release(request).await.map(drop)
            }
            "MarkAbsent" => {
                care.mark_absent(pb::MarkAbsentRequest { order_id, child_id }).await.map(drop)
            }
            "RefuseChild" => {
                care.refuse_child(pb::RefuseChildRequest { order_id, child_id }).await.map(drop)
            }
            "ReportIncident" => {
                let (id, kind, text) = (new_id(), "other".to_owned(), "A scratch.".to_owned());
                let request = pb::ReportIncidentRequest { order_id, id, child_id, kind, text };
                care.report_incident(request).await.map(drop)
            }
            "ListIncidents" => {
                let request = pb::ListIncidentsRequest { order_id };
                care.list_incidents(self.request(request)).await.map(drop)
            }
            unknown => panic!("this test does not know how to call {unknown}"),
        }
    }
}

#[test]
fn every_rpc_of_the_contract_is_in_the_matrix() {
    let rpcs = proto::all_rpcs().iter();
    let package = "quickserve.child_assistance.v1.";
    let own: BTreeSet<_> =
        rpcs.filter(|rpc| rpc.service.starts_with(package)).map(|rpc| rpc.method).collect();
    let rows: BTreeSet<_> =
        FAMILY_ROWS.iter().chain(&CARE_ROWS).map(|(method, _)| *method).collect();
    assert_eq!(rows, own);
}

/// Has every asker call an RPC. Those who may come last: what they do is not undone.
async fn check_row(scene: &Scene<'_>, (method, expected): Row) {
    let mut columns: Vec<_> = ASKERS.into_iter().zip(expected).collect();
    columns.sort_by_key(|(_, answer)| *answer == OK);
    for (asker, answer) in columns {
        assert_eq!(scene.ask(method, asker).await, answer, "{method} by {asker}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_matrix_of_families(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let scene = Scene::set(&nursery).await;
    for row in FAMILY_ROWS {
        check_row(&scene, row).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_matrix_of_care(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    for row in CARE_ROWS {
        check_row(&Scene::set(&nursery).await, row).await;
    }
}
