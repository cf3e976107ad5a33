//! How to reach accounts: asked of user, and kept for a short while.

use crate::{
    Config,
    domain::{message::Contact, template::CodePurpose},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use kit::{Host, rpc::client::Channel, storage::cache::Cache};
use prost::Message as _;
use proto::quickserve::user::v1::{
    ContactPurpose, GetContactRequest, GetContactResponse, IssueContactCodeRequest,
    account_service_client::AccountServiceClient,
};
use std::{sync::Arc, time::Duration};
use tonic::Code as Grpc;
use uuid::Uuid;

/// How long a contact may be outdated.
const TTL: Duration = Duration::from_secs(60);
/// Zone of an account that names none that is known.
const ZONE: Tz = Tz::Europe__Paris;

/// Contacts of accounts.
#[derive(Clone)]
pub struct Contacts {
    accounts: AccountServiceClient<Channel>,
    cache: Arc<dyn Cache>,
    operators: Arc<Contact>,
}

/// A code that is about to be mailed. It is never logged.
pub struct IssuedCode {
    pub code: String,
    /// Until when it can be used.
    pub expires_at: DateTime<Utc>,
}

impl Contacts {
    /// Contacts, asked over `host`.
    pub fn new(host: &Host, config: &Config) -> Self {
        let operators = Contact {
            name: "QuickServe".to_owned(),
            email: config.operator_email.clone(),
            locale: config.operator_locale.tag().to_owned(),
            zone: ZONE,
        };
        Self {
            accounts: AccountServiceClient::new(host.channel("user")),
            cache: host.cache().clone(),
            operators: Arc::new(operators),
        }
    }

    /// The contact of an account, none when there is no such account. The nil account is the operators'.
    pub async fn of(&self, user_id: Uuid) -> Result<Option<Contact>, kit::Error> {
        if user_id.is_nil() {
            return Ok(Some((*self.operators).clone()));
        }
        let key = cache_key(user_id);
        let kept = self.cache.get(&key).await;
        if let Some(kept) = kept.and_then(|bytes| GetContactResponse::decode(bytes).ok()) {
            return Ok(Some(to_contact(kept)));
        }
        let request = GetContactRequest { user_id: user_id.to_string() };
        match self.accounts.clone().get_contact(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                self.cache.put(&key, answer.encode_to_vec().into(), TTL).await;
                Ok(Some(to_contact(answer)))
            }
            Err(status) if status.code() == Grpc::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    /// Forgets what was kept of an account.
    pub async fn forget(&self, user_id: Uuid) {
        self.cache.remove(&cache_key(user_id)).await;
    }

    /// Has a code made for the mail that is about to be sent. None when the account no longer waits for one.
    pub async fn issue_code(
        &self,
        user_id: Uuid,
        purpose: CodePurpose,
    ) -> Result<Option<IssuedCode>, kit::Error> {
        let purpose = match purpose {
            CodePurpose::Verification => ContactPurpose::Verification,
            CodePurpose::PasswordReset => ContactPurpose::PasswordReset,
        };
        let request =
            IssueContactCodeRequest { user_id: user_id.to_string(), purpose: purpose.into() };
        match self.accounts.clone().issue_contact_code(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let expires_at =
                    kit::values::time::moment("expires_at", answer.expires_at.as_ref())?;
                Ok(Some(IssuedCode { code: answer.code, expires_at }))
            }
            Err(status) if matches!(status.code(), Grpc::NotFound | Grpc::FailedPrecondition) => {
                Ok(None)
            }
            Err(status) => Err(status.into()),
        }
    }
}

fn to_contact(answer: GetContactResponse) -> Contact {
    let GetContactResponse { name, email, phone: _, locale, time_zone } = answer;
    Contact { name, email, locale, zone: time_zone.parse().unwrap_or(ZONE) }
}

fn cache_key(user_id: Uuid) -> String {
    format!("notification:contact:{user_id}")
}
