//! `chela off` in real shells: what runs until `chela on` is told nobody.

use chela::daemon::wire::shell::ShellKind;

use crate::hooks_stage::{Form, Stage, has_current_bash};
use crate::shell_terminal::{say, shell};

fn check(kind: ShellKind, form: Form) {
    let mut stage = Stage::new(kind, form, "", "");
    stage.enter("chela off");
    stage.enter("echo private");
    stage.enter("false");
    stage.enter("chela on");
    // The switches themselves may be told: they say nothing, and the daemon leaves them out.
    let told: Vec<String> = stage.told().into_iter().filter_map(|ran| ran.text).collect();
    assert!(told.iter().all(|text| text.starts_with("chela o")), "{kind:?} {form:?}: {told:?}");
    stage.check("false", &[("false", 1, "1")]);
    let seen = String::from_utf8_lossy(&stage.output).into_owned();
    assert!(
        seen.contains("off the record: what runs in this shell") && seen.contains("on the record again"),
        "{seen}"
    );
    stage.enter("chela off; sh -c 'echo child=$CHELA_OFF.'");
    let seen = String::from_utf8_lossy(&stage.output).into_owned();
    assert!(seen.contains("child=1."), "{seen}");
}

#[test]
fn bash_keeps_what_runs_off_the_record_to_itself() {
    if !has_current_bash() {
        return;
    }
    for form in [Form::Marks, Form::Records] {
        check(ShellKind::Bash, form);
    }
}

#[test]
fn zsh_and_fish_keep_it_too() {
    for (kind, name) in [(ShellKind::Zsh, "zsh"), (ShellKind::Fish, "fish")] {
        if shell(name).is_none() {
            say("the other shells are checked all the same");
            continue;
        }
        for form in [Form::Marks, Form::Records] {
            check(kind, form);
        }
    }
}
