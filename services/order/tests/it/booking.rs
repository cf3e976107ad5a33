//! Quotes and bookings, and what repeating them does.

use crate::{
    script::{Fault, refusal},
    town::{Town, booking, keyed, metadata},
};
use chrono::Duration;
use kit::{
    Role,
    rpc::error::reason_of,
    testing::{Backend, acting_as, somebody},
    values::time::timestamp,
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb};
use tonic::{Code, Status};
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_is_priced_bound_and_its_owners(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    assert_eq!(quote.total.as_ref().unwrap().minor_units, 10_000);
    assert_eq!((quote.lines.len(), quote.inputs_hash.len(), quote.binding), (2, 64, true));
    let policy = quote.cancellation_policy.clone().unwrap();
    assert!(policy.version == "2027-05" && !policy.rules.is_empty());
    let again = town.quote(Some(town.profile), Duration::days(2)).await;
    assert_eq!(again.inputs_hash, quote.inputs_hash);
    let other = town.quote(Some(town.profile), Duration::days(3)).await;
    assert_ne!(other.inputs_hash, quote.inputs_hash);

    let request = || pb::GetQuoteRequest { quote_id: quote.id.clone() };
    let own = acting_as(town.customer, town.quotes().get_quote(request())).await.unwrap();
    assert_eq!(own.into_inner().quote.unwrap(), quote);
    let stranger = somebody(&[Role::Customer]);
    let foreign = acting_as(stranger, town.quotes().get_quote(request())).await.unwrap_err();
    let absent = pb::GetQuoteRequest { quote_id: Uuid::new_v4().to_string() };
    let absent = acting_as(stranger, town.quotes().get_quote(absent)).await.unwrap_err();
    assert_eq!(reason_of(&foreign), "QUOTE_NOT_FOUND");
    assert_eq!((foreign.message(), foreign.details()), (absent.message(), absent.details()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn wrong_inputs_of_a_quote_name_their_field(backend: Backend) {
    let town = Town::new(backend).await;
    let good = || town.quote_request(None, Duration::days(2));
    let cases = [
        ("vertical", pb::CreateQuoteRequest { vertical: "gardening".into(), ..good() }),
        ("window.start", town.quote_request(None, Duration::minutes(-1))),
        ("window.start", town.quote_request(None, Duration::days(400))),
    ];
    for (field, request) in cases {
        let error = acting_as(town.customer, town.quotes().create_quote(request)).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{field}");
        assert!(error.message().starts_with(field), "{field}: {}", error.message());
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_describes_its_details(backend: Backend) {
    let town = Town::new(backend).await;
    let mut quotes = town.quotes();
    let answer = quotes.list_verticals(pb::ListVerticalsRequest {}).await.unwrap();
    let verticals = answer.into_inner().verticals;
    assert_eq!(verticals[0].schema_path, "/v1/verticals/cleaning/schema");
    let request = pb::GetVerticalSchemaRequest { vertical: "cleaning".to_owned() };
    let answer = quotes.get_vertical_schema(request).await.unwrap().into_inner();
    let text = format!("{:?}", answer.schema.unwrap());
    for word in ["$schema", "postcode", "maxLength", "maxItems", "pattern", "Town.", "minimum"] {
        assert!(text.contains(word), "{word}");
    }
    let request = pb::GetVerticalSchemaRequest { vertical: "gardening".to_owned() };
    let error = quotes.get_vertical_schema(request).await.unwrap_err();
    assert_eq!(reason_of(&error), "VERTICAL_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booking_holds_authorises_and_asks_the_provider(backend: Backend) {
    let town = Town::new(backend).await;
    let order = town.ordered().await;
    assert_eq!(order.state(), OrderState::Requested);
    assert_eq!(order.payment.as_ref().unwrap().state(), pb::PaymentState::Authorized);
    assert_eq!(order.provider_user_id, town.provider.user_id.to_string());
    assert_eq!(town.script.money(&order.id).authorized, 10_000);
    assert_eq!(town.script.slots(&order.id), [(town.profile.to_string(), false)]);
    let key = (order.id.clone(), town.profile.to_string());
    let until = town.script.with(|memory| memory.held_until[&key]);
    assert_eq!(order.ends_at, Some(timestamp(until)), "held as long as the provider is asked");
    let created = town.until_fact(&order.id, "order.created").await;
    assert_eq!(created.to(), OrderState::Requested);
    assert_eq!(town.events.kinds_of(&order.id), ["order.created"]);
    let full = town.full(town.customer, &order.id).await;
    let actions: Vec<_> = full.timeline.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(actions, ["book", "authorize"]);
    let quote = pb::GetQuoteRequest { quote_id: order.quote_id.clone() };
    let quote = acting_as(town.customer, town.quotes().get_quote(quote)).await.unwrap();
    let quote = quote.into_inner().quote.unwrap();
    assert_eq!((quote.order_id, quote.version), (order.id, 2));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn twenty_identical_bookings_make_one_order_and_one_answer(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    let calls = (0..20).map(|_| {
        let (mut api, request) = (town.orders(), keyed(booking(&quote), "key-1"));
        tokio::spawn(acting_as(town.customer, async move { api.create_order(request).await }))
    });
    let calls: Vec<_> = calls.collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().unwrap().into_inner());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "all the same");
    assert_eq!((town.script.calls("hold"), town.script.calls("authorize")), (1, 1));

    let other = town.quote(Some(town.profile), Duration::days(3)).await;
    let reused = acting_as(town.customer, async {
        town.orders().create_order(keyed(booking(&other), "key-1")).await
    });
    assert_eq!(reason_of(&reused.await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");
    let used = town.book(booking(&quote)).await.unwrap_err();
    assert_eq!(reason_of(&used), "QUOTE_USED");
    assert_eq!(metadata(&used, "order_id"), answers[0].order.as_ref().unwrap().id);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn twenty_bookings_of_one_quote_without_a_key_make_one_order(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    let calls = (0..20).map(|_| {
        let (mut api, request) = (town.orders(), booking(&quote));
        tokio::spawn(acting_as(town.customer, async move { api.create_order(request).await }))
    });
    let calls: Vec<_> = calls.collect();
    let mut ids = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => ids.push(answer.into_inner().order.unwrap().id),
            Err(error) => assert_eq!(reason_of(&error), "QUOTE_USED", "{error}"),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(town.script.with(|memory| memory.slots.len()), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn one_slot_goes_to_one_of_twenty_bookings(backend: Backend) {
    let town = Town::new(backend).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        let quote = town.quote(Some(town.profile), Duration::days(2)).await;
        let (mut api, request) = (town.orders(), booking(&quote));
        let call = async move { api.create_order(request).await };
        calls.push(tokio::spawn(acting_as(town.customer, call)));
    }
    let mut booked = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => booked += 1,
            Err(error) => {
                assert_eq!(
                    (error.code(), reason_of(&error)),
                    (Code::AlreadyExists, "SLOT_TAKEN".into())
                );
            }
        }
    }
    assert_eq!(booked, 1);
    let mut api = town.orders();
    let listed = acting_as(town.customer, api.list_orders(pb::ListOrdersRequest::default()));
    assert_eq!(listed.await.unwrap().into_inner().orders.len(), 1, "nothing else is left");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refused_booking_leaves_the_quote_free(backend: Backend) {
    let town = Town::new(backend).await;
    let refusals: [(&'static str, Status); 3] = [
        ("hold", refusal(Code::AlreadyExists, "SLOT_TAKEN")),
        ("hold", refusal(Code::FailedPrecondition, "PROVIDER_NOT_ELIGIBLE")),
        ("authorize", refusal(Code::NotFound, "PAYMENT_METHOD_NOT_FOUND")),
    ];
    for (rpc, status) in refusals {
        let quote = town.quote(Some(town.profile), Duration::days(2)).await;
        town.script.fail(rpc, Fault::Refuse(status.clone()));
        let request = || keyed(booking(&quote), &format!("key-{}", quote.id));
        let refused = acting_as(town.customer, async {
            town.orders().create_order(request()).await.unwrap_err()
        });
        assert_eq!(reason_of(&refused.await), reason_of(&status));
        town.until_script("the time is free", |script| {
            script.with(|memory| memory.slots.is_empty())
        })
        .await;
        let booked =
            acting_as(town.customer, async { town.orders().create_order(request()).await });
        let order = booked.await.unwrap().into_inner().order.unwrap();
        assert_eq!(order.state(), OrderState::Requested, "the same call gets through later");
        let (cancel_token, _) = town.token(town.customer, &order.id).await;
        let with = crate::acts::With { cancel_token, ..Default::default() };
        town.act_with(town.customer, "cancel", &order.id, &with).await;
        town.until_script("the time is free", |script| {
            script.with(|memory| memory.slots.is_empty())
        })
        .await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_quote_is_booked_in_time_by_its_owner(backend: Backend) {
    let town = Town::new(backend).await;
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    let stranger = somebody(&[Role::Customer]);
    let foreign = acting_as(stranger, town.orders().create_order(booking(&quote))).await;
    assert_eq!(reason_of(&foreign.unwrap_err()), "QUOTE_NOT_FOUND");
    let other =
        pb::CreateOrderRequest { provider_id: Uuid::new_v4().to_string(), ..booking(&quote) };
    let error = town.book(other).await.unwrap_err();
    assert!(error.message().starts_with("provider_id"), "{error}");
    town.clock.advance(Duration::minutes(30));
    assert_eq!(reason_of(&town.book(booking(&quote)).await.unwrap_err()), "QUOTE_EXPIRED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_books_their_own_profile(backend: Backend) {
    let town = Town::new(backend).await;
    let own = Uuid::new_v4();
    town.script.with(|memory| {
        memory.accounts.insert(own.to_string(), town.customer.user_id);
    });
    let quote = town.quote(Some(own), Duration::days(2)).await;
    let error = town.book(booking(&quote)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    town.until_script("the time is free", |script| script.with(|it| it.slots.is_empty())).await;
    assert_eq!(town.script.calls("authorize"), 0);
}
