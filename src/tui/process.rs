//! Programs that the chat starts: `!` commands with their bounded output, and the external editor.

use std::io::{PipeReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::app::Event;
use super::driver::Happening;

/// Half of what is kept of a command's output: its beginning and its end.
const HALF: usize = 32 * 1024;
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// A running `!` command.
pub(crate) struct Running {
    group: Pid,
    n_stops: u32,
}

impl Running {
    /// `$SHELL -c line` in a process group of its own, without input; what it writes comes as events.
    pub(crate) fn start(
        shell: &str,
        line: &str,
        cwd: &Path,
        events: Sender<Happening>,
    ) -> std::io::Result<Self> {
        let (output, input) = std::io::pipe()?;
        let child = Command::new(shell)
            .arg("-c")
            .arg(line)
            .current_dir(cwd)
            .stdin(Stdio::null())
            .stdout(input.try_clone()?)
            .stderr(input)
            .process_group(0)
            .spawn()?;
        let group = Pid::from_child(&child);
        thread::Builder::new().name("command".into()).spawn(move || follow(child, output, &events))?;
        Ok(Self { group, n_stops: 0 })
    }

    /// Politely first, then not.
    pub(crate) fn stop(&mut self) {
        let signal = match self.n_stops {
            0 => Signal::INT,
            1 => Signal::TERM,
            _ => Signal::KILL,
        };
        self.n_stops += 1;
        let _ = kill_process_group(self.group, signal);
    }
}

/// Sends the beginning as it comes, then only its size, and the end at the end.
fn follow(mut child: Child, mut output: PipeReader, events: &Sender<Happening>) {
    let send = |event| events.send(Happening::event(event)).is_ok();
    let (mut n_bytes, mut n_sent) = (0, 0);
    let mut tail = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut reported = Instant::now();
    while let Ok(n) = output.read(&mut buffer) {
        if n == 0 {
            break;
        }
        n_bytes += n;
        let (now, later) = buffer.get(..n).unwrap_or_default().split_at(n.min(HALF - n_sent));
        n_sent += now.len();
        tail.extend_from_slice(later);
        if tail.len() > 4 * HALF {
            tail.drain(..tail.len() - HALF);
        }
        if !now.is_empty() && !send(Event::CommandOutput(now.to_vec())) {
            return;
        }
        if reported.elapsed() >= PROGRESS_EVERY {
            reported = Instant::now();
            send(Event::CommandProgress(n_bytes));
        }
    }
    let status = child.wait();
    if tail.len() > HALF {
        tail.drain(..tail.len() - HALF);
    }
    let n_skipped = n_bytes - n_sent - tail.len();
    if n_skipped > 0 {
        send(Event::CommandSkipped(n_skipped));
    }
    if !tail.is_empty() {
        send(Event::CommandOutput(tail));
    }
    send(Event::CommandEnded(status.map_or_else(|err| err.to_string(), in_words)));
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// Lets the person write `text` in an editor; what is in the file afterwards.
pub(crate) fn edit(editor: &str, text: &str, dir: &Path) -> Result<String, String> {
    let file = dir.join(format!("message-{}.md", std::process::id()));
    let outcome = edit_file(editor, text, &file).map_err(|err| format!("cannot edit with `{editor}`: {err}"));
    let _ = std::fs::remove_file(&file);
    outcome?
}

fn edit_file(editor: &str, text: &str, file: &Path) -> std::io::Result<Result<String, String>> {
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())?;
    drop(out);
    // An editor setting may have arguments, so a shell takes it apart.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status()?;
    if !status.success() {
        return Ok(Err(format!("`{editor}` ended with {}; the message is unchanged", in_words(status))));
    }
    Ok(Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned()))
}

/// Writes a file that must not exist yet.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|err| match err.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{} exists already; name another file", path.display()),
        _ => format!("cannot write {}: {err}", path.display()),
    })?;
    file.write_all(text.as_bytes()).map_err(|err| format!("cannot write {}: {err}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// What a command leads to: output so far, bytes skipped, its end.
    fn run(line: &str) -> (String, usize, String) {
        let (events, inbox) = mpsc::channel();
        Running::start("/bin/sh", line, Path::new("/"), events).unwrap();
        let (mut output, mut skipped) = (Vec::new(), 0);
        for happening in inbox {
            let Happening::Event(event) = happening else { continue };
            match *event {
                Event::CommandOutput(bytes) => output.extend(bytes),
                Event::CommandSkipped(n) => skipped = n,
                Event::CommandEnded(end) => {
                    return (String::from_utf8_lossy(&output).into_owned(), skipped, end);
                }
                _ => {}
            }
        }
        panic!("no end");
    }

    #[test]
    fn both_streams_and_the_exit_status_come_back() {
        assert_eq!(run("echo out; echo err >&2; exit 3"), ("out\nerr\n".into(), 0, "exit status 3".into()));
    }

    #[test]
    fn a_flood_is_bounded_to_its_ends() {
        let (output, skipped, _) = run("seq 1 100000");
        assert_eq!(output.len(), 2 * HALF);
        assert!(output.starts_with("1\n2\n") && output.ends_with("100000\n"));
        assert_eq!(skipped + output.len(), 588_895);
    }

    #[test]
    fn a_signal_is_named() {
        assert_eq!(run("kill -9 $$").2, "ended by signal 9");
    }

    #[test]
    fn stopping_ends_the_whole_group() {
        let (events, inbox) = mpsc::channel();
        let mut running =
            Running::start("/bin/sh", "echo up; sleep 1000 | cat", Path::new("/"), events).unwrap();
        for happening in inbox {
            let Happening::Event(event) = happening else { continue };
            match *event {
                // Where interrupts are ignored (a background job of a script), the second signal ends it.
                Event::CommandOutput(_) => (0..2).for_each(|_| running.stop()),
                Event::CommandEnded(end) => {
                    let ends =
                        ["ended by signal 2", "exit status 130", "ended by signal 15", "exit status 143"];
                    assert!(ends.contains(&end.as_str()), "{end}");
                    return;
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_editor_gets_the_text_and_its_result_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(edit("sed -i s/a/b/", "a c", dir.path()), Ok("b c".into()));
        assert!(edit("false", "a", dir.path()).unwrap_err().contains("unchanged"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.md");
        write_new(&path, "one").unwrap();
        assert!(write_new(&path, "two").unwrap_err().contains("exists already"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one");
    }
}
