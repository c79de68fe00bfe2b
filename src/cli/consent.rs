//! What is kept, said once before anything is: three lines and one question, for a person at a terminal. Without a
//! terminal nothing is said or asked, and nothing is remembered of it.
//!
//! What always holds: stdout carries none of it; neither answer is the one that a careless Enter gives; whoever gives none
//! has begun nothing.

use std::io::{BufRead, IsTerminal, Write};

use serde::{Deserialize, Serialize};

use super::place::{Place, is_off_record};
use super::{Exit, exit, output};
use crate::config::{Dial, Paths, Settings, disk, set_key};

/// How often the question is put.
const ATTEMPTS: usize = 3;

/// What the person was told, and what they said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consent {
    /// Unix seconds.
    pub(super) at: i64,
    /// `None`: they were not asked, because learning was off already, or a program asked in their name.
    pub(super) learning: Option<bool>,
}

/// Says it and asks, unless that was done before. `settings` are then as the person wants them.
pub(super) fn once(place: &Place, settings: &mut Settings) -> anyhow::Result<()> {
    if !is_due(place) {
        return Ok(());
    }
    for line in lines(&place.paths) {
        output::note(&line);
    }
    if settings.learn.dial == Dial::Off {
        remember_or_say(&place.paths, None);
        return Ok(());
    }
    let answer = ask(&mut std::io::stdin().lock())?;
    let Some(learns) = answer else {
        let message = "nothing was begun and nothing is kept; the next call asks again";
        return Err(exit::Stop::new(Exit::Refused, message).into());
    };
    if !learns {
        settings.learn.dial = Dial::Off;
        set_key(&place.paths.config_file(), "learn.dial", "off")?;
        output::note("learning is off; `chela config set learn.dial careful` switches it on");
        if place.paths.socket().exists() {
            output::note("a running daemon keeps its settings until `chela daemon restart`");
        }
    }
    remember_or_say(&place.paths, Some(learns));
    Ok(())
}

/// Nobody is kept from a shell or an answer because this cannot be written: they are asked once more, that is all.
fn remember_or_say(paths: &Paths, learning: Option<bool>) {
    if let Err(error) = remember(paths, learning) {
        output::note(&format!(
            "this is asked again the next time, for it cannot be kept: {}",
            exit::sentence(&error)
        ));
    }
}

/// Whether a person is there who was not asked yet, and something is about to be kept of them.
pub(super) fn is_due(place: &Place) -> bool {
    let is_terminal = || std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    read(&place.paths).is_none() && !is_off_record() && is_terminal()
}

/// `None`: the person was never told.
pub(super) fn read(paths: &Paths) -> Option<Consent> {
    serde_json::from_slice(&std::fs::read(paths.consent_file()).ok()?).ok()
}

pub(super) fn remember(paths: &Paths, learning: Option<bool>) -> anyhow::Result<()> {
    let consent = Consent { at: jiff::Timestamp::now().as_second(), learning };
    Ok(disk::write_whole(&paths.consent_file(), &serde_json::to_vec(&consent)?)?)
}

fn lines(paths: &Paths) -> [String; 3] {
    [
        "What you ask, the answers and what chela shell runs: kept without secrets in".to_owned(),
        format!("{}; nothing leaves this machine. All of it: chela privacy.", paths.data_dir.display()),
        "Take it back: chela forget. Keep out: chela --off, /off, chela off in a shell.".to_owned(),
    ]
}

/// `None`: neither yes nor no was said.
fn ask(input: &mut impl BufRead) -> std::io::Result<Option<bool>> {
    for _ in 0..ATTEMPTS {
        write!(
            std::io::stderr().lock(),
            "Make lessons of your corrections? (learn.dial off ends it) (y or n) "
        )?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            output::note("");
            return Ok(None);
        }
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(Some(true)),
            "n" | "no" => return Ok(Some(false)),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: Option<bool>) {
        assert_eq!(ask(&mut typed.as_bytes()).unwrap(), expected, "{typed:?}");
    }

    #[test]
    fn only_a_word_is_an_answer() {
        check("y\n", Some(true));
        check("No\n", Some(false));
        check("\n\nyes\n", Some(true));
        check("\n\n\ny\n", None);
        check("", None);
        check("maybe\n", None);
    }
}
