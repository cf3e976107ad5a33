//! `PresenceService`: who is online.

use super::Api;
use crate::{convert, domain::AssetId, live};
use proto::quickserve::provider::v1::{self as pb, presence_service_server::PresenceService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl PresenceService for Api {
    async fn go_online(
        &self,
        request: Request<pb::GoOnlineRequest>,
    ) -> Result<Response<pb::GoOnlineResponse>, Status> {
        let user_id = kit::caller_of(&request).subject()?.user_id;
        let pb::GoOnlineRequest { asset_id } = request.into_inner();
        let asset_id = AssetId::parse_optional("asset_id", &asset_id)?;
        let presence = live::go_online(&self.providers, user_id, asset_id).await?;
        let presence = Some(convert::presence(&presence));
        Ok(Response::new(pb::GoOnlineResponse { presence }))
    }

    async fn go_offline(
        &self,
        request: Request<pb::GoOfflineRequest>,
    ) -> Result<Response<pb::GoOfflineResponse>, Status> {
        let user_id = kit::caller_of(&request).subject()?.user_id;
        let presence = live::go_offline(&self.providers, &*self.positions, user_id).await?;
        let presence = Some(convert::presence(&presence));
        Ok(Response::new(pb::GoOfflineResponse { presence }))
    }
}
