//! Reads and writes the documents of providers.

use super::Providers;
use crate::domain::{
    Document, DocumentId, Error, MAX_ENTRIES, ProviderId,
    records::document::{Column, Entity},
};
use kit::{Tx, storage::page::Page};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};

/// Inserts a document, unless its provider has as many as it may.
pub async fn insert_document(tx: &Tx, document: &Document) -> Result<(), Error> {
    let own = Entity::find().filter(Column::ProviderId.eq(document.provider_id));
    if own.count(&**tx).await? >= MAX_ENTRIES {
        return Err(Error::TooMany(MAX_ENTRIES));
    }
    Entity::insert(document.clone().into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Locks a document of a provider. The provider's profile is locked first, as everywhere.
pub async fn lock_document(
    tx: &Tx,
    provider_id: ProviderId,
    id: DocumentId,
) -> Result<Document, Error> {
    let own = Entity::find_by_id(id).filter(Column::ProviderId.eq(provider_id));
    own.lock_exclusive().one(&**tx).await?.ok_or(Error::DocumentNotFound)
}

/// The provider of a document, if the document exists.
pub async fn provider_of(tx: &Tx, id: DocumentId) -> Result<Option<ProviderId>, Error> {
    Ok(Entity::find_by_id(id).one(&**tx).await?.map(|document| document.provider_id))
}

/// Saves a changed document.
pub async fn save_document(tx: &Tx, document: &Document) -> Result<(), Error> {
    super::update_row(&**tx, document.clone()).await
}

/// Clears what the documents of a provider say about a person.
pub async fn forget_person(tx: &Tx, provider_id: ProviderId) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Number, Expr::value(""))
        .col_expr(Column::FileSha256, Expr::value(""))
        .col_expr(Column::Reason, Expr::value(""))
        .filter(Column::ProviderId.eq(provider_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

impl Providers {
    /// A page of the documents of a profile, and the token of the next page.
    pub async fn documents(
        &self,
        id: ProviderId,
        page: Page,
    ) -> Result<(Vec<Document>, String), Error> {
        let all = Entity::find().filter(Column::ProviderId.eq(id));
        let mut rows = page.of(all, Column::Id).all(self.db.connection()).await?;
        let token = page.cut(&mut rows, |row| row.id.uuid());
        Ok((rows, token))
    }
}
