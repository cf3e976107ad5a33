//! The calendar of an account, behind a secret link.

use super::Api;
use crate::{
    calendar,
    domain::{Principal, series_records::calendar_link},
    repository::{calendar_links, orders},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use kit::values::time::timestamp;
use proto::{
    google::api::HttpBody,
    quickserve::order::v1::{self as pb, calendar_service_server::CalendarService},
};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

/// Where a calendar is read.
const PATH: &str = "/v1/me/calendar.ics";
/// How long bookings stay in the calendar after their end.
const KEPT: Duration = Duration::days(31);

#[tonic::async_trait]
impl CalendarService for Api {
    async fn replace_calendar_link(
        &self,
        request: Request<pb::ReplaceCalendarLinkRequest>,
    ) -> Result<Response<pb::ReplaceCalendarLinkResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let tx = self.app.db.begin().await?;
        let link = calendar_links::replace_link(&tx, account, sha256(&secret)).await?;
        tx.commit().await?;
        let path = format!("{PATH}?secret={secret}");
        let link = Some(pb::CalendarLink { path, ..to_link(&link) });
        Ok(Response::new(pb::ReplaceCalendarLinkResponse { link }))
    }

    async fn get_calendar_link(
        &self,
        request: Request<pb::GetCalendarLinkRequest>,
    ) -> Result<Response<pb::GetCalendarLinkResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let link = calendar_links::get_link(self.app.db.connection(), account).await?;
        Ok(Response::new(pb::GetCalendarLinkResponse { link: Some(to_link(&link)) }))
    }

    async fn revoke_calendar_link(
        &self,
        request: Request<pb::RevokeCalendarLinkRequest>,
    ) -> Result<Response<pb::RevokeCalendarLinkResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let tx = self.app.db.begin().await?;
        calendar_links::remove_link(&tx, account).await?;
        tx.commit().await?;
        Ok(Response::new(pb::RevokeCalendarLinkResponse {}))
    }

    async fn read_calendar(
        &self,
        request: Request<pb::ReadCalendarRequest>,
    ) -> Result<Response<pb::ReadCalendarResponse>, Status> {
        let pb::ReadCalendarRequest { secret } = request.into_inner();
        let db = self.app.db.connection();
        let account = calendar_links::account_of(db, sha256(&secret)).await?;
        let orders = orders::ending_after(db, account, self.app.now() - KEPT).await?;
        let body = HttpBody {
            content_type: "text/calendar; charset=utf-8".to_owned(),
            data: calendar::write_calendar(&orders, account).into_bytes(),
            extensions: Vec::new(),
        };
        Ok(Response::new(pb::ReadCalendarResponse { body: Some(body) }))
    }
}

fn sha256(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// The link without its secret.
fn to_link(link: &calendar_link::Model) -> pb::CalendarLink {
    pb::CalendarLink { path: String::new(), created_at: Some(timestamp(link.created_at)) }
}
