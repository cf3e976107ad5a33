//! Values that every service speaks of: ids, money, places, time.

pub mod coordinates;
pub mod id;
pub mod money;
pub mod place;
pub mod time;
