//! Slows down clients that fail too often. The rule is in `domain::throttle`. Each process goes by its own count; where
//! processes share a Redis, they also take together what one of them would grant in the longest wait.

use crate::domain::{
    Error,
    secret::{self, Bytes32},
    throttle::{Record, ThrottlePolicy},
};
use chrono::{DateTime, Duration, Utc};
use kit::redis::{
    Redis,
    buckets::{BucketQuota, SharedBuckets, Withdrawal},
};
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
    /// Counts from nothing, and together with other processes in `redis`; a client registers `registrations` accounts
    /// without any wait.
    pub fn new(registrations: u32, redis: Option<&Redis>) -> Self {
        let registrations = ThrottlePolicy { free: registrations, ..CLIENTS };
        let throttle = |policy, subject| Throttle {
            shared: redis.map(|redis| SharedBuckets::new(redis.clone(), subject)),
            ..Throttle::with_room(policy, MAX_RECORDS)
        };
        Self {
            sign_ins: throttle(SIGN_INS, "user:sign-in"),
            clients: throttle(CLIENTS, "user:client"),
            mails: throttle(MAILS, "user:mail"),
            registrations: throttle(registrations, "user:registration"),
        }
    }

    /// Counts a sign-in as failed before it is tried.
    pub async fn sign_in(
        &self,
        attempt: SignInAttempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.guess(attempt.client, now).await?;
        let counted = self.sign_ins.attempt(attempt.key(), now).await;
        if counted.is_err() {
            self.guessed(attempt.client, now).await;
        }
        counted
    }

    /// Takes back what [`Throttles::sign_in`] counted: the sign-in turned out well. It says nothing about the guesses of
    /// other clients.
    pub async fn signed_in(&self, attempt: SignInAttempt<'_>, now: DateTime<Utc>) {
        if attempt.is_known {
            self.sign_ins.reset(&attempt.key()).await;
        } else {
            self.sign_ins.forgive(&attempt.key(), now).await;
        }
        self.guessed(attempt.client, now).await;
    }

    /// Takes back what [`Throttles::sign_in`] counted: it was not tried after all.
    pub async fn not_tried(&self, attempt: SignInAttempt<'_>, now: DateTime<Utc>) {
        self.sign_ins.forgive(&attempt.key(), now).await;
        self.guessed(attempt.client, now).await;
    }

    /// Counts a guess at a code as failed before it is tried.
    pub async fn guess(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.clients.of(client, now).await
    }

    /// Takes back what [`Throttles::guess`] counted.
    pub async fn guessed(&self, client: &Client, now: DateTime<Utc>) {
        if let Some(key) = client_key(client) {
            self.clients.forgive(&key, now).await;
        }
    }

    /// Counts a request for mail.
    pub async fn mail(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.mails.of(client, now).await
    }

    /// Counts a registration.
    pub async fn registration(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        self.registrations.of(client, now).await
    }
}

fn client_key(client: &Client) -> Option<Bytes32> {
    client.as_ref().map(|client| secret::keyed_digest("client", client.as_bytes()))
}

/// The name of a key in Redis. It tells neither the account nor the client.
fn name(key: &Bytes32) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One kind of count.
struct Throttle {
    policy: ThrottlePolicy,
    records: Mutex<FailureRecords>,
    shared: Option<SharedBuckets>,
}

impl Throttle {
    fn with_room(policy: ThrottlePolicy, max: usize) -> Self {
        Self { policy, records: Mutex::new(FailureRecords::new(max)), shared: None }
    }

    /// Counts an attempt of a client. An attempt without a client address is not counted.
    async fn of(&self, client: &Client, now: DateTime<Utc>) -> Result<(), Error> {
        match client_key(client) {
            Some(key) => self.attempt(key, now).await,
            None => Ok(()),
        }
    }

    /// Counts an attempt here, then where all processes count. While Redis is away, the count here is all there is.
    async fn attempt(&self, key: Bytes32, now: DateTime<Utc>) -> Result<(), Error> {
        self.attempt_here(key, now)?;
        let Some(Withdrawal { wait: Some(retry_after), .. }) = self.take_shared(&key, 1).await
        else {
            return Ok(());
        };
        self.forgive_here(&key, now);
        Err(Error::TooManyAttempts { retry_after })
    }

    async fn forgive(&self, key: &Bytes32, now: DateTime<Utc>) {
        self.forgive_here(key, now);
        self.take_shared(key, -1).await;
    }

    async fn reset(&self, key: &Bytes32) {
        self.reset_here(key);
        if let Some(shared) = &self.shared {
            // What could not be filled fills by itself.
            let _ = shared.fill(&name(key)).await;
        }
    }

    /// Takes attempts that all processes have together. None when there are no others, or Redis is away.
    async fn take_shared(&self, key: &Bytes32, attempts: i64) -> Option<Withdrawal> {
        let quota = BucketQuota {
            tokens: self.policy.attempts_in_longest_wait(),
            window: self.policy.longest.to_std().unwrap_or_default(),
        };
        self.shared.as_ref()?.take(&name(key), quota, attempts).await.ok()
    }

    fn attempt_here(&self, key: Bytes32, now: DateTime<Utc>) -> Result<(), Error> {
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

    fn forgive_here(&self, key: &Bytes32, now: DateTime<Utc>) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get(key) {
            records.put(*key, record.forgive(&self.policy, now), now);
        }
    }

    fn reset_here(&self, key: &Bytes32) {
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
    use kit::{
        Clock,
        testing::{RedisServer, eventually},
    };

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
        while throttle.attempt_here(key(0), now).is_ok() {}
        for junk in 1..10_000 {
            throttle.attempt_here(key(junk), now + Duration::milliseconds(junk.into())).unwrap();
        }
        assert_eq!(count(&throttle), 100);
        assert!(throttle.attempt_here(key(0), now + Duration::seconds(29)).is_err());
        // Of those that failed once the newest are still there.
        let later = now + Duration::seconds(11);
        for _ in 0..5 {
            throttle.attempt_here(key(9_999), later).unwrap();
        }
        assert!(throttle.attempt_here(key(9_999), later).is_err());
    }

    #[test]
    fn records_that_say_nothing_any_more_make_room_first() {
        let (throttle, now) = throttle();
        for number in 0..100 {
            while throttle.attempt_here(key(number), now).is_ok() {}
        }
        assert_eq!(count(&throttle), 100);
        throttle.attempt_here(key(100), now + Duration::minutes(16)).unwrap();
        assert_eq!(count(&throttle), 1);
    }

    #[test]
    fn a_record_is_kept_once_however_it_changes() {
        let (throttle, now) = throttle();
        throttle.attempt_here(key(1), now).unwrap();
        throttle.attempt_here(key(1), now).unwrap();
        throttle.forgive_here(&key(1), now);
        assert_eq!(count(&throttle), 1);
        throttle.reset_here(&key(1));
        assert_eq!(count(&throttle), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn guesses_at_several_processes_count_together() {
        let mut server = RedisServer::start().await;
        let now = Clock::system().now();
        let process = || Throttles::new(5, Some(&server.connect()));
        let all: Vec<Throttles> = (0..5).map(|_| process()).collect();
        let guess = async |email: &str| {
            let client = None;
            let attempt = SignInAttempt { email, client: &client, is_known: false };
            let mut made = 0;
            for throttles in &all {
                for _ in 0..10 {
                    made += usize::from(throttles.sign_in(attempt, now).await.is_ok());
                }
            }
            made
        };
        let together = async || guess(&format!("{}@test.example", uuid::Uuid::new_v4())).await;
        // Ten, whatever the number of processes.
        assert_eq!(eventually("they count together", together, |made| *made == 10).await, 10);
        server.kill();
        let alone = guess("alone@test.example").await;
        assert_eq!(alone, 5 * 6, "each process goes by its own count");
        server.restart().await;
        assert_eq!(eventually("they count together again", together, |made| *made == 10).await, 10);
    }
}
