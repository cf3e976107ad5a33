//! Providers whom customers like to have again.

use super::Api;
use crate::{
    domain::{Principal, records::favourite},
    repository::favourites,
};
use kit::{Id, values::time::timestamp};
use proto::quickserve::order::v1::{self as pb, favourite_service_server::FavouriteService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl FavouriteService for Api {
    async fn add_favourite(
        &self,
        request: Request<pb::AddFavouriteRequest>,
    ) -> Result<Response<pb::AddFavouriteResponse>, Status> {
        let customer = Principal::of(&kit::caller_of(&request))?.account()?;
        let provider = Id::parse("provider_id", &request.into_inner().provider_id)?;
        let tx = self.app.db.begin().await?;
        let kept = favourites::add_favourite(&tx, customer, provider).await?;
        tx.commit().await?;
        let favourite = Some(to_favourite(&kept));
        Ok(Response::new(pb::AddFavouriteResponse { favourite }))
    }

    async fn get_favourite(
        &self,
        request: Request<pb::GetFavouriteRequest>,
    ) -> Result<Response<pb::GetFavouriteResponse>, Status> {
        let customer = Principal::of(&kit::caller_of(&request))?.account()?;
        let provider = Id::parse("provider_id", &request.into_inner().provider_id)?;
        let db = self.app.db.connection();
        let kept = favourites::get_favourite(db, customer, provider).await?;
        let favourite = Some(to_favourite(&kept));
        Ok(Response::new(pb::GetFavouriteResponse { favourite }))
    }

    async fn list_favourites(
        &self,
        request: Request<pb::ListFavouritesRequest>,
    ) -> Result<Response<pb::ListFavouritesResponse>, Status> {
        let customer = Principal::of(&kit::caller_of(&request))?.account()?;
        let kept = favourites::list_favourites(self.app.db.connection(), customer).await?;
        let favourites = kept.iter().map(to_favourite).collect();
        Ok(Response::new(pb::ListFavouritesResponse { favourites }))
    }

    async fn remove_favourite(
        &self,
        request: Request<pb::RemoveFavouriteRequest>,
    ) -> Result<Response<pb::RemoveFavouriteResponse>, Status> {
        let customer = Principal::of(&kit::caller_of(&request))?.account()?;
        let provider = Id::parse("provider_id", &request.into_inner().provider_id)?;
        favourites::remove_favourite(self.app.db.connection(), customer, provider).await?;
        Ok(Response::new(pb::RemoveFavouriteResponse {}))
    }
}

fn to_favourite(kept: &favourite::Model) -> pb::Favourite {
    pb::Favourite {
        provider_id: kept.provider_id.to_string(),
        created_at: Some(timestamp(kept.created_at)),
    }
}
