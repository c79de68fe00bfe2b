//! Models on disk: found in every store, named, described, removed, downloaded. Everything happens in a temp directory.

mod find;
mod fixture;
mod pull;
mod server;
mod starter;
