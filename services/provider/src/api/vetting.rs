//! `VettingService`: documents and the decisions of operators.

use super::{Api, parse_provider_id, scope_of};
use crate::{
    convert,
    domain::{
        Document, DocumentId, Error, MemberId, Provider, ProviderId,
        block::ACCOUNT_SUSPENDED,
        document::{self, Submission},
        profile::ProfileAction,
    },
    events,
    repository::{documents, members, profiles},
    worker,
};
use kit::{
    Id, Scope, Tx,
    storage::{db::Begun, idempotency::Key, page::Page},
    values::time::moment,
};
use proto::quickserve::provider::v1::{self as pb, vetting_service_server::VettingService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

#[async_trait]
impl VettingService for Api {
    async fn submit_document(
        &self,
        request: Request<pb::SubmitDocumentRequest>,
    ) -> Result<Response<pb::SubmitDocumentResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let request = request.into_inner();
        let id = parse_provider_id(&request.provider_id)?;
        let submission = parse_submission(request)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        members::check_member(&tx, id, submission.member_id).await?;
        let document = Document::submit(Id::new(tx.clock()), id, submission, tx.now())?;
        documents::insert_document(&tx, &document).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let document = Some(convert::document(&document));
        Ok(self.commit(tx, id, pb::SubmitDocumentResponse { document }).await?)
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListDocumentsRequest { provider_id, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let (rows, next_page_token) = self.providers.documents(provider.id, page).await?;
        let documents = rows.iter().map(convert::document).collect();
        Ok(Response::new(pb::ListDocumentsResponse { documents, next_page_token }))
    }

    async fn verify_document(
        &self,
        request: Request<pb::VerifyDocumentRequest>,
    ) -> Result<Response<pb::VerifyDocumentResponse>, Status> {
        let (key, operator) = (Key::of(&request), kit::caller_of(&request).subject()?.user_id);
        let pb::VerifyDocumentRequest { provider_id, document_id } = request.into_inner();
        let (id, document_id) = parse_ids(&provider_id, &document_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let decision = (document::DocumentAction::Verify, String::new());
        let document = Some(review_document(&tx, id, document_id, decision, operator).await?);
        Ok(self.commit(tx, id, pb::VerifyDocumentResponse { document }).await?)
    }

    async fn reject_document(
        &self,
        request: Request<pb::RejectDocumentRequest>,
    ) -> Result<Response<pb::RejectDocumentResponse>, Status> {
        let (key, operator) = (Key::of(&request), kit::caller_of(&request).subject()?.user_id);
        let pb::RejectDocumentRequest { provider_id, document_id, reason } = request.into_inner();
        let (id, document_id) = parse_ids(&provider_id, &document_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let decision = (document::DocumentAction::Reject, reason);
        let document = Some(review_document(&tx, id, document_id, decision, operator).await?);
        Ok(self.commit(tx, id, pb::RejectDocumentResponse { document }).await?)
    }

    async fn revoke_document(
        &self,
        request: Request<pb::RevokeDocumentRequest>,
    ) -> Result<Response<pb::RevokeDocumentResponse>, Status> {
        let (key, operator) = (Key::of(&request), kit::caller_of(&request).subject()?.user_id);
        let pb::RevokeDocumentRequest { provider_id, document_id, reason } = request.into_inner();
        let (id, document_id) = parse_ids(&provider_id, &document_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let decision = (document::DocumentAction::Revoke, reason);
        let document = Some(review_document(&tx, id, document_id, decision, operator).await?);
        Ok(self.commit(tx, id, pb::RevokeDocumentResponse { document }).await?)
    }

    async fn start_review(
        &self,
        request: Request<pb::StartReviewRequest>,
    ) -> Result<Response<pb::StartReviewResponse>, Status> {
        let key = Key::of(&request);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, Scope::All).await?;
        provider.act(ProfileAction::StartReview)?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::StartReviewResponse { provider }).await?)
    }

    async fn set_background_check(
        &self,
        request: Request<pb::SetBackgroundCheckRequest>,
    ) -> Result<Response<pb::SetBackgroundCheckResponse>, Status> {
        let key = Key::of(&request);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let check = convert::parse_background_check(request.get_ref().background_check())?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, Scope::All).await?;
        if provider.set_background_check(check) {
            events::record_event(&tx, &mut provider, events::RESTRICTED, events::BACKGROUND)
                .await?;
        }
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::SetBackgroundCheckResponse { provider }).await?)
    }

    async fn approve_provider(
        &self,
        request: Request<pb::ApproveProviderRequest>,
    ) -> Result<Response<pb::ApproveProviderResponse>, Status> {
        let key = Key::of(&request);
        let id = parse_provider_id(&request.get_ref().provider_id)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, Scope::All).await?;
        provider.act(ProfileAction::Approve)?;
        events::record_event(&tx, &mut provider, events::VERIFIED, "").await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::ApproveProviderResponse { provider }).await?)
    }

    async fn block_provider(
        &self,
        request: Request<pb::BlockProviderRequest>,
    ) -> Result<Response<pb::BlockProviderResponse>, Status> {
        let key = Key::of(&request);
        let pb::BlockProviderRequest { provider_id, reason, until } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let until = until.map(|until| moment("until", Some(&until))).transpose()?;
        if until.is_some_and(|until| until <= self.providers.clock().now()) {
            return Err(Error::invalid("until", "must be in the future").into());
        }
        if reason == ACCOUNT_SUSPENDED {
            let problem = "is set by suspending the account: choose another one";
            return Err(Error::invalid("reason", problem).into());
        }
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, Scope::All).await?;
        provider.block(&reason, until, tx.now())?;
        worker::schedule_block_end(&tx, &provider).await?;
        events::record_event(&tx, &mut provider, events::BLOCKED, &reason).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::BlockProviderResponse { provider }).await?)
    }

    async fn unblock_provider(
        &self,
        request: Request<pb::UnblockProviderRequest>,
    ) -> Result<Response<pb::UnblockProviderResponse>, Status> {
        let key = Key::of(&request);
        let pb::UnblockProviderRequest { provider_id, reason } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, Scope::All).await?;
        for lifted in provider.unblock(reason)? {
            events::record_event(&tx, &mut provider, events::UNBLOCKED, &lifted).await?;
        }
        worker::schedule_block_end(&tx, &provider).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let provider = Some(full_view(&tx, &provider).await?);
        Ok(self.commit(tx, id, pb::UnblockProviderResponse { provider }).await?)
    }
}

/// Takes an operator's decision, with its reason, on a document.
async fn review_document(
    tx: &Tx,
    provider_id: ProviderId,
    id: DocumentId,
    (action, reason): (document::DocumentAction, String),
    operator: Uuid,
) -> Result<pb::Document, Error> {
    let mut provider = match profiles::lock_profile(tx, provider_id, Scope::All).await {
        // The caller asked for the document.
        Err(Error::ProviderNotFound) => return Err(Error::DocumentNotFound),
        found => found?,
    };
    let mut document = documents::lock_document(tx, provider_id, id).await?;
    document.review(action, reason, operator, tx.now())?;
    worker::schedule_document_end(tx, &document, provider.zone()).await?;
    if action == document::DocumentAction::Revoke {
        events::record_event(tx, &mut provider, events::RESTRICTED, &document.kind).await?;
    }
    documents::save_document(tx, &document).await?;
    profiles::save_profile(tx, &mut provider).await?;
    Ok(convert::document(&document))
}

/// The whole profile, as its owner and operators see it.
pub(super) async fn full_view(tx: &Tx, provider: &Provider) -> Result<pb::Provider, Error> {
    let offerings = profiles::offerings_of(&**tx, &[provider.id]).await?;
    Ok(convert::provider(provider, &offerings, convert::View::Full))
}

fn parse_ids(provider_id: &str, document_id: &str) -> Result<(ProviderId, DocumentId), Error> {
    Ok((parse_provider_id(provider_id)?, DocumentId::parse("document_id", document_id)?))
}

fn parse_submission(request: pb::SubmitDocumentRequest) -> Result<Submission, Error> {
    let pb::SubmitDocumentRequest {
        provider_id: _,
        kind,
        number,
        issued_on,
        expires_on,
        file_sha256,
        member_id,
    } = request;
    let issued_on = convert::parse_date("issued_on", &issued_on)?;
    let expires_on = match expires_on.as_str() {
        "" => None,
        text => Some(convert::parse_date("expires_on", text)?),
    };
    let member_id = MemberId::parse_optional("member_id", &member_id)?;
    Ok(Submission { kind, number, issued_on, expires_on, file_sha256, member_id })
}
