//! Positions in, tracks out.

mod disputes;
mod drive;
mod push;
mod upkeep;
mod watch;
