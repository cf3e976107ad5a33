//! `ApplianceService`: the appliances of customers.

use super::account_of;
use crate::{
    convert::to_appliance,
    domain::appliance::{self, parse_warranty},
    repository,
};
use kit::{
    Db, Id,
    storage::{db::Begun, idempotency::Key, page::Page},
    values::id::parse_uuid,
};
use proto::quickserve::repair::v1::{self as pb, appliance_service_server::ApplianceService};
use tonic::{Request, Response, Status, async_trait};
use vertical::Error;

/// Serves `ApplianceService`.
pub struct Api {
    db: Db,
}

impl Api {
    /// Serves the appliances in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl ApplianceService for Api {
    async fn create_appliance(
        &self,
        request: Request<pb::CreateApplianceRequest>,
    ) -> Result<Response<pb::CreateApplianceResponse>, Status> {
        let (customer_id, key) = (account_of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::CreateApplianceRequest { brand, model, serial, warranty_until } =
            request.into_inner();
        let warranty_until = parse_warranty(&warranty_until)?;
        let tx = match self.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let id = Id::<appliance::Model>::new(tx.clock()).uuid();
        let created_at = tx.now();
        let row =
            appliance::Model { id, customer_id, brand, model, serial, warranty_until, created_at };
        repository::insert_appliance(&tx, &row).await?;
        let appliance = Some(to_appliance(row));
        Ok(tx.commit_answer(pb::CreateApplianceResponse { appliance }).await?)
    }

    async fn list_appliances(
        &self,
        request: Request<pb::ListAppliancesRequest>,
    ) -> Result<Response<pb::ListAppliancesResponse>, Status> {
        let customer_id = account_of(&kit::caller_of(&request))?;
        let pb::ListAppliancesRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let db = self.db.connection();
        let mut rows = repository::list_appliances(db, customer_id, page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let appliances = rows.into_iter().map(to_appliance).collect();
        Ok(Response::new(pb::ListAppliancesResponse { appliances, next_page_token }))
    }

    async fn delete_appliance(
        &self,
        request: Request<pb::DeleteApplianceRequest>,
    ) -> Result<Response<pb::DeleteApplianceResponse>, Status> {
        let customer_id = account_of(&kit::caller_of(&request))?;
        let pb::DeleteApplianceRequest { appliance_id } = request.into_inner();
        let id = parse_uuid("appliance_id", &appliance_id).map_err(Error::from)?;
        repository::delete_appliance(self.db.connection(), customer_id, id).await?;
        Ok(Response::new(pb::DeleteApplianceResponse {}))
    }
}
