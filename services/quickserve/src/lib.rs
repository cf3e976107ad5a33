//! Placeholder room, filled in by the commits that follow.
