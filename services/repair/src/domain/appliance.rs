//! Appliances of customers, as rows.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use vertical::Error;

/// Most appliances of a customer.
const MAX_APPLIANCES: u64 = 100;

/// An appliance of a customer.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appliances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account of the customer.
    pub customer_id: Uuid,
    pub brand: String,
    /// Empty where it is not known.
    pub model: String,
    /// Empty where it is not known.
    pub serial: String,
    /// The last day of its warranty.
    pub warranty_until: Option<NaiveDate>,
    pub created_at: DateTimeUtc,
}

/// Says which appliance it is, not what is written on it.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appliance").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Refuses one more appliance of a customer who has so many.
pub fn check_room(count: u64) -> Result<(), Error> {
    if count < MAX_APPLIANCES {
        return Ok(());
    }
    let problem = format!("an account has {MAX_APPLIANCES} appliances at most: delete one first");
    Err(Error::Refused("APPLIANCE_LIMIT", problem))
}

/// Reads the last day of a warranty; an empty text is none.
pub fn parse_warranty(text: &str) -> Result<Option<NaiveDate>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = text.parse();
    date.map(Some)
        .map_err(|_| Error::invalid("warranty_until", "must be a date such as 2028-05-24"))
}
