//! Proves e-mail addresses and sets new passwords, with codes that only the owner of the mailbox can read.

use crate::{
    domain::{
        Error, account,
        code::{Code, Purpose},
        password,
    },
    hasher::Hasher,
    repository::Repository,
    throttle::{Client, Throttles},
    worker::MailRequests,
};
use std::sync::Arc;

/// Proves addresses and resets passwords.
pub struct Recovery {
    /// The tables.
    pub repository: Repository,
    /// Hashes the new password.
    pub hasher: Hasher,
    /// Slows down who guesses, or asks for too much mail.
    pub throttles: Arc<Throttles>,
    /// Has mail sent.
    pub mail: MailRequests,
}

impl Recovery {
    /// Has a code mailed. The answer does not wait for it, so that it takes the same time for any address.
    pub fn request(&self, email: &str, purpose: Purpose, client: &Client) -> Result<(), Error> {
        let email = account::email(email)?;
        self.throttles.mail(client, self.repository.clock().now())?;
        self.mail.ask(email, purpose)
    }

    /// Proves the address that a code was mailed to.
    pub async fn verify(&self, code: &str, client: &Client) -> Result<(), Error> {
        let now = self.repository.clock().now();
        self.throttles.guess(client, now)?;
        let code = Code::parse(code).ok_or(Error::CodeInvalid)?;
        self.repository.verify_contact(code).await?.ok_or(Error::CodeInvalid)?;
        self.throttles.guessed(client, now);
        Ok(())
    }

    /// Sets a new password with a mailed code. The code is checked before the password is hashed, and again when it is
    /// used up: two calls with one code set one password.
    pub async fn reset(&self, code: &str, password: String, client: &Client) -> Result<(), Error> {
        password::check_new(&password, "")?;
        let now = self.repository.clock().now();
        self.throttles.guess(client, now)?;
        let code = Code::parse(code).ok_or(Error::CodeInvalid)?;
        if !self.repository.is_good(code.clone(), Purpose::PasswordReset).await? {
            return Err(Error::CodeInvalid);
        }
        let hash = self.hasher.hash(password).await?;
        self.repository.reset_password(code, hash).await?.ok_or(Error::CodeInvalid)?;
        self.throttles.guessed(client, now);
        Ok(())
    }
}
