//! `VettingService`: documents and the decisions of operators.

use super::{Api, provider_id, reach};
use crate::{
    convert,
    domain::{
        DocumentId, Error, Provider,
        document::{Action as DocumentAction, Submission},
        profile::Action,
    },
    events::{self, Fact},
    repository::Reach,
};
use kit::{storage::idempotency::Key, storage::page::Page, values::time::moment};
use proto::quickserve::provider::v1::{self as pb, vetting_service_server::VettingService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl VettingService for Api {
    async fn submit_document(
        &self,
        request: Request<pb::SubmitDocumentRequest>,
    ) -> Result<Response<pb::SubmitDocumentResponse>, Status> {
        let (key, reach) = (Key::of(&request), reach(&request)?);
        let pb::SubmitDocumentRequest {
            provider_id: id,
            kind,
            number,
            issued_on,
            expires_on,
            file_sha256,
        } = request.into_inner();
        let issued_on = convert::parse_date("issued_on", &issued_on)?;
        let expires_on = match expires_on.as_str() {
            "" => None,
            text => Some(convert::parse_date("expires_on", text)?),
        };
        let submission = Submission { kind, number, issued_on, expires_on, file_sha256 };
        let document =
            self.providers.submit_document(key, provider_id(&id)?, reach, submission).await?;
        Ok(Response::new(pb::SubmitDocumentResponse { document: Some(document) }))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ListDocumentsRequest { provider_id: id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let (rows, next_page_token) =
            self.providers.documents(provider_id(&id)?, reach, page).await?;
        let documents = rows.iter().map(convert::document).collect();
        Ok(Response::new(pb::ListDocumentsResponse { documents, next_page_token }))
    }

    async fn verify_document(
        &self,
        request: Request<pb::VerifyDocumentRequest>,
    ) -> Result<Response<pb::VerifyDocumentResponse>, Status> {
        let pb::VerifyDocumentRequest { provider_id, document_id } = request.get_ref().clone();
        let ids = (provider_id, document_id);
        let document = self.review(&request, ids, DocumentAction::Verify, String::new()).await?;
        Ok(Response::new(pb::VerifyDocumentResponse { document: Some(document) }))
    }

    async fn reject_document(
        &self,
        request: Request<pb::RejectDocumentRequest>,
    ) -> Result<Response<pb::RejectDocumentResponse>, Status> {
        let pb::RejectDocumentRequest { provider_id, document_id, reason } =
            request.get_ref().clone();
        let ids = (provider_id, document_id);
        let document = self.review(&request, ids, DocumentAction::Reject, reason).await?;
        Ok(Response::new(pb::RejectDocumentResponse { document: Some(document) }))
    }

    async fn revoke_document(
        &self,
        request: Request<pb::RevokeDocumentRequest>,
    ) -> Result<Response<pb::RevokeDocumentResponse>, Status> {
        let pb::RevokeDocumentRequest { provider_id, document_id, reason } =
            request.get_ref().clone();
        let ids = (provider_id, document_id);
        let document = self.review(&request, ids, DocumentAction::Revoke, reason).await?;
        Ok(Response::new(pb::RevokeDocumentResponse { document: Some(document) }))
    }

    async fn start_review(
        &self,
        request: Request<pb::StartReviewRequest>,
    ) -> Result<Response<pb::StartReviewResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let decided = self.decide(&request, &id, |provider| {
            provider.act(Action::StartReview)?;
            Ok(None)
        });
        Ok(Response::new(pb::StartReviewResponse { provider: Some(decided.await?) }))
    }

    async fn set_background_check(
        &self,
        request: Request<pb::SetBackgroundCheckRequest>,
    ) -> Result<Response<pb::SetBackgroundCheckResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let check = convert::parse_background_check(request.get_ref().background_check())?;
        let decided = self.decide(&request, &id, move |provider| {
            provider.background_check = check;
            Ok(None)
        });
        Ok(Response::new(pb::SetBackgroundCheckResponse { provider: Some(decided.await?) }))
    }

    async fn approve_provider(
        &self,
        request: Request<pb::ApproveProviderRequest>,
    ) -> Result<Response<pb::ApproveProviderResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let decided = self.decide(&request, &id, |provider| {
            provider.act(Action::Approve)?;
            Ok(Some(Fact { kind: events::VERIFIED, reason: String::new() }))
        });
        Ok(Response::new(pb::ApproveProviderResponse { provider: Some(decided.await?) }))
    }

    async fn block_provider(
        &self,
        request: Request<pb::BlockProviderRequest>,
    ) -> Result<Response<pb::BlockProviderResponse>, Status> {
        let pb::BlockProviderRequest { provider_id: id, reason, until } = request.get_ref().clone();
        let until = until.map(|until| moment("until", Some(&until))).transpose()?;
        if until.is_some_and(|until| until <= self.providers.clock().now()) {
            return Err(Error::invalid("until", "must be in the future").into());
        }
        let decided = self.decide(&request, &id, move |provider| {
            provider.block(reason.clone(), until)?;
            Ok(Some(Fact { kind: events::BLOCKED, reason }))
        });
        Ok(Response::new(pb::BlockProviderResponse { provider: Some(decided.await?) }))
    }

    async fn unblock_provider(
        &self,
        request: Request<pb::UnblockProviderRequest>,
    ) -> Result<Response<pb::UnblockProviderResponse>, Status> {
        let id = request.get_ref().provider_id.clone();
        let decided = self.decide(&request, &id, |provider| {
            provider.unblock()?;
            Ok(None)
        });
        Ok(Response::new(pb::UnblockProviderResponse { provider: Some(decided.await?) }))
    }
}

impl Api {
    /// Takes an operator's decision on a profile.
    async fn decide<M, F>(
        &self,
        request: &Request<M>,
        id: &str,
        act: F,
    ) -> Result<pb::Provider, Error>
    where
        M: prost::Message,
        F: FnOnce(&mut Provider) -> Result<Option<Fact>, Error> + Send + 'static,
    {
        self.providers.change(Key::of(request), provider_id(id)?, Reach::All, act).await
    }

    /// Takes an operator's decision on a document.
    async fn review<M: prost::Message>(
        &self,
        request: &Request<M>,
        (provider, document): (String, String),
        action: DocumentAction,
        reason: String,
    ) -> Result<pb::Document, Error> {
        let key = Key::of(request);
        let by = kit::caller(request).subject()?.user_id;
        let id = DocumentId::parse("document_id", &document)?;
        let provider = provider_id(&provider)?;
        self.providers.review_document(key, provider, id, action, reason, by).await
    }
}
