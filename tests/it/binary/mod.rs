//! The real program: started as a process, spoken to over sockets, killed.

mod acceptance;
mod canary;
mod commands;
mod crash;
mod database;
mod families;
mod faults;
mod folder;
mod grpc;
mod holds;
mod input;
mod kills;
mod late;
mod mail;
mod parked;
mod people;
mod processes;
mod program;
mod replays;
mod restore;
mod schemas;
mod seed;
mod series;
mod start_order;
mod stop;
mod traces;
mod trades;
pub mod wire;

pub use kills::number_from;
pub use processes::{own_address, port_of};
pub use program::{Home, Program, rows, run};
