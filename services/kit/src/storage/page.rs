//! Pages of a list: opaque tokens that stay right while rows are added.
//!
//! Lists run from the newest id down. Ids are UUIDv7, so that the last id of a page is the whole cursor.

use crate::rpc::error::Error;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

/// Rows of a page when the request does not say.
pub const DEFAULT_SIZE: u64 = 25;
/// Most rows of a page; a larger wish is cut down to it.
pub const MAX_SIZE: u64 = 100;

/// Which rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows on the page.
    pub size: u64,
    /// Only rows with a lower id.
    pub before: Option<Uuid>,
}

impl Page {
    /// Reads `page_size` and `page_token` of a request.
    pub fn parse(page_size: i32, page_token: &str) -> Result<Self, Error> {
        let size = match u64::try_from(page_size) {
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
        };
        let before = if page_token.is_empty() { None } else { Some(decode_token(page_token)?) };
        Ok(Self { size, before })
    }

    /// The rows of a list that are on the page, and one more, to know whether there is a next one: see [`Self::cut`].
    pub fn of<E: EntityTrait>(&self, list: Select<E>, id: E::Column) -> Select<E> {
        let list = match self.before {
            Some(before) => list.filter(id.lt(before)),
            None => list,
        };
        list.order_by_desc(id).limit(self.size + 1)
    }

    /// Cuts `rows` to the page and returns the token of the next one, empty at the end.
    pub fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> Uuid) -> String {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map(|row| URL_SAFE_NO_PAD.encode(id(row))).unwrap_or_default()
    }
}

fn decode_token(token: &str) -> Result<Uuid, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    Uuid::from_slice(&bytes)
        .map_err(|_| Error::invalid("page_token", "is not one that this list returned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_from_the_last_row() {
        let page = Page::parse(2, "").unwrap();
        let mut rows = vec![Uuid::from_u128(3), Uuid::from_u128(2), Uuid::from_u128(1)];
        let token = page.cut(&mut rows, |row| *row);
        assert_eq!(rows.len(), 2);
        assert_eq!(Page::parse(2, &token).unwrap().before, Some(Uuid::from_u128(2)));
        assert_eq!(page.cut(&mut rows, |row| *row), "");
    }

    #[test]
    fn bad_pages_name_their_field() {
        assert!(Page::parse(-1, "").unwrap_err().to_string().starts_with("page_size"));
        for token in ["%", "YQ", "!!!!"] {
            let error = Page::parse(0, token).unwrap_err();
            assert!(error.to_string().starts_with("page_token"), "{token}");
        }
        assert_eq!(Page::parse(1_000_000, "").unwrap().size, MAX_SIZE);
    }
}
