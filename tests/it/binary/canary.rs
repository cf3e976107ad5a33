//! Secrets and personal data go where they must and nowhere else: not into the log, not into the metrics, not into
//! errors.

use super::{
    grpc::grpcurl,
    people::{People, in_hours},
    program::{Home, Program, run},
    wire,
};
use crate::journey::act;
use bytes::Bytes;
use http::Method;
use kit::testing::Backend;
use quickserve::{
    client::Client,
    demo::{self, Person, text_at},
};
use serde_json::{Value, json};
use yare::parameterized;

const PASSWORD: &str = "canary-password-1";
const OTHER_PASSWORD: &str = "canary-password-2";
const EMAIL: &str = "canary.mail@test.example";
const PHONE: &str = "+33611223344";
const STREET: &str = "17 rue du Canari";
const ACCESS: &str = "door code canary-4711";
const CARD: &str = "tok_ok_mastercard";
const NOTES: &str = "canary-notes: the dog bites";
const TALK: &str = "canary-message: ring twice";
const NAME: &str = "Canary Surname";
const FORGED: &str = "canary-forged-token";

/// What is told of a child and of who fetches it.
const CHILD: [&str; 6] = [
    "Canary-Lou",
    "canary-peanuts",
    "canary-note: sleeps with the bear",
    "Canary-Grandma",
    "Canary-Anne",
    "canary-aunt",
];
const BORN_ON: &str = "2022-05-17";
const CODE: &str = "4711081547";
const REASON: &str = "canary-reason of an operator";

/// What must not be told, and what was told so far in errors.
#[derive(Default)]
struct Watch {
    secrets: Vec<String>,
    errors: Vec<String>,
}

impl Watch {
    fn secret(&mut self, value: &Value) -> String {
        let text = value.as_str().unwrap().to_owned();
        assert!(!text.is_empty());
        self.secrets.push(text.clone());
        text
    }

    /// Makes a call that is refused, and keeps what is said about it.
    async fn refused(&mut self, client: &Client, method: Method, path: &str, body: Option<Value>) {
        let answer = client.send(method, path, body, &[]).await.unwrap();
        assert!(answer.status.is_client_error(), "{path}: {} {}", answer.status, answer.body);
        self.errors.push(format!("{:?} {}", answer.headers, answer.body));
    }

    fn is_silent(&self, place: &str, said: &str) {
        let fixed = [
            PASSWORD,
            OTHER_PASSWORD,
            EMAIL,
            PHONE,
            STREET,
            ACCESS,
            CARD,
            NOTES,
            TALK,
            NAME,
            FORGED,
            BORN_ON,
            CODE,
            REASON,
            demo::PASSWORD,
        ];
        // A query string escapes some of them.
        let escaped = [EMAIL.replace('@', "%40"), PHONE.replace('+', "%2B")];
        for secret in fixed
            .iter()
            .copied()
            .chain(CHILD)
            .chain(self.secrets.iter().chain(&escaped).map(String::as_str))
        {
            let line = said.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "`{secret}` is in {place}: {}", line.unwrap_or_default());
        }
    }
}

/// Registers, signs in and renews, with every mistake that can be made.
async fn sign_up(program: &Program, watch: &mut Watch) -> Person {
    let client = &program.client;
    let account = json!({
        "name": NAME, "email": EMAIL, "role": "customer", "password": PASSWORD, "phone": PHONE,
        "locale": "fr", "time_zone": demo::ZONE,
    });
    client.post("/v1/users", account.clone()).await.unwrap().ok().unwrap();
    for (field, wrong) in [
        ("role", json!("king")),
        ("phone", json!(format!("{PHONE}x"))),
        ("email", json!(format!("{EMAIL} x"))),
        ("password", json!([PASSWORD])),
        (EMAIL, json!(PASSWORD)),
    ] {
        let mut account = account.clone();
        account[field] = wrong;
        // The name of a field that does not exist is repeated, so that it can be found: it is the caller's own.
        if field != EMAIL {
            watch.refused(client, Method::POST, "/v1/users", Some(account)).await;
        }
    }
    let login = |password: &str| Some(json!({ "email": EMAIL, "password": password }));
    watch.refused(client, Method::POST, "/v1/auth/login", login(OTHER_PASSWORD)).await;
    let signed =
        client.post("/v1/auth/login", login(PASSWORD).unwrap()).await.unwrap().ok().unwrap();
    watch.secret(&signed["access_token"]);
    let refresh = watch.secret(&signed["refresh_token"]);
    let renewed = json!({ "refresh_token": refresh });
    let renewed = client.post("/v1/auth/refresh", renewed).await.unwrap().ok().unwrap();
    let token = watch.secret(&renewed["access_token"]);
    watch.secret(&renewed["refresh_token"]);
    let forged = Some(json!({ "refresh_token": FORGED }));
    watch.refused(client, Method::POST, "/v1/auth/refresh", forged).await;
    watch.refused(client, Method::POST, "/v1/auth/verify", Some(json!({ "code": FORGED }))).await;
    let reset = Some(json!({ "code": FORGED, "password": OTHER_PASSWORD }));
    watch.refused(client, Method::POST, "/v1/auth/reset:confirm", reset).await;
    watch.refused(&client.with_token(FORGED), Method::GET, "/v1/me", None).await;
    watch.refused(&client.with_token(&format!("{token}x")), Method::GET, "/v1/me", None).await;
    client.post("/v1/auth/reset", json!({ "email": EMAIL })).await.unwrap().ok().unwrap();
    let mut person = demo::sign_in(client, EMAIL, PASSWORD).await.unwrap();
    watch.secrets.push(person.client.token().unwrap().to_owned());
    person.client = client.with_token(&token);
    person
}

/// The form of OAuth2, a broken body, a secret in a query: what is not read as JSON is not repeated either.
async fn mistakes_on_the_wire(program: &Program, watch: &mut Watch) {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let json = [("content-type", "application/json")];
    for (path, headers, body) in [
        ("/token", form, format!("grant_type=password&username={EMAIL}&password={OTHER_PASSWORD}")),
        ("/token", form, format!("grant_type=canary&username={EMAIL}&password={PASSWORD}")),
        ("/v1/auth/login", json, format!(r#"{{"email": "{EMAIL}", "password": "{PASSWORD}"#)),
        ("/v1/auth/login", json, format!(r#"{{"email": "{EMAIL}", "password": {PASSWORD}}}"#)),
        ("/v1/auth/login", json, format!(r#""{PASSWORD}""#)),
    ] {
        let url = format!("{}{path}", program.url());
        let answer = wire::post(false, &url, &headers, Bytes::from(body)).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
        watch.errors.push(String::from_utf8_lossy(&answer.body).into_owned());
    }
    let query = format!("/v1/orders?page_token={FORGED}&side={}", EMAIL.replace('@', "%40"));
    watch.refused(&program.client, Method::GET, &query, None).await;
}

/// Books with a card, an address and notes, wrongly first; then talks about it.
async fn book(people: &People, customer: &Person, watch: &mut Watch) {
    let client = &customer.client;
    let unknown = Some(json!({ "token": "tok_canary_card" }));
    watch.secrets.push("tok_canary_card".to_owned());
    watch.refused(client, Method::POST, "/v1/paymentMethods", unknown).await;
    demo::add_card(customer, CARD).await.unwrap();
    let mut request = demo::quote_request(&people.provider.provider_id, in_hours(48));
    request["address"]["lines"] = json!([STREET]);
    request["address"]["access_notes"] = json!(ACCESS);
    request["details"]["access"] = json!(ACCESS);
    request["details"]["notes"] = json!(NOTES);
    for (pointer, wrong) in [
        ("/address/lines", json!([STREET.repeat(20)])),
        ("/address/lat", json!(STREET)),
        ("/details/rooms", json!(NOTES)),
        ("/details/access", json!(ACCESS.repeat(50))),
        ("/vertical", json!("none")),
    ] {
        let mut request = request.clone();
        *request.pointer_mut(pointer).unwrap() = wrong;
        watch.refused(client, Method::POST, "/v1/quotes", Some(request)).await;
    }
    let saved = json!({ "label": "home", "address": request["address"] });
    client.post("/v1/me/addresses", saved).await.unwrap().ok().unwrap();
    let quote = client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
    let order = json!({ "quote_id": quote["id"], "notes": NOTES });
    let order = client.post("/v1/orders", order.clone()).await.unwrap().ok().unwrap();
    let id = text_at(&order, "id").unwrap();
    let again = Some(json!({ "quote_id": quote["id"], "notes": NOTES }));
    watch.refused(client, Method::POST, "/v1/orders", again).await;
    act(&people.provider.person, &id, "accept", json!({})).await;
    let path = format!("/v1/orders/{id}");
    let seen = client.get(&path).await.unwrap().ok().unwrap();
    watch.secret(&seen["start_code"]);
    let start =
        Some(json!({ "start_code": format!("x{}", text_at(&seen, "start_code").unwrap()) }));
    let provider = &people.provider.person.client;
    watch.refused(provider, Method::POST, &format!("{path}:start"), start).await;
    let talk = json!({ "text": TALK });
    client.post(&format!("{path}/messages"), talk).await.unwrap().ok().unwrap();
    let long = Some(json!({ "text": TALK.repeat(500) }));
    watch.refused(client, Method::POST, &format!("{path}/messages"), long).await;
    let preview =
        client.post(&format!("{path}:previewCancel"), json!({})).await.unwrap().ok().unwrap();
    let token = watch.secret(&preview["cancel_token"]);
    let wrong = Some(json!({ "cancel_token": format!("{token}x"), "reason": NOTES }));
    watch.refused(client, Method::POST, &format!("{path}:cancel"), wrong).await;
    act(customer, &id, "cancel", json!({ "cancel_token": token, "reason": NOTES })).await;
}

/// Enters a child and an aunt, wrongly first; has a carer book them, read of them and be refused.
async fn look_after(people: &People, parent: &Person, watch: &mut Watch) {
    let [name, allergies, notes, contact, adult, relation] = CHILD;
    let client = &parent.client;
    let child = "0d2fa6de-5a2c-4c8a-9f3e-2f0b6c1d7e01";
    let aunt = "0d2fa6de-5a2c-4c8a-9f3e-2f0b6c1d7e02";
    let profile = json!({
        "name": name, "born_on": BORN_ON, "allergies": allergies, "notes": notes,
        "contacts": [{ "name": contact, "phone": PHONE }],
    });
    for (field, wrong) in [
        ("name", json!(name.repeat(20))),
        ("born_on", json!(format!("{BORN_ON}x"))),
        ("allergies", json!([allergies])),
        ("notes", json!(notes.repeat(100))),
        ("contacts", json!([{ "name": contact, "phone": format!("{PHONE}x") }])),
    ] {
        let mut profile = profile.clone();
        profile[field] = wrong;
        let body = Some(json!({ "id": child, "profile": profile }));
        watch.refused(client, Method::POST, "/v1/children", body).await;
    }
    let entered = json!({ "id": child, "profile": profile });
    client.post("/v1/children", entered).await.unwrap().ok().unwrap();
    let path = format!("/v1/children/{child}/authorizedAdults");
    let profile = json!({ "name": adult, "relation": relation, "phone": PHONE });
    let with_code = |code: &str| json!({ "id": aunt, "profile": profile, "code": code });
    let long = Some(with_code(&CODE.repeat(2)));
    watch.refused(client, Method::POST, &path, long).await;
    client.post(&path, with_code(CODE)).await.unwrap().ok().unwrap();
    let invited = json!({ "right": "GUARDIAN_RIGHT_NOTIFY" });
    let guardians = format!("/v1/children/{child}/guardians");
    let invited = client.post(&guardians, invited).await.unwrap().ok().unwrap();
    let token = watch.secret(&invited["token"]);
    let other = &people.customer.client;
    let accept = format!("/v1/guardianInvitations/{token}:accept");
    other.post(&accept, json!({})).await.unwrap().ok().unwrap();
    watch.refused(client, Method::POST, &accept, Some(json!({}))).await;

    let email = "carol@test.example";
    let carer = demo::make_carer(&people.provider.person.client, &people.operator, "carol", email);
    let carer = carer.await.unwrap();
    let request = demo::care_request(&carer.provider_id, &[child], in_hours(6), 180);
    let order = text_at(&demo::book(parent, request).await.unwrap(), "id").unwrap();
    act(&carer.person, &order, "accept", json!({})).await;
    let path = format!("/v1/orders/{order}");
    let care = carer.person.client.get(&format!("{path}/care")).await.unwrap().ok().unwrap();
    assert_eq!(care["children"][0]["profile"]["name"], name);
    let reason = [("operator-reason", REASON)];
    let operator = &people.operator.client;
    let read = operator.send(Method::GET, &format!("{path}/care"), None, &reason).await;
    read.unwrap().ok().unwrap();
    watch.refused(operator, Method::GET, &format!("{path}/care"), None).await;
    let hand = Some(json!({ "child_id": child, "adult_id": aunt, "code": CODE, "handover": 1 }));
    watch.refused(&carer.person.client, Method::POST, &format!("{path}:checkIn"), hand).await;
    for listed in ["/v1/children", "/v1/orders", "/v1/inbox"] {
        let listed = client.get(listed).await.unwrap().body.to_string();
        assert!(!CHILD.iter().any(|word| listed.contains(word)), "{listed}");
    }
}

/// Reads the calendar by its secret link, over both ways in, and by a wrong one.
async fn read_calendar(program: &Program, customer: &Person, watch: &mut Watch) {
    let put = Some(json!({}));
    let link = customer.client.send(Method::PUT, "/v1/me/calendarLink", put, &[]).await.unwrap();
    let path = text_at(&link.ok().unwrap(), "path").unwrap();
    let (_, secret) = path.split_once('=').unwrap();
    watch.secrets.push(secret.to_owned());
    assert_eq!(program.client.get(&path).await.unwrap().status, 200);
    watch.refused(&program.client, Method::GET, &format!("{path}x"), None).await;
}

async fn over_grpc(program: &Program, customer: &Person, watch: &mut Watch) {
    let sign = format!("authorization: Bearer {}", customer.client.token().unwrap());
    let account = json!({ "name": NAME, "email": EMAIL, "role": "king", "password": PASSWORD });
    let login = json!({ "email": EMAIL, "password": OTHER_PASSWORD });
    for (body, rpc) in [
        (account, "quickserve.user.v1.UserService/CreateUser"),
        (login, "quickserve.user.v1.AuthService/Login"),
    ] {
        let body = body.to_string();
        let call = grpcurl(&["-H", &sign, "-d", &body], program.grpc["user"], &[rpc]).await;
        assert!(!call.status.success());
        watch.errors.push(call.stderr);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_leaves_no_trace_of_people(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start_with(&[("QS_LOG", "debug")]).await;
    let mut watch = Watch::default();
    let people = People::settle(&home, &program).await;
    let customer = sign_up(&program, &mut watch).await;
    mistakes_on_the_wire(&program, &mut watch).await;
    book(&people, &customer, &mut watch).await;
    look_after(&people, &customer, &mut watch).await;
    read_calendar(&program, &customer, &mut watch).await;
    over_grpc(&program, &customer, &mut watch).await;
    customer.client.post("/v1/auth/logout", json!({})).await.unwrap().ok().unwrap();

    let metrics = program.client.get("/metrics").await.unwrap();
    let metrics = metrics.body.as_str().unwrap().to_owned();
    assert!(metrics.contains("rpc_requests_total"), "{metrics}");
    watch.is_silent("the metrics", &metrics);
    let mut command = home.command(&["keys", "list"]);
    command.env("QS_LOG", "debug");
    watch.is_silent("a command", &run(command).await.ok());
    let (status, log) = program.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(log.contains(" DEBUG "), "it was not asked to say all: {log}");
    assert!(log.contains("/v1/orders"), "{log}");
    watch.is_silent("the log", &log);
    assert!(watch.errors.len() > 25);
    for error in &watch.errors {
        watch.is_silent("an error", error);
    }
}
