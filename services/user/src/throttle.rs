//! Slows down clients that fail too often, each replica by its own count. The rule is in `domain::throttle`.

use crate::domain::{
    Error,
    secret::{self, Bytes32},
    throttle::{Record, ThrottlePolicy},
};
use chrono::{DateTime, Duration, Utc};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

/// Records kept at a time.
const MAX_RECORDS: usize = 100_000;
/// How often the records that say nothing any more are looked for when the table is full.
const SWEEP_EVERY: Duration = Duration::minutes(1);

/// Sign-ins of one account: ten guesses in any fifteen minutes. Those from a client that its owner has used before count
/// by themselves, so that strangers never slow down the owner; all others count together.
const SIGN_INS: ThrottlePolicy =
    ThrottlePolicy { free: 6, first: Duration::seconds(30), longest: Duration::minutes(15) };
/// Failed sign-ins, and wrong codes, of one client, over all accounts.
const CLIENTS: ThrottlePolicy =
    ThrottlePolicy { free: 40, first: Duration::seconds(1), longest: Duration::minutes(15) };
/// Requests for mail by one client.
const MAILS: ThrottlePolicy =
    ThrottlePolicy { free: 40, first: Duration::seconds(1), longest: Duration::minutes(15) };

/// The counts of one service.
pub struct Throttles {
    sign_ins: Throttle,
    clients: Throttle,
    mails: Throttle,
    registrations: Throttle,
}

/// Where a request came from, as far as is known.
pub type Client = Option<String>;

/// A sign-in to an account from a client.
#[derive(Clone, Copy)]
pub struct SignInAttempt<'a> {
    /// The account's address.
    pub email: &'a str,
    /// Where the attempt comes from.
    pub client: &'a Client,
    /// Whether the owner of the account has come from there before.
    pub is_known: bool,
}

impl SignInAttempt<'_> {
    /// What the attempt is counted by.
    fn key(&self) -> Bytes32 {
        match self.client {
            Some(client) if self.is_known => of_account(self.email, client),
            _ => of_account(self.email, ""),
        }
    }
}

/// The text under which an account's client is known; none for a client that cannot be told from others.
pub fn known_client(email: &str, client: &Client) -> Option<String> {
    let client = client.as_deref()?;
    Some(secret::digest_secret("known client", format!("{email}\n{client}").as_bytes()))
}

fn of_account(email: &str, client: &str) -> Bytes32 {
    secret::keyed_digest("sign-in", format!("{email}\n{client}").as_bytes())
}

impl Throttles {
    /// Counts from nothing; a client registers `registrations` accounts without any wait.
    pub fn new(registrations: u32) -> Self {
        let registrations = ThrottlePolicy { free: registrations, ..CLIENTS };
        Self {
            sign_ins: Throttle::new(SIGN_INS),
            clients: Throttle::new(CLIENTS),
            mails: Throttle::new(MAILS),
            registrations: Throttle::new(registrations),
        }
    }

    /// Counts a sign-in as failed before it is tried.
    pub fn sign_in(&self, attempt: SignInAttempt<'_>, now: DateTime<Utc>) -> Result<(), Error> {
        self.guess(attempt.client, now)?;
        let counted = self.sign_ins.attempt(attempt.key(), now);
        if counted.is_err() {
            self.guessed(attempt.client, now);
        }
        counted
    }

    /// Takes back what [`Throttles::sign_in`] counted: the sign-in turned out well. It says nothing about the guesses of
    /// other clients.
    pub fn signed_in(&self, attempt: SignInAttempt<'_>, now: DateTime<Utc>) {
        if attempt.is_known {
            self.sign_ins.reset(&attempt.key());
        } else {
            self.sign_ins.forgive(&attempt.key(), now);
        }
        self.guessed(attempt.client, now);
    }

    /// Takes back what [`Throttles::sign_in`] counted: it was not tried after all.
    pub fn not_tried(&self, attempt: SignInAttempt<'_>, now: DateTime<Utc>) {
        self.sign_ins.forgive(&attempt.key(), now);
        self.guessed(attempt.client, now);
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

fn client_key(client: &Client) -> Option<Bytes32> {
    client.as_ref().map(|client| secret::keyed_digest("client", client.as_bytes()))
}

/// One kind of count.
struct Throttle {
    policy: ThrottlePolicy,
    records: Mutex<FailureRecords>,
}

impl Throttle {
    fn new(policy: ThrottlePolicy) -> Self {
        Self::with_room(policy, MAX_RECORDS)
    }

    fn with_room(policy: ThrottlePolicy, max: usize) -> Self {
        Self { policy, records: Mutex::new(FailureRecords::new(max)) }
    }

    /// Counts an attempt of a client. An attempt without a client address is not counted.
    fn of(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        client_key(client).map_or(Ok(()), |key| self.attempt(key, now))
    }

    fn attempt(&self, key: Bytes32, now: DateTime<Utc>) -> Result<(), Error> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.get(&key).unwrap_or_else(|| Record::new(now));
        match record.attempt(&self.policy, now) {
            Ok(counted) => {
                records.put(key, counted, now);
                Ok(())
            }
            Err(wait) => {
                Err(Error::TooManyAttempts { retry_after: wait.to_std().unwrap_or_default() })
            }
        }
    }

    fn forgive(&self, key: &Bytes32, now: DateTime<Utc>) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get(key) {
            records.put(*key, record.forgive(&self.policy, now), now);
        }
    }

    fn reset(&self, key: &Bytes32) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Records by key. When there is no room for another one, the one with the fewest failures goes, and of those the oldest:
/// a flood of clients that fail once does not wash away the record of one that guesses.
struct FailureRecords {
    max: usize,
    by_key: HashMap<Bytes32, Record>,
    /// The first to go comes first.
    by_weight: BTreeSet<(u32, DateTime<Utc>, Bytes32)>,
    swept_at: DateTime<Utc>,
}

impl FailureRecords {
    fn new(max: usize) -> Self {
        let (by_key, by_weight) = (HashMap::new(), BTreeSet::new());
        Self { max, by_key, by_weight, swept_at: DateTime::<Utc>::MIN_UTC }
    }

    fn get(&self, key: &Bytes32) -> Option<Record> {
        self.by_key.get(key).copied()
    }

    fn put(&mut self, key: Bytes32, record: Record, now: DateTime<Utc>) {
        self.remove(&key);
        if self.by_key.len() >= self.max {
            self.make_room(now);
        }
        self.by_weight.insert((record.failures, record.open_at, key));
        self.by_key.insert(key, record);
    }

    fn remove(&mut self, key: &Bytes32) {
        if let Some(record) = self.by_key.remove(key) {
            self.by_weight.remove(&(record.failures, record.open_at, *key));
        }
    }

    fn make_room(&mut self, now: DateTime<Utc>) {
        if now >= self.swept_at + SWEEP_EVERY {
            self.swept_at = now;
            self.by_key.retain(|_, record| !record.is_stale(now));
            self.by_weight.retain(|(_, _, key)| self.by_key.contains_key(key));
        }
        while self.by_key.len() >= self.max {
            let Some((_, _, key)) = self.by_weight.pop_first() else { return };
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> (Throttle, DateTime<Utc>) {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        (Throttle::with_room(SIGN_INS, 100), now)
    }

    fn key(number: u32) -> Bytes32 {
        secret::keyed_digest("test", &number.to_be_bytes())
    }

    fn count(throttle: &Throttle) -> usize {
        let records = throttle.records.lock().unwrap();
        assert_eq!(records.by_key.len(), records.by_weight.len());
        records.by_key.len()
    }

    #[test]
    fn a_flood_of_clients_does_not_wash_away_the_one_that_guesses() {
        let (throttle, now) = throttle();
        while throttle.attempt(key(0), now).is_ok() {}
        for junk in 1..10_000 {
            throttle.attempt(key(junk), now + Duration::milliseconds(junk.into())).unwrap();
        }
        assert_eq!(count(&throttle), 100);
        assert!(throttle.attempt(key(0), now + Duration::seconds(29)).is_err());
        // Of those that failed once the newest are still there.
        let later = now + Duration::seconds(11);
        for _ in 0..5 {
            throttle.attempt(key(9_999), later).unwrap();
        }
        assert!(throttle.attempt(key(9_999), later).is_err());
    }

    #[test]
    fn records_that_say_nothing_any_more_make_room_first() {
        let (throttle, now) = throttle();
        for number in 0..100 {
            while throttle.attempt(key(number), now).is_ok() {}
        }
        assert_eq!(count(&throttle), 100);
        throttle.attempt(key(100), now + Duration::minutes(16)).unwrap();
        assert_eq!(count(&throttle), 1);
    }

    #[test]
    fn a_record_is_kept_once_however_it_changes() {
        let (throttle, now) = throttle();
        throttle.attempt(key(1), now).unwrap();
        throttle.attempt(key(1), now).unwrap();
        throttle.forgive(&key(1), now);
        assert_eq!(count(&throttle), 1);
        throttle.reset(&key(1));
        assert_eq!(count(&throttle), 0);
    }
}
