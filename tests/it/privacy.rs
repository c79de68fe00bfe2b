//! What a person keeps out of the ledger, out of learning, or for so long only; and that nothing leaves the machine.

mod consent;
mod day;
mod leaks;
mod network;
mod off_record;
mod report;
mod retention;
mod rules;
mod shells;
mod twin;
