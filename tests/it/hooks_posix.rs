//! What bash and zsh are asked in the same words: jobs, a shell in the shell, odd folders.

use super::hooks_stage::{PROMPT, Stage};

pub(crate) fn stopped_and_cleared(stage: &mut Stage) {
    let from = stage.output.len();
    stage.keys("sh -c 'echo rea''dy; exec sleep 60'\r");
    stage.wait_for(from, "ready");
    stage.keys("\x1a");
    stage.sync();
    stage.check_told("Ctrl+Z", &[("sh -c 'echo rea''dy; exec sleep 60'", 148, "148")]);
    stage.keys("kill -KILL %%\r");
    stage.sync();
    stage.check_told("kill", &[("kill -KILL %%", 0, "0")]);
    let from = stage.output.len();
    stage.keys("xyzzy");
    stage.wait_for(from, "xyzzy");
    stage.press_until("\x03", PROMPT);
    stage.sync();
    stage.check_told("Ctrl+C", &[]);
}

pub(crate) fn a_shell_in_the_shell(stage: &mut Stage) {
    let from = stage.output.len();
    stage.keys("PS1='inn''er> ' sh\r");
    stage.wait_for(from, "inner> ");
    stage.keys("false\rexit\r");
    stage.sync();
    stage.check_told("sh, false, exit", &[("PS1='inn''er> ' sh", 1, "1")]);
}

pub(crate) fn directories(stage: &mut Stage) {
    let home = stage.path().to_str().unwrap().to_owned();
    let odd = "it'\\''s; a $(x)]";
    stage.enter(&format!("mkdir '{odd}'; cd '{odd}' && cd /"));
    stage.enter(&format!("cd '{home}'"));
    stage.enter(&format!("cd '{odd}'"));
    stage.enter("cd \"$HOME\"");
    let seen: Vec<_> = stage.told().into_iter().map(|ran| (ran.cwd, ran.cwd_after)).collect();
    let (root, odd) = ("/".to_owned(), format!("{home}/it's; a $(x)]"));
    let expected = [(&home, &root), (&root, &home), (&home, &odd), (&odd, &home)];
    assert_eq!(seen.iter().map(|(from, to)| (from, to)).collect::<Vec<_>>(), expected);
}
