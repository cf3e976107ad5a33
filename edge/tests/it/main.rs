//! The edge as its clients meet it: a real server before services that are fakes.

mod fakes;
mod fixture;

mod auth;
mod rest;
