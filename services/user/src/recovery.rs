//! Proves e-mail addresses and sets new passwords, with codes that only the owner of the mailbox can read.

use crate::{
    domain::{
        Error, User, UserId, account,
        code::{Code, Purpose},
        password,
    },
    events,
    hasher::Hasher,
    repository::{self, Repository, accounts, codes, known_clients, sessions},
    throttle::{Client, Throttles, known_client},
    worker::MailRequests,
};
use kit::Tx;
use std::sync::Arc;

/// Proves addresses and resets passwords.
pub struct Recovery {
    pub repository: Repository,
    /// Hashes the new password.
    pub hasher: Hasher,
    /// Slows down clients that guess codes or ask for much mail.
    pub throttles: Arc<Throttles>,
    /// Has mail sent.
    pub mail: MailRequests,
}

impl Recovery {
    /// Has a code mailed. The answer does not wait for it, so that it takes the same time for any address.
    pub async fn request(
        &self,
        email: &str,
        purpose: Purpose,
        client: &Client,
    ) -> Result<(), Error> {
        let email = account::parse_email(email)?;
        self.throttles.mail(client, self.repository.clock().now()).await?;
        self.mail.ask(email, purpose)
    }

    /// Proves the address that a code was mailed to.
    pub async fn verify(&self, code: &str, client: &Client) -> Result<(), Error> {
        let now = self.repository.clock().now();
        self.throttles.guess(client, now).await?;
        let code = Code::parse(code).ok_or(Error::CodeInvalid)?;
        let tx = self.repository.db.begin().await?;
        let redeemed = codes::redeem_code(&tx, &code, Purpose::Verification).await?;
        if let Some(mut user) = redeemed.clone() {
            if user.verify_email(tx.now()) {
                events::record_event(&tx, &mut user, events::CONTACT_VERIFIED).await?;
            }
            remember_client(&tx, &user, client).await?;
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit_for(tx, redeemed).await?;
        self.throttles.guessed(client, now).await;
        Ok(())
    }

    /// Sets a new password with a mailed code. The code is checked before the password is hashed, and again when it is
    /// used up: two calls with one code set one password.
    pub async fn reset(&self, code: &str, password: &str, client: &Client) -> Result<(), Error> {
        let password = password::normalize(password);
        password::check_new(&password, "")?;
        let now = self.repository.clock().now();
        self.throttles.guess(client, now).await?;
        let code = Code::parse(code).ok_or(Error::CodeInvalid)?;
        if !self.is_good(&code, Purpose::PasswordReset).await? {
            return Err(Error::CodeInvalid);
        }
        let hash = self.hasher.hash(password).await?;
        let tx = self.repository.db.begin().await?;
        let redeemed = codes::redeem_code(&tx, &code, Purpose::PasswordReset).await?;
        if let Some(mut user) = redeemed.clone() {
            // The code was mailed, so the address is proven too.
            user.verify_email(tx.now());
            accounts::set_password_hash(&tx, user.id, hash).await?;
            sessions::end_all(&tx, &mut user).await?;
            events::record_event(&tx, &mut user, events::PASSWORD_CHANGED).await?;
            remember_client(&tx, &user, client).await?;
            repository::save_user(&tx, &mut user).await?;
        }
        let user_id = self.commit_for(tx, redeemed).await?;
        self.repository.announce_revocation(user_id);
        self.throttles.guessed(client, now).await;
        Ok(())
    }

    /// Whether a code is good. A wrong guess is counted.
    async fn is_good(&self, code: &Code, purpose: Purpose) -> Result<bool, Error> {
        let tx = self.repository.db.begin().await?;
        let owner = codes::find_owner(&tx, code, purpose).await?;
        tx.commit().await?;
        Ok(owner.is_some())
    }

    /// Commits what a code did for its account, which is returned, or the wrong guess at it, which is then refused.
    async fn commit_for(&self, tx: Tx, redeemed: Option<User>) -> Result<UserId, Error> {
        tx.commit().await?;
        let user = redeemed.ok_or(Error::CodeInvalid)?;
        self.repository.hot.forget(user.id).await;
        Ok(user.id)
    }
}

/// Notes where the owner of a mailbox came from: guesses from elsewhere do not keep them out any more.
async fn remember_client(tx: &Tx, user: &User, client: &Client) -> Result<(), Error> {
    let known = user.email.as_ref().and_then(|email| known_client(email, client));
    match known {
        Some(known) => known_clients::remember(tx, user.id, known).await,
        None => Ok(()),
    }
}
