//! ssh in `chela shell` as in a bare shell: to an sshd of the test's own, with keys of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::shell_terminal::{Ears, ShellHome, are_there, say, shell};
use crate::shell_twins::{Seat, Twins};

/// A place that answers to `ssh -F ssh.conf far`. The client starts the server itself and talks to it through a pipe, so
/// no port is taken and nobody else can come in.
fn far(dir: &TempDir) -> Option<String> {
    let sshd = sshd()?;
    // Where nothing of the account is in the way, as in the service's own unit.
    if rustix::process::getuid().is_root() && !Path::new("/run/sshd").exists() {
        fs::create_dir("/run/sshd").ok()?;
    }
    let path = |name: &str| dir.path().join(name).display().to_string();
    for key in ["host", "user"] {
        let args = ["-q", "-t", "ed25519", "-N", "", "-f", &path(key)];
        assert!(Command::new("ssh-keygen").args(args).status().unwrap().success());
    }
    let server = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n\
         PrintMotd no\nPrintLastLog no\n",
        path("host"),
        path("user.pub")
    );
    fs::write(dir.path().join("sshd.conf"), server).unwrap();
    let client = format!(
        "Host far\nProxyCommand {} -i -f {}\nIdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile /dev/null\n\
         StrictHostKeyChecking no\nLogLevel ERROR\n",
        sshd.display(),
        path("sshd.conf"),
        path("user")
    );
    fs::write(dir.path().join("ssh.conf"), &client).unwrap();
    // It lets nobody in without a shell, and can give a terminal only where the system does without a privileged hand.
    let knocks = Command::new("ssh").args(["-ttF", &path("ssh.conf"), "far", "true"]).output().unwrap();
    if !knocks.status.success() {
        let said = String::from_utf8_lossy(&knocks.stderr);
        say(&format!("skipped: sshd does not give this user a terminal: {said}"));
        return None;
    }
    Some(client)
}

/// It is not where a user's programs are.
fn sshd() -> Option<PathBuf> {
    let found = ["/usr/sbin/sshd", "/usr/bin/sshd"].map(PathBuf::from).into_iter().find(|path| path.exists());
    found.or_else(|| shell("sshd"))
}

#[test]
fn a_shell_far_away_is_as_near_as_before() {
    if !are_there(&["ssh", "ssh-keygen", "vim"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(config) = far(&dir) else { return };
    let Some(mut twins) = Twins::sit_down(|home: &ShellHome| home.write("ssh.conf", &config)) else { return };
    let ears = Ears::at(&twins.ours.home);
    twins.enter("tty > tty; clear");
    let line = "ssh -tF ssh.conf far 'PS1=\"far ready> \" exec bash --norc --noprofile'";
    twins.start(line);
    twins.prompt();
    let is_far = |seat: &Seat| seat.line_of_cursor() == "far ready>";
    twins.enter("echo \"$TERM $(stty size) ${SSH_TTY:+far}\"; stty -a | grep -o 'intr = ..'");
    assert!(twins.ours.text().contains("xterm-256color 24 100 far\nintr = ^C"), "{}", twins.ours.text());
    twins.resize(28, 80);
    twins.enter("until [ \"$(stty size)\" = '28 80' ]; do :; done");
    twins.start_a_sleep();
    twins.press("\x03");
    twins.until("a far prompt", is_far);
    twins.start("vim -u NONE -N");
    twins.until("vim", |seat| seat.is_whole_screen() && seat.text().contains("VIM"));
    twins.press("ifar text\x1b");
    twins.until("the text", |seat| seat.text().starts_with("far text") && !seat.text().contains("INSERT"));
    twins.press(":q!\r");
    twins.until("a far prompt", is_far);
    // ssh's own key to suspend itself.
    twins.enter("true");
    twins.press("~\x1a");
    twins.until("the near shell", |seat| seat.line_of_cursor() == "ready>");
    twins.start("fg");
    twins.until("ssh", |seat| !seat.line_of_cursor().contains("ready>") && !seat.echoes());
    twins.press("\r");
    twins.until("a far prompt", is_far);
    twins.start("exit 0");
    twins.until("the near shell", |seat| seat.line_of_cursor() == "ready>");
    twins.enter("stty -a");
    twins.enter("echo last");
    let told: Vec<_> = ears.hears_until("echo last").into_iter().map(|ran| (ran.text, ran.status)).collect();
    let told: Vec<_> = told.iter().map(|(text, status)| (text.as_str(), *status)).collect();
    assert_eq!(told, [("tty > tty; clear", 0), (line, 148), ("fg", 0), ("stty -a", 0), ("echo last", 0)]);
    twins.leave();
}
