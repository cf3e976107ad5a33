//! Blocks: several reasons hold a profile, each ends on its own.

use crate::fixture::{Provider, Shop};
use chrono::Duration;
use kit::{
    testing::{ActingAs, Backend, EventRecorder, at, eventually, refusal, refused_field},
    values::time::timestamp,
};
use proto::quickserve::{provider::v1 as pb, user::v1::UserEvent};
use tonic::Status;
use yare::parameterized;

impl Shop {
    async fn block(
        &self,
        provider: &Provider,
        reason: &str,
        until: Option<&str>,
    ) -> Result<pb::Provider, Status> {
        let request = pb::BlockProviderRequest {
            provider_id: provider.id.clone(),
            reason: reason.to_owned(),
            until: until.map(|until| timestamp(at(until))),
        };
        let blocked = self.vetting().block_provider(request).by(self.operator).await?;
        Ok(blocked.into_inner().provider.unwrap())
    }

    async fn unblock(&self, provider: &Provider, reason: &str) -> Result<pb::Provider, Status> {
        let request = pb::UnblockProviderRequest {
            provider_id: provider.id.clone(),
            reason: reason.to_owned(),
        };
        let back = self.vetting().unblock_provider(request).by(self.operator).await?;
        Ok(back.into_inner().provider.unwrap())
    }

    /// Has user publish a fact about the provider's account.
    async fn publish_account(&self, kind: &'static str, provider: &Provider) {
        let config = self.world.host.of("provider").database_config();
        let db = kit::Db::connect(&config, self.world.clock.clone()).await.unwrap();
        let tx = db.begin().await.unwrap();
        let fact = UserEvent { user_id: provider.owner.user_id.to_string() };
        let aggregate = uuid::Uuid::new_v4();
        kit::messaging::outbox::record_event(&tx, kind, aggregate, 1, &fact).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await.unwrap();
    }
}

fn reasons(provider: &pb::Provider) -> Vec<&str> {
    provider.blocks.iter().map(|block| block.reason.as_str()).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_suspension_and_a_block_are_lifted_each_on_its_own(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ana = shop.vetted("Ana").await;
    shop.publish_account("user.suspended", &ana).await;
    let read = async || shop.profile(&ana).await;
    let blocked = eventually("the suspension", read, |it| it.blocks.len() == 1).await;
    assert_eq!(reasons(&blocked), ["ACCOUNT_SUSPENDED"]);
    assert_eq!(refused_field(shop.block(&ana, "ACCOUNT_SUSPENDED", None).await), "reason");
    let both = shop.block(&ana, "FRAUD", None).await.unwrap();
    assert_eq!(reasons(&both), ["ACCOUNT_SUSPENDED", "FRAUD"]);
    shop.publish_account("user.reinstated", &ana).await;
    let held = eventually("the reinstatement", read, |it| it.blocks.len() == 1).await;
    assert_eq!((reasons(&held), held.state()), (vec!["FRAUD"], pb::ProviderState::Blocked));
    let free = shop.unblock(&ana, "FRAUD").await.unwrap();
    assert_eq!((reasons(&free), free.state()), (vec![], pb::ProviderState::Active));

    // The other way round: the operator's block goes, the suspension stays.
    shop.block(&ana, "SAFETY", None).await.unwrap();
    shop.publish_account("user.suspended", &ana).await;
    eventually("the suspension", read, |it| it.blocks.len() == 2).await;
    assert_eq!(refusal(shop.unblock(&ana, "FRAUD").await), "BLOCK_NOT_FOUND");
    let held = shop.unblock(&ana, "").await.unwrap();
    assert_eq!(reasons(&held), ["ACCOUNT_SUSPENDED"]);
    assert_eq!(refusal(shop.unblock(&ana, "").await), "ACCOUNT_SUSPENDED");
    shop.publish_account("user.reinstated", &ana).await;
    eventually("the reinstatement", read, |it| it.state() == pb::ProviderState::Active).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_block_is_lengthened_and_made_permanent(backend: Backend) {
    let shop = Shop::open(backend).await;
    let events = EventRecorder::subscribed(&shop.world.host, &["provider."]);
    let ana = shop.vetted("Ana").await;
    let day = |day: u32| timestamp(at(&format!("2027-05-{day:02}T00:00:00Z")));
    shop.block(&ana, "SAFETY", Some("2027-05-11T00:00:00Z")).await.unwrap();
    let longer = shop.block(&ana, "SAFETY", Some("2027-05-20T00:00:00Z")).await.unwrap();
    assert_eq!((longer.blocks.len(), longer.blocked_until), (1, Some(day(20))));
    let two = shop.block(&ana, "PAPERS", Some("2027-05-15T00:00:00Z")).await.unwrap();
    assert_eq!((two.blocked_reason.as_str(), two.blocked_until), ("SAFETY", Some(day(20))));

    shop.world.clock.advance(Duration::days(6));
    let read = async || shop.profile(&ana).await;
    let one = eventually("the end of the shorter one", read, |it| it.blocks.len() == 1).await;
    assert_eq!((reasons(&one), one.state()), (vec!["SAFETY"], pb::ProviderState::Blocked));
    let permanent = shop.block(&ana, "SAFETY", None).await.unwrap();
    assert_eq!(permanent.blocked_until, None);
    shop.world.clock.advance(Duration::days(60));
    assert_eq!(shop.profile(&ana).await.state(), pb::ProviderState::Blocked);
    shop.block(&ana, "SAFETY", Some("2027-07-20T00:00:00Z")).await.unwrap();
    shop.world.clock.advance(Duration::days(7));
    eventually("the end of the last one", read, |it| it.state() == pb::ProviderState::Active).await;
    let lifted = || {
        let events: Vec<pb::ProviderEvent> = events.messages("provider.unblocked");
        events.into_iter().map(|event| event.reason).collect::<Vec<_>>()
    };
    let expected = ["PAPERS", "SAFETY"];
    eventually("the facts", async || lifted(), |reasons| *reasons == expected).await;
}
