//! The real program: started as a process, spoken to over sockets, killed.

mod canary;
mod commands;
mod crash;
mod grpc;
mod input;
mod late;
mod people;
mod program;
mod stop;
mod wire;
