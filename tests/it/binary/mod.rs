//! The real program: started as a process, spoken to over sockets, killed.

mod canary;
mod commands;
mod crash;
mod grpc;
mod input;
mod kills;
mod late;
mod parked;
mod people;
mod program;
mod stop;
mod wire;
