//! `chela bench learn`: people who do not exist, with wishes that can be checked, use chela; how soon and how well does
//! it follow them, and what does that cost?
//!
//! What lives here: who the users are, what they ask, what they think of an answer and how they say it, and the figures
//! that come of it. All of that is pure and decided by a seed. What does not: talking to a daemon. The policy and the
//! loop get nothing but what a person would type; preferences, checks and marks never reach them.

mod checks;
mod metrics;
mod preferences;
mod replies;
mod report;
mod shell_words;
mod tasks;
mod users;
