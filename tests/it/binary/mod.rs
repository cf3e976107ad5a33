//! The real program: started as a process, spoken to over sockets, killed.

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
mod stop;
mod wire;

pub use program::rows;
