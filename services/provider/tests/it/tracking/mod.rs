//! Positions in, tracks out.

mod drive;
mod push;
mod upkeep;
mod watch;
