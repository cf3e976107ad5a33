//! Slows down clients that fail too often, each replica by its own count. The rule is in `domain::throttle`.

use crate::domain::{
    Error,
    secret::{self, Bytes32},
    throttle::{Policy, Record},
};
use chrono::{DateTime, Duration, Utc};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Clients remembered at a time.
const REMEMBERED: usize = 100_000;

/// Sign-ins of one account from one client: a stranger elsewhere never slows down the owner.
const SIGN_INS: Policy =
    Policy { free: 6, first: Duration::seconds(1), longest: Duration::minutes(15) };
/// Failed sign-ins, and wrong codes, of one client, over all accounts.
const CLIENTS: Policy =
    Policy { free: 40, first: Duration::seconds(1), longest: Duration::minutes(15) };
/// Requests for mail by one client.
const MAILS: Policy =
    Policy { free: 40, first: Duration::seconds(1), longest: Duration::minutes(15) };

/// The counts of one service.
pub struct Throttles {
    sign_ins: Throttle,
    clients: Throttle,
    mails: Throttle,
    registrations: Throttle,
}

/// Where a request came from, as far as is known.
pub type Client = Option<String>;

impl Throttles {
    /// Counts from nothing; a client registers `registrations` accounts without any wait.
    pub fn new(registrations: u32) -> Self {
        let registrations = Policy { free: registrations, ..CLIENTS };
        Self {
            sign_ins: Throttle::new(SIGN_INS),
            clients: Throttle::new(CLIENTS),
            mails: Throttle::new(MAILS),
            registrations: Throttle::new(registrations),
        }
    }

    /// Counts a sign-in as failed before it is tried.
    pub fn sign_in(&self, email: &str, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.guess(client, now)?;
        let counted = self.sign_ins.attempt(account_key(email, client), now);
        if counted.is_err() {
            self.guessed(client, now);
        }
        counted
    }

    /// Takes back what [`Throttles::sign_in`] counted: the sign-in turned out well.
    pub fn signed_in(&self, email: &str, client: &Client, now: DateTime<Utc>) {
        self.sign_ins.reset(&account_key(email, client));
        self.guessed(client, now);
    }

    /// Takes back what [`Throttles::sign_in`] counted: it was not tried after all.
    pub fn not_tried(&self, email: &str, client: &Client, now: DateTime<Utc>) {
        self.sign_ins.forgive(&account_key(email, client), now);
        self.guessed(client, now);
    }

    /// Counts a guess at a code as failed before it is tried.
    pub fn guess(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.clients.of(client, now)
    }

    /// Takes back what [`Throttles::guess`] counted.
    pub fn guessed(&self, client: &Client, now: DateTime<Utc>) {
        if let Some(key) = client_key(client) {
            self.clients.forgive(&key, now);
        }
    }

    /// Counts a request for mail.
    pub fn mail(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.mails.of(client, now)
    }

    /// Counts a registration.
    pub fn registration(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.registrations.of(client, now)
    }
}

fn account_key(email: &str, client: &Client) -> Bytes32 {
    let client = client.as_deref().unwrap_or_default();
    secret::keyed("sign-in", format!("{email}\n{client}").as_bytes())
}

fn client_key(client: &Client) -> Option<Bytes32> {
    client.as_ref().map(|client| secret::keyed("client", client.as_bytes()))
}

/// One kind of count.
struct Throttle {
    policy: Policy,
    records: Mutex<HashMap<Bytes32, Record>>,
}

impl Throttle {
    fn new(policy: Policy) -> Self {
        Self { policy, records: Mutex::default() }
    }

    /// Counts an attempt of a client. An attempt without a client address is not counted.
    fn of(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        client_key(client).map_or(Ok(()), |key| self.attempt(key, now))
    }

    fn attempt(&self, key: Bytes32, now: DateTime<Utc>) -> Result<(), Error> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= REMEMBERED {
            records.retain(|_, record| !record.is_stale(now));
        }
        if records.len() >= REMEMBERED {
            // A flood of clients: forget all rather than grow without bound.
            records.clear();
        }
        let record = records.entry(key).or_insert_with(|| Record::new(now));
        match record.attempt(&self.policy, now) {
            Ok(counted) => {
                *record = counted;
                Ok(())
            }
            Err(wait) => {
                Err(Error::TooManyAttempts { retry_after: wait.to_std().unwrap_or_default() })
            }
        }
    }

    fn forgive(&self, key: &Bytes32, now: DateTime<Utc>) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(key) {
            *record = record.forgive(&self.policy, now);
        }
    }

    fn reset(&self, key: &Bytes32) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
