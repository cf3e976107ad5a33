//! Operators are made by whoever holds the database, and by nobody else.

use crate::world::PASSWORD;
use crate::world::Service;
use kit::Role;
use kit::testing::Backend;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operator_is_made_beside_the_running_service(backend: Backend) {
    let service = Service::new(backend).await;
    let operator = service.operator().await;
    let claims = service.claims(&operator.access).await;
    assert!(claims.subject.roles.has(Role::Operator));
    assert!(!claims.subject.roles.has(Role::Customer));
    let me = service.me(&operator).await.unwrap();
    assert_eq!(me.role, "operator");
    assert!(me.email_verified_at.is_some());
    service.expect_facts(&operator.id, &["user.registered"]).await;

    service.register("ana@example.org", "client").await.unwrap();
    for (email, name, password, problem) in [
        ("ana@example.org", "Olga", PASSWORD, "the e-mail address has an account already"),
        ("nowhere", "Olga", PASSWORD, "email must be an e-mail address"),
        ("x@example.org", " ", PASSWORD, "name must not be empty"),
        ("x@example.org", "Olga", "12345678", "password is one of the most common passwords"),
    ] {
        let refused = user::create_operator(&service.host, email, name, password).await;
        assert_eq!(refused.unwrap_err().to_string(), problem);
    }
}
