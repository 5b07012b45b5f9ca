//! Iroh behind a C ABI. `../tidelock_iroh.h` says what it does, `../README.md` where things are.

mod abi;
mod addresses;
mod calls;
mod connections;
mod deadlines;
mod endpoint;
mod errors;
mod events;
mod guard;
mod ids;
mod metrics;
mod operations;
mod settings;
mod streams;

#[cfg(test)]
mod header_test;
