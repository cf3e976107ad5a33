//! Idempotency keys: a call with a key takes effect once, and the same call again gets the first answer.
//!
//! The key commits together with the effect. A key belongs to one account and one RPC and is bound to the request's
//! content, so that no key ever answers with the reply to another account.
//!
//! A call of several steps commits its key with the first one, and its answer with the last. When its process dies in
//! between, the same call goes on with what was begun, at once: the key locks out no other process. Within a process,
//! [`Running`] has the same call wait for the one that is still at it.

use crate::{rpc::caller, rpc::context::Context, rpc::error::Error, storage::db::Tx};
use chrono::Duration;
use sea_orm::{
    ActiveValue::Set, Condition, DbBackend, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration as StdDuration,
};
use tokio::sync::OwnedMutexGuard;
use tonic::Request;

/// The metadata key and HTTP header that carries the key.
pub const HEADER: &str = "idempotency-key";

/// How long an answer is kept.
const KEPT: Duration = Duration::days(7);

/// A key, whose it is, and the request it stands for.
#[derive(Clone, Debug)]
pub struct Key {
    scope: String,
    key: String,
    fingerprint: Vec<u8>,
}

impl Key {
    /// The key that came with `request`, if any.
    pub fn of<M: prost::Message>(request: &Request<M>) -> Option<Self> {
        let key = request.metadata().get(HEADER)?.to_str().ok()?.to_owned();
        let account = caller::caller_of(request).subject.map(|subject| subject.user_id);
        let scope = format!("{}:{}", account.unwrap_or_default(), Context::current().rpc);
        let fingerprint = Sha256::digest(request.get_ref().encode_to_vec()).to_vec();
        Some(Self { scope, key, fingerprint })
    }

    /// An id for what the call makes, the same each time the call is repeated.
    pub fn derived_id<T>(&self) -> crate::values::id::Id<T> {
        crate::values::id::Id::derived(Uuid::NAMESPACE_OID, &format!("{}:{}", self.scope, self.key))
    }
}

/// What a key stands for when a call begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing yet: do the work.
    New,
    /// A call that took a first step and has not answered: go on with what it began.
    Unfinished,
    /// An answer that was given before.
    Replay(Vec<u8>),
}

/// Takes the key for this call, or finds what it answered before.
pub async fn begin_key(tx: &Tx, key: &Key) -> Result<Begun, Error> {
    let now = tx.now();
    let inserted = Entity::insert(ActiveModel {
        scope: Set(key.scope.clone()),
        key: Set(key.key.clone()),
        fingerprint: Set(key.fingerprint.clone()),
        response: Set(None),
        lease_until: Set(now),
        expires_at: Set(now + KEPT),
    })
    .on_conflict(OnConflict::columns([Column::Scope, Column::Key]).do_nothing().to_owned())
    .exec_without_returning(&**tx)
    .await?;
    if inserted > 0 {
        return Ok(Begun::New);
    }
    let found = Entity::find_by_id((key.scope.clone(), key.key.clone()));
    // Without a row, the first call has given the key back in this moment.
    let found = found.lock_exclusive().one(&**tx).await?.ok_or(Error::InProgress)?;
    if found.fingerprint != key.fingerprint {
        return Err(Error::KeyReused);
    }
    Ok(found.response.map_or(Begun::Unfinished, Begun::Replay))
}

/// Keeps the answer of a call, in the transaction of its effect.
pub async fn finish_key<M: prost::Message>(tx: &Tx, key: &Key, answer: &M) -> Result<(), Error> {
    keep_answer(tx, key, answer.encode_to_vec()).await
}

/// As [`finish_key`], when the answer is encoded already.
pub async fn keep_answer(tx: &Tx, key: &Key, answer: Vec<u8>) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Response, Expr::value(answer))
        .filter(Column::Scope.eq(&key.scope))
        .filter(Column::Key.eq(&key.key))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Gives the key back after a call that took no effect, so that it may be tried again.
pub async fn abandon_key(tx: &Tx, key: &Key) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::Scope.eq(&key.scope))
        .filter(Column::Key.eq(&key.key))
        .filter(Column::Response.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Empties the answers that were kept for an erased account's keys, and those for the keys of others that name it. The
/// keys stay taken, so that no call takes effect again.
pub async fn forget_account(tx: &Tx, account: Uuid) -> Result<(), Error> {
    let names_it = match tx.get_database_backend() {
        DbBackend::Postgres => "position($1 in response) > 0",
        _ => "instr(response, ?) > 0",
    };
    let name = account.to_string().into_bytes();
    let kept_for_it = Column::Scope.starts_with(format!("{account}:"));
    Entity::update_many()
        .col_expr(Column::Response, Expr::value(Vec::<u8>::new()))
        .filter(Column::Response.is_not_null())
        .filter(Condition::any().add(kept_for_it).add(Expr::cust_with_values(names_it, [name])))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Forgets answers past their time.
pub async fn prune_keys(tx: &Tx) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ExpiresAt.lt(tx.now())).exec(&**tx).await?;
    Ok(())
}

/// The calls of several steps that this process is working on, by their keys.
#[derive(Clone, Default)]
pub struct Running {
    calls: Arc<Mutex<RunningCalls>>,
}

type RunningCalls = HashMap<(String, String), Arc<tokio::sync::Mutex<()>>>;

impl Running {
    /// Waits until no other call with this key runs in this process, at most `limit`, and is then the one that runs
    /// until the turn is dropped.
    pub async fn take_turn(&self, key: &Key, limit: StdDuration) -> Result<Turn, Error> {
        let call = (key.scope.clone(), key.key.clone());
        let lock = self.locked().entry(call.clone()).or_default().clone();
        let held = tokio::time::timeout(limit, lock.lock_owned()).await.ok();
        let is_taken = held.is_some();
        let turn = Turn { running: self.clone(), call, held };
        if is_taken { Ok(turn) } else { Err(Error::InProgress) }
    }

    fn locked(&self) -> MutexGuard<'_, RunningCalls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right of a call to be the only one with its key in this process.
pub struct Turn {
    running: Running,
    call: (String, String),
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut calls = self.running.locked();
        // The map's own reference is the last one when no other call waits for its turn.
        if calls.get(&self.call).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            calls.remove(&self.call);
        }
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub fingerprint: Vec<u8>,
        pub response: Option<Vec<u8>>,
        /// Only an earlier version reads it: from then on it may go on with an unfinished call.
        pub lease_until: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
use entity::{ActiveModel, Column, Entity};
