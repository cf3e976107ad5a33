//! Documents, reviews, blocks, and the facts and timers that come of them.

use crate::fixture::{Provider, Shop, hold, insurance};
use chrono::Duration;
use kit::{
    testing::{ActingAs, Backend, EventRecorder, at, eventually, refusal, refused_field},
    values::time::timestamp,
};
use proto::quickserve::provider::v1 as pb;
use yare::parameterized;

/// Kind, number and reason of the first events, as many as there shall be.
async fn first_facts(events: &EventRecorder, count: usize) -> Vec<(String, i64, String)> {
    let seen = eventually("the events", async || events.events(), |seen| seen.len() >= count).await;
    let facts = seen.into_iter().map(|event| {
        let data: pb::ProviderEvent = event.decode().unwrap();
        (event.kind, event.seq, data.reason)
    });
    facts.collect()
}

fn fact(kind: &str, seq: i64, reason: &str) -> (String, i64, String) {
    (kind.to_owned(), seq, reason.to_owned())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_operator_vets_step_by_step(backend: Backend) {
    let shop = Shop::open(backend).await;
    let events = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let provider = shop.ready("Ana").await;
    let id = || provider.id.clone();
    let mut vetting = shop.vetting();
    let approve = || pb::ApproveProviderRequest { provider_id: id() };
    let early = vetting.approve_provider(approve()).by(shop.operator).await.unwrap_err();
    let details = tonic_types::StatusExt::get_details_error_info(&early).unwrap();
    assert_eq!(details.reason, "PROVIDER_STATE");
    assert_eq!(details.metadata["allowed_actions"], "startReview,block,offboard");
    let review = pb::StartReviewRequest { provider_id: id() };
    vetting.start_review(review).by(shop.operator).await.unwrap();
    let unclear = vetting.approve_provider(approve()).by(shop.operator).await;
    assert_eq!(refusal(unclear), "BACKGROUND_CHECK_NOT_CLEAR");
    let check = pb::SetBackgroundCheckRequest {
        provider_id: id(),
        background_check: pb::BackgroundCheck::Clear.into(),
    };
    vetting.set_background_check(check).by(shop.operator).await.unwrap();
    let approved = vetting.approve_provider(approve()).by(shop.operator).await.unwrap();
    assert_eq!(approved.into_inner().provider.unwrap().state(), pb::ProviderState::Active);
    let facts = first_facts(&events, 2).await;
    assert_eq!(facts, [fact("provider.applied", 1, ""), fact("provider.verified", 2, "")]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_block_ends_by_itself_where_it_found_the_profile(backend: Backend) {
    let shop = Shop::open(backend).await;
    let events = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let provider = shop.vetted("Ana").await;
    let id = || provider.id.clone();
    let pause = pb::PauseProviderRequest { provider_id: id() };
    shop.profiles().pause_provider(pause).by(provider.owner).await.unwrap();
    let block = |until: &str| pb::BlockProviderRequest {
        provider_id: id(),
        reason: "SAFETY".to_owned(),
        until: Some(timestamp(at(until))),
    };
    let mut vetting = shop.vetting();
    let past = vetting.block_provider(block("2027-05-01T00:00:00Z")).by(shop.operator).await;
    assert_eq!(refused_field(past), "until");
    let until = "2027-05-11T00:00:00Z";
    let blocked = vetting.block_provider(block(until)).by(shop.operator).await.unwrap();
    let blocked = blocked.into_inner().provider.unwrap();
    assert_eq!(blocked.state(), pb::ProviderState::Blocked);
    assert_eq!(blocked.blocked_reason, "SAFETY");
    assert_eq!(first_facts(&events, 3).await[2], fact("provider.blocked", 3, "SAFETY"));
    let resume = pb::ResumeProviderRequest { provider_id: id() };
    let resumed = shop.profiles().resume_provider(resume).by(provider.owner).await;
    assert_eq!(refusal(resumed), "PROVIDER_STATE");
    shop.world.clock.advance(Duration::days(1));
    eventually(
        "the end of the block",
        async || {
            let profile = shop.profile(&provider).await;
            profile.state()
        },
        |seen| *seen == pb::ProviderState::Paused,
    )
    .await;
    // A block for good ends by an operator's hand, and the end of the first one means nothing to it.
    let block = pb::BlockProviderRequest { until: None, ..block(until) };
    vetting.block_provider(block).by(shop.operator).await.unwrap();
    shop.world.clock.advance(Duration::days(30));
    assert_eq!(shop.profile(&provider).await.state(), pb::ProviderState::Blocked);
    let unblock = pb::UnblockProviderRequest { provider_id: id(), reason: String::new() };
    let back = vetting.unblock_provider(unblock).by(shop.operator).await.unwrap();
    assert_eq!(back.into_inner().provider.unwrap().state(), pb::ProviderState::Paused);
}

async fn document(shop: &Shop, provider: &Provider) -> pb::Document {
    let list = pb::ListDocumentsRequest { provider_id: provider.id.clone(), ..Default::default() };
    let listed = shop.vetting().list_documents(list).by(provider.owner).await.unwrap();
    listed.into_inner().documents.remove(0)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_document_is_announced_before_it_expires_and_then_put_away(backend: Backend) {
    let shop = Shop::open(backend).await;
    let events = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let provider = shop.applicant("Ana").await;
    shop.verified(&provider, "2027-01-01", "2027-07-01").await;
    // It expires in seven weeks and two days; notice is given 30 days before.
    assert_eq!(document(&shop, &provider).await.state(), pb::DocumentState::Verified);
    shop.world.clock.advance(Duration::days(23));
    let facts = first_facts(&events, 2).await;
    assert_eq!(facts[1], fact("provider.document_expiring", 2, "insurance"));
    shop.world.clock.advance(Duration::days(29));
    assert_eq!(document(&shop, &provider).await.state(), pb::DocumentState::Verified);
    shop.world.clock.advance(Duration::days(1));
    eventually(
        "the expiry",
        async || document(&shop, &provider).await.state(),
        |seen| *seen == pb::DocumentState::Expired,
    )
    .await;
    // Orders that require it are looked at again.
    let facts = first_facts(&events, 3).await;
    assert_eq!(facts[2], fact("provider.document_expired", 3, "insurance"));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_verified_documents_count_and_revoked_ones_do_no_more(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let next_year = || hold(&provider, "2028-03-01T09:00:00Z", 2, "2027-05-10T09:15:00Z");
    let renewal = insurance(&provider.id, "2027-06-01", "2028-12-31");
    let submitted = shop.vetting().submit_document(renewal).by(provider.owner).await.unwrap();
    let document_id = submitted.into_inner().document.unwrap().id;
    let refused = reservations.hold_reservation(next_year()).await;
    assert_eq!(refusal(refused), "PROVIDER_NOT_ELIGIBLE");
    let verify = pb::VerifyDocumentRequest {
        provider_id: provider.id.clone(),
        document_id: document_id.clone(),
    };
    let mut vetting = shop.vetting();
    vetting.verify_document(verify.clone()).by(shop.operator).await.unwrap();
    reservations.hold_reservation(next_year()).await.unwrap();
    let twice = vetting.verify_document(verify).by(shop.operator).await;
    assert_eq!(refusal(twice), "DOCUMENT_STATE");
    let revoke = pb::RevokeDocumentRequest {
        provider_id: provider.id.clone(),
        document_id,
        reason: "forged".to_owned(),
    };
    vetting.revoke_document(revoke).by(shop.operator).await.unwrap();
    let refused = hold(&provider, "2028-03-02T09:00:00Z", 2, "2027-05-10T09:15:00Z");
    let refused = reservations.hold_reservation(refused).await;
    assert_eq!(refusal(refused), "PROVIDER_NOT_ELIGIBLE");
    let unknown = pb::RejectDocumentRequest {
        provider_id: provider.id.clone(),
        document_id: uuid::Uuid::new_v4().to_string(),
        reason: "unreadable".to_owned(),
    };
    let unknown = vetting.reject_document(unknown).by(shop.operator).await;
    assert_eq!(refusal(unknown), "DOCUMENT_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_documents_name_their_field(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.applicant("Ana").await;
    for (issued, expires, wrong) in [
        ("2027-02-30", "2027-12-31", "issued_on"),
        ("27-02-28", "2027-12-31", "issued_on"),
        ("2027-01-01", "2026-12-31", "expires_on"),
    ] {
        let request = insurance(&provider.id, issued, expires);
        let answer = shop.vetting().submit_document(request).by(provider.owner).await;
        assert_eq!(refused_field(answer), wrong, "{issued} {expires}");
    }
}
