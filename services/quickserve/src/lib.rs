//! The program's parts, for `main` and for the end-to-end tests.
//!
//! Start reading at [`process`], which runs services and edge in one process; [`service`] lists the services.

pub mod certs;
pub mod client;
pub mod demo;
pub mod policy;
pub mod process;
pub mod service;
pub mod trust;
