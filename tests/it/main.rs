//! The system as its users meet it: over HTTP and gRPC, in one process and as the real program, on both databases.

mod binary;
mod journey;
mod mesh;
mod tidy;
