//! The edge as its clients meet it: a real server before services that are fakes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod fakes;
mod fixture;

mod auth;
mod coding;
mod connections;
mod grpc;
mod limits;
mod log;
mod pages;
mod rest;
mod tls;
