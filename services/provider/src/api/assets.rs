//! Handlers of `AssetService`: vehicles.

use super::{Api, parse_provider_id, scope_of};
use crate::{
    convert,
    domain::{Asset, AssetId, Error, ProviderId, presence::POSITION_LAYER},
    events, live,
    repository::{assets, profiles},
    staffing,
};
use kit::{
    Id,
    storage::{db::Begun, idempotency::Key, page::Page},
};
use proto::quickserve::provider::v1::{self as pb, asset_service_server::AssetService};
use tonic::{Request, Response, Status, async_trait};

impl Api {
    /// Takes a provider who went offline with its vehicle out of the index.
    async fn forget_position(&self, id: ProviderId, is_offline: bool) -> Result<(), Error> {
        if is_offline {
            self.positions.remove(POSITION_LAYER, id.uuid()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl AssetService for Api {
    async fn create_asset(
        &self,
        request: Request<pb::CreateAssetRequest>,
    ) -> Result<Response<pb::CreateAssetResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let pb::CreateAssetRequest { provider_id, kind, seats, volume_l, payload_kg, plate } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        let asset = Asset {
            id: Id::new(tx.clock()),
            provider_id: id,
            kind,
            seats,
            volume_l,
            payload_kg,
            plate,
            active: true,
            created_at: tx.now(),
            updated_at: tx.now(),
        };
        assets::insert_asset(&tx, &asset).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let asset = Some(convert::asset(&asset));
        Ok(self.commit(tx, id, pb::CreateAssetResponse { asset }).await?)
    }

    async fn get_asset(
        &self,
        request: Request<pb::GetAssetRequest>,
    ) -> Result<Response<pb::GetAssetResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::GetAssetRequest { provider_id, asset_id } = request.into_inner();
        let asset_id = AssetId::parse("asset_id", &asset_id)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let asset = self.providers.find_asset(provider.id, asset_id).await?;
        Ok(Response::new(pb::GetAssetResponse { asset: Some(convert::asset(&asset)) }))
    }

    async fn list_assets(
        &self,
        request: Request<pb::ListAssetsRequest>,
    ) -> Result<Response<pb::ListAssetsResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListAssetsRequest { provider_id, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let (rows, next_page_token) = self.providers.assets(provider.id, page).await?;
        let assets = rows.iter().map(convert::asset).collect();
        Ok(Response::new(pb::ListAssetsResponse { assets, next_page_token }))
    }

    async fn update_asset(
        &self,
        request: Request<pb::UpdateAssetRequest>,
    ) -> Result<Response<pb::UpdateAssetResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::UpdateAssetRequest {
            provider_id,
            asset_id,
            kind,
            seats,
            volume_l,
            payload_kg,
            plate,
            active,
        } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let asset_id = AssetId::parse("asset_id", &asset_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        let known = assets::lock_asset(&tx, id, asset_id).await?;
        let asset = Asset {
            kind,
            seats,
            volume_l,
            payload_kg,
            plate,
            active: active.unwrap_or(true),
            updated_at: tx.now(),
            ..known.clone()
        };
        assets::save_asset(&tx, &asset).await?;
        let is_offline = !asset.active && live::give_up_vehicle(&tx, id, asset_id).await?;
        if asset.does_less_than(&known) {
            let id = asset_id.uuid();
            staffing::tell_of_lost_resource(&tx, &mut provider, id, events::VEHICLE).await?;
        }
        profiles::save_profile(&tx, &mut provider).await?;
        let asset = Some(convert::asset(&asset));
        let answer = self.commit(tx, id, pb::UpdateAssetResponse { asset }).await?;
        self.forget_position(id, is_offline).await?;
        Ok(answer)
    }

    async fn delete_asset(
        &self,
        request: Request<pb::DeleteAssetRequest>,
    ) -> Result<Response<pb::DeleteAssetResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::DeleteAssetRequest { provider_id, asset_id } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let asset_id = AssetId::parse("asset_id", &asset_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        assets::delete_asset(&tx, id, asset_id).await?;
        let is_offline = live::give_up_vehicle(&tx, id, asset_id).await?;
        let gone = asset_id.uuid();
        staffing::tell_of_lost_resource(&tx, &mut provider, gone, events::VEHICLE).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let answer = self.commit(tx, id, pb::DeleteAssetResponse {}).await?;
        self.forget_position(id, is_offline).await?;
        Ok(answer)
    }
}
