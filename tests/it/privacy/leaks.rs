//! A version that learned a person's private texts by heart serves nobody.

use chela::daemon::wire::{LearnNow, RunRow, RunState, Teach};
use chela::lesson::Scope;
use chela::turn::PolicyVersion;

use super::twin::{self, LESSON, Says};
use crate::served::{Served, home, request, serve_with};
use crate::teaching::ask;

/// Put together here, so that no scanner takes this file for a leak.
fn address() -> String {
    ["anna.kowalski", "example.org"].join("@")
}

fn learned(says: Says) -> (Served, RunRow) {
    let home = home();
    let config = twin::parts(&home, says);
    let served = serve_with(home, config);
    let (turn, _) = ask(&served, &request(&format!("search the mail for {} please", address())));
    let scope = Some(Scope::Program("grep".into()));
    served.client.teach(&Teach { text: LESSON.into(), scope, turn: Some(turn) }).unwrap();
    let now: LearnNow = served.client.learn_now().unwrap();
    let run = served.client.wait_for_round(now, &mut |_| ()).unwrap();
    (served, run)
}

#[test]
fn a_candidate_that_completes_a_private_text_is_refused_for_it() {
    let (served, run) = learned(|said| said.ends_with("for ").then(|| format!("rg {}", address())));
    let reason = run.reason.clone().unwrap_or_default();
    assert_eq!(run.state, RunState::Rejected, "{reason}");
    assert!(reason.contains("it repeats 1 private texts of turns that it learned from"), "{reason}");
    // The sentence is shown and kept: the text itself is not in it.
    assert!(!reason.contains(&address()), "{reason}");
    assert_eq!(served.client.status().unwrap().policy, PolicyVersion::BASE);
    served.stop();
}

#[test]
fn one_that_does_not_is_promoted() {
    let (served, run) = learned(|_| None);
    assert_eq!(run.state, RunState::Promoted, "{:?}", run.reason);
    served.stop();
}
