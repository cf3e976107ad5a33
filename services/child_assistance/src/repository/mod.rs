//! Every query about families. Those about orders are in the crate `vertical`.

pub mod adults;
pub mod children;
pub mod guardians;
pub mod incidents;
pub mod orders;
