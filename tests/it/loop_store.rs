//! The ledger's part of the loop from outside: feedback, verdicts, lessons, runs, promotion and rollback.

mod feedback;
mod fixture;
mod lessons;
mod review;
mod runs;
mod twin;
