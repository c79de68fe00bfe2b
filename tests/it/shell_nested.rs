//! Jobs, shells in the shell and tmux on either side, in `chela shell` as in a bare shell.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::shell_terminal::{BINARY, Ears, PROMPT, ShellHome, are_there};
use crate::shell_twins::{START_FILE, Seat, Twins};

/// What was told, up to a command that is run now.
fn told(twins: &mut Twins, ears: &Ears) -> Vec<(String, i32)> {
    twins.enter("echo last");
    ears.hears_until("echo last").into_iter().map(|command| (command.text, command.status)).collect()
}

fn texts(told: &[(String, i32)]) -> Vec<(&str, i32)> {
    told.iter().map(|(text, status)| (text.as_str(), *status)).collect()
}

#[test]
fn jobs_stop_go_on_and_are_killed() {
    if !are_there(&["vim"]) {
        return;
    }
    let Some(mut twins) = Twins::sit_down(|home| home.write(".vimrc", "set noswapfile viminfo=\n")) else {
        return;
    };
    let ears = Ears::at(&twins.ours.home);
    twins.start("vim file");
    twins.see("[New]");
    twins.press("itext");
    twins.until("the text", |seat| seat.text().starts_with("text") && seat.text().contains("INSERT"));
    twins.press("\x1b\x1a");
    twins.prompt();
    assert!(twins.ours.text().contains("Stopped"), "{}", twins.ours.text());
    twins.start_a_sleep();
    twins.press("\x1a");
    twins.prompt();
    twins.enter("bg");
    twins.enter("jobs");
    assert!(twins.ours.text().contains("[1]+  Stopped                 vim file\n[2]-  Running"));
    twins.enter("kill %2; wait %2");
    twins.start("fg");
    twins.until("vim", |seat| seat.is_whole_screen() && seat.text().starts_with("text"));
    twins.press(":q!\r");
    twins.prompt();
    twins.enter("jobs");
    let told = told(&mut twins, &ears);
    let statuses: Vec<_> = told.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [148, 148, 0, 0, 143, 0, 0, 0]);
    twins.leave();
}

#[test]
fn a_shell_in_the_shell_is_the_person_s_own() {
    let Some(mut twins) = Twins::sit_down(|_| ()) else { return };
    let ears = Ears::at(&twins.ours.home);
    twins.start("bash");
    twins.prompt();
    twins.enter("PS1='inner> ready> '");
    twins.enter("false; echo inside $SHLVL");
    twins.start("exit 3");
    twins.prompt();
    twins.start("sh");
    twins.until("a plain prompt", |seat| seat.line_of_cursor().ends_with(['$', '#']));
    twins.press("PS1='ready> '\r");
    twins.prompt();
    twins.enter("echo \"plain ${CHELA_NONCE-none}\"");
    twins.start("exit 4");
    twins.prompt();
    assert!(twins.ours.text().contains("plain none"));
    let told = told(&mut twins, &ears);
    assert_eq!(texts(&told), [("bash", 3), ("sh", 4), ("echo last", 0)]);
    twins.leave();
}

#[test]
fn a_shell_in_place_of_the_shell_keeps_the_terminal() {
    if !are_there(&["zsh"]) {
        return;
    }
    let Some(mut twins) = Twins::sit_down(|_| ()) else { return };
    let ears = Ears::at(&twins.ours.home);
    twins.enter("echo first");
    twins.start("exec zsh");
    twins.until("zsh's prompt", |seat| seat.text().ends_with("exec zsh\nready> "));
    twins.enter("echo $ZSH_NAME");
    twins.start_a_sleep();
    twins.press("\x1a");
    twins.prompt();
    twins.enter("kill %1; wait");
    for seat in [&mut twins.bare, &mut twins.ours] {
        assert_eq!(seat.person.leaves(), 0);
    }
    // Nobody told this shell the secret with which commands are signed.
    assert_eq!(ears.hears_until("echo first").len(), 1);
}

/// A tmux server of a test's own; its end is the test's.
struct Tmux<'a>(&'a Path);

const TMUX: &str = "tmux -L twins -f tmux.conf";

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.args(["-L", "twins", "kill-server"]).env("TMUX_TMPDIR", self.0);
        // One that has ended with its last shell is what most tests leave.
        let _ = command.stderr(Stdio::null()).status();
    }
}

/// A home with a quiet tmux, whose server is found by it alone.
fn with_tmux(home: &ShellHome, shell: &str) {
    let own = home.path().display();
    // Keys that come at once are keys all the same.
    let quick = "set -g escape-time 0\nset -g assume-paste-time 0";
    home.write("tmux.conf", &format!("set -g status off\n{quick}\nset -g default-command '{shell}'\n"));
    home.write(".bashrc", &format!("{START_FILE}export TMUX_TMPDIR={own}\n"));
}

/// Does things in tmux: a command, a second window, a size, vim, leaving and coming back.
fn use_tmux(twins: &mut Twins) {
    twins.enter("printf '\\033[31mred\\033[m grün\\n'; stty size");
    twins.press("\x02c");
    twins.until("a second window", |seat| seat.text().trim_end() == PROMPT.trim_end());
    twins.enter("echo second");
    twins.press("\x02p");
    twins.until("the first window", |seat| {
        seat.text().contains("red grün") && !seat.text().contains("second")
    });
    twins.resize(30, 90);
    // Else a command would be typed before tmux has heard of it.
    twins.enter("until [ \"$(stty size)\" = '30 90' ]; do :; done");
    twins.press("\x02d");
    twins.until("the outer shell", |seat| {
        seat.text().contains("[detached") && !seat.is_whole_screen() && seat.line_of_cursor() == "ready>"
    });
    twins.enter("clear");
    twins.start(&format!("{TMUX} attach"));
    twins.until("tmux again", |seat| seat.is_whole_screen() && seat.text().contains("red grün"));
}

/// Ends the shells of both windows.
fn leave_tmux(twins: &mut Twins) {
    twins.start("exit");
    twins.until("the second window", |seat| seat.text().contains("second"));
    twins.start("exit");
    twins.prompt();
    assert!(twins.ours.text().contains("[exited]"), "{}", twins.ours.text());
}

fn in_tmux(seat: &Seat) -> bool {
    seat.is_whole_screen() && seat.line_of_cursor() == PROMPT.trim_end()
}

#[test]
fn tmux_in_the_shell_is_left_to_itself() {
    if !are_there(&["tmux"]) {
        return;
    }
    let Some(mut twins) = Twins::sit_down(|home| with_tmux(home, "exec bash")) else { return };
    let homes = [twins.bare.home.path().to_owned(), twins.ours.home.path().to_owned()];
    let _servers = homes.each_ref().map(|home| Tmux(home));
    let ears = Ears::at(&twins.ours.home);
    let starts = format!("{TMUX} new");
    twins.start(&starts);
    twins.until("tmux", in_tmux);
    use_tmux(&mut twins);
    leave_tmux(&mut twins);
    let told = told(&mut twins, &ears);
    let attach = format!("{TMUX} attach");
    let expected = [(starts.as_str(), 0), ("clear", 0), (attach.as_str(), 0), ("echo last", 0)];
    assert_eq!(texts(&told), expected, "what ran inside is not this shell's");
    twins.leave();
}

#[test]
fn the_shell_works_in_tmux() {
    if !are_there(&["bash", "tmux"]) {
        return;
    }
    let [bare, ours] =
        ["exec bash".to_owned(), format!("exec {BINARY} shell --no-daemon --shell bash")].map(|shell| {
            let home = ShellHome::new();
            with_tmux(&home, &shell);
            home
        });
    let homes = [bare.path().to_owned(), ours.path().to_owned()];
    let _servers = homes.each_ref().map(|home| Tmux(home));
    let ears = Ears::at(&ours);
    let [plain, chela] = [&bare, &ours].map(|home| {
        let mut tmux = home.program("tmux", &["-L", "twins", "-f", "tmux.conf", "new"]);
        tmux.env("TMUX_TMPDIR", home.path());
        tmux
    });
    let mut twins = Twins::of((bare, plain), (ours, chela));
    twins.enter("echo \"owned by ${CHELA_TTY:+chela}\" | tr -d ' ' > owner; printf '\\033[31mred\\033[m\\n'");
    twins.press("\x02c");
    twins.until("a second window", |seat| seat.text().trim_end() == PROMPT.trim_end());
    twins.enter("echo second");
    twins.press("\x02p");
    twins.until("the first window", |seat| seat.text().contains("\nred\n"));
    twins.resize(30, 90);
    twins.enter("until [ \"$(stty size)\" = '30 90' ]; do :; done; clear");
    twins.start("exit 0");
    twins.until("the second window", |seat| seat.text().contains("second"));
    twins.enter("echo last");
    let told = ears.hears_until("echo last");
    assert_eq!(
        told.iter().map(|command| command.text.as_str()).collect::<Vec<_>>().last(),
        Some(&"echo last")
    );
    assert!(
        told.iter()
            .any(|command| command.text == "echo second" && command.output.as_deref() == Some("second\n"))
    );
    let owner = |seat: &Seat| std::fs::read_to_string(seat.home.path().join("owner")).unwrap();
    assert_eq!((owner(&twins.bare).trim(), owner(&twins.ours).trim()), ("ownedby", "ownedbychela"));
    twins.leave();
}
