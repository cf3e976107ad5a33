//! From registration to review, as people live it.
