//! The real program: started as a process, spoken to over sockets, killed.

mod acceptance;
mod canary;
mod commands;
mod crash;
mod database;
mod folder;
mod grpc;
mod holds;
mod input;
mod kills;
mod late;
mod mail;
mod parked;
mod people;
mod program;
mod restore;
mod schemas;
mod series;
mod start_order;
mod stop;
pub mod wire;

pub use kills::number_from;
pub use program::{Home, Program, rows, run};
