//! Values that every service speaks of: ids, money, time.

pub mod id;
pub mod money;
pub mod time;
