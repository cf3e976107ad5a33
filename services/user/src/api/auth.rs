//! Handlers of `AuthService`: registration, sign-in, sessions.

use super::{client::client_of, convert, signed_in};
use crate::{
    domain::{Error, code::Purpose},
    recovery::Recovery,
    repository::{self, sessions},
    signin::SignIn,
};
use kit::{
    identity::keyring::SharedKeyring,
    rpc::error::{Fault, Kind},
};
use proto::{
    google::api::HttpBody,
    quickserve::user::v1::{self as pb, auth_service_server::AuthService},
};
use std::collections::HashMap;
use tonic::{Request, Response, Status, async_trait, metadata::MetadataValue};

/// The RPCs of signing in.
pub struct Api {
    /// Opens and renews sessions.
    pub signin: SignIn,
    /// Proves addresses and resets passwords.
    pub recovery: Recovery,
    /// The keys that verify access tokens.
    pub keys: SharedKeyring,
}

/// An answer that no cache may keep (RFC 6749 §5.1).
fn not_cached<T>(message: T) -> Response<T> {
    cached_for(message, "no-store")
}

fn cached_for<T>(message: T, policy: &'static str) -> Response<T> {
    let mut response = Response::new(message);
    response.metadata_mut().insert("cache-control", MetadataValue::from_static(policy));
    response
}

/// A failure with the `error` of RFC 6749 beside its own reason.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct OAuth(Error);

impl Fault for OAuth {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn metadata(&self) -> HashMap<String, String> {
        let mut metadata = self.0.metadata();
        if let Some(error) = self.0.oauth() {
            metadata.insert("error".to_owned(), error.to_owned());
        }
        metadata
    }
}

#[async_trait]
impl AuthService for Api {
    async fn login(
        &self,
        request: Request<pb::LoginRequest>,
    ) -> Result<Response<pb::LoginResponse>, Status> {
        let client = client_of(&request);
        let pb::LoginRequest { email, password } = request.into_inner();
        let tokens = self.signin.login(&email, &password, &client).await?;
        Ok(not_cached(convert::login(tokens)))
    }

    async fn refresh_token(
        &self,
        request: Request<pb::RefreshTokenRequest>,
    ) -> Result<Response<pb::RefreshTokenResponse>, Status> {
        let pb::RefreshTokenRequest { refresh_token } = request.into_inner();
        let tokens = self.signin.refresh(&refresh_token).await?;
        Ok(not_cached(convert::refresh(tokens)))
    }

    async fn logout(
        &self,
        request: Request<pb::LogoutRequest>,
    ) -> Result<Response<pb::LogoutResponse>, Status> {
        let (user_id, session_id) = signed_in(&request)?;
        let pb::LogoutRequest {} = request.into_inner();
        let tx = self.signin.repository.db.begin().await?;
        let user = repository::lock_user(&tx, user_id).await?;
        sessions::end_sessions(&tx, &user, session_id).await?;
        tx.commit().await.map_err(Error::from)?;
        self.signin.repository.announce_revocation(user_id);
        Ok(Response::new(pb::LogoutResponse {}))
    }

    async fn logout_all(
        &self,
        request: Request<pb::LogoutAllRequest>,
    ) -> Result<Response<pb::LogoutAllResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::LogoutAllRequest {} = request.into_inner();
        let tx = self.signin.repository.db.begin().await?;
        let mut user = repository::lock_signed_in(&tx, user_id).await?;
        sessions::end_all(&tx, &mut user).await?;
        repository::save_quietly(&tx, &user).await?;
        tx.commit().await.map_err(Error::from)?;
        self.signin.repository.announce_revocation(user_id);
        Ok(Response::new(pb::LogoutAllResponse {}))
    }

    async fn verify_contact(
        &self,
        request: Request<pb::VerifyContactRequest>,
    ) -> Result<Response<pb::VerifyContactResponse>, Status> {
        let client = client_of(&request);
        let pb::VerifyContactRequest { code } = request.into_inner();
        self.recovery.verify(&code, &client).await?;
        Ok(Response::new(pb::VerifyContactResponse {}))
    }

    async fn resend_verification(
        &self,
        request: Request<pb::ResendVerificationRequest>,
    ) -> Result<Response<pb::ResendVerificationResponse>, Status> {
        let client = client_of(&request);
        let pb::ResendVerificationRequest { email } = request.into_inner();
        self.recovery.request(&email, Purpose::Verification, &client).await?;
        Ok(Response::new(pb::ResendVerificationResponse {}))
    }

    async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Result<Response<pb::RequestPasswordResetResponse>, Status> {
        let client = client_of(&request);
        let pb::RequestPasswordResetRequest { email } = request.into_inner();
        self.recovery.request(&email, Purpose::PasswordReset, &client).await?;
        Ok(Response::new(pb::RequestPasswordResetResponse {}))
    }

    async fn confirm_password_reset(
        &self,
        request: Request<pb::ConfirmPasswordResetRequest>,
    ) -> Result<Response<pb::ConfirmPasswordResetResponse>, Status> {
        let client = client_of(&request);
        let pb::ConfirmPasswordResetRequest { code, password } = request.into_inner();
        self.recovery.reset(&code, &password, &client).await?;
        Ok(Response::new(pb::ConfirmPasswordResetResponse {}))
    }

    async fn issue_token(
        &self,
        request: Request<pb::IssueTokenRequest>,
    ) -> Result<Response<pb::IssueTokenResponse>, Status> {
        let client = client_of(&request);
        let pb::IssueTokenRequest { form } = request.into_inner();
        let HttpBody { content_type, data, extensions: _ } = form.unwrap_or_default();
        let granted = self.signin.grant(&content_type, &data, &client).await;
        let tokens = granted.map_err(|error| kit::rpc::error::status_of(&OAuth(error)))?;
        Ok(not_cached(convert::oauth(tokens)))
    }

    async fn get_jwks(
        &self,
        request: Request<pb::GetJwksRequest>,
    ) -> Result<Response<pb::GetJwksResponse>, Status> {
        let pb::GetJwksRequest {} = request.into_inner();
        let body = HttpBody {
            content_type: "application/json".to_owned(),
            data: self.keys.current().jwks().to_string().into_bytes(),
            extensions: Vec::new(),
        };
        Ok(cached_for(pb::GetJwksResponse { body: Some(body) }, "public, max-age=300"))
    }
}
