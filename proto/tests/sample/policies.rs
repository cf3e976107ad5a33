//! The table of policies.

use crate::{
    rpc::{Audit, Caller, Callers, IdempotencyKey, IdempotencyLevel, Route, Rpc, Scope},
    table::RPCS,
};

#[test]
fn a_row_says_what_the_contract_says() {
    let [count, register, upload] = RPCS else { panic!("{RPCS:?}") };
    assert_eq!(
        *register,
        Rpc {
            path: "/sample.v1.SampleService/Register",
            service: "sample.v1.SampleService",
            method: "Register",
            callers: Callers::of(&[Caller::Operator, Caller::Customer]),
            scope: Scope::Self_,
            services: &[],
            idempotency_key: IdempotencyKey::Required,
            idempotency_level: IdempotencyLevel::Unknown,
            success_status: 201,
            critical: true,
            client_streaming: false,
            server_streaming: false,
            sse: None,
            audit: Audit { reason: false, read: false },
            headers: &[],
            routes: &[
                Route { verb: "POST", template: "/v1/people", body: "*", response_body: "person" },
                Route {
                    verb: "PUT",
                    template: "/v1/people/{person.id}",
                    body: "person",
                    response_body: "",
                },
            ],
        }
    );
    assert_eq!(count.path, "/sample.v1.SampleService/Count");
    assert_eq!(count.services, ["edge", "sample"]);
    assert_eq!(count.idempotency_level, IdempotencyLevel::NoSideEffects);
    assert!(count.server_streaming && !count.client_streaming && count.routes.is_empty());
    assert_eq!(upload.success_status, 200);
    assert!(!upload.critical);
    assert_eq!(upload.callers.iter().collect::<Vec<_>>(), [Caller::Public]);
}

#[test]
fn a_set_of_callers_has_what_it_was_made_of() {
    let set = Callers::of(&[Caller::Customer, Caller::Service, Caller::Unspecified]);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Caller::Customer, Caller::Service]);
    assert!(set.contains(Caller::Customer) && !set.contains(Caller::Public));
    assert!(!set.contains(Caller::Unspecified), "nobody is unspecified");
    assert_eq!(format!("{set:?}"), "{Customer, Service}");
}

#[test]
fn every_rpc_of_the_contracts_is_found_by_its_path() {
    for rpc in proto::all_rpcs() {
        assert_eq!(proto::find_rpc(rpc.path), Some(rpc));
        let internal = rpc.callers.contains(Caller::Service);
        assert_eq!(rpc.routes.is_empty(), internal, "{}", rpc.path);
        assert_eq!(rpc.services.is_empty(), !internal, "{}", rpc.path);
    }
    assert_eq!(proto::find_rpc("/quickserve.user.v1.UserService/Nothing"), None);
    assert_eq!(proto::find_rpc(""), None);
}
