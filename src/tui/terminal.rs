//! The terminal's modes: taken at the start, given back on every way out (end, error, panic, signal, suspension).

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::surface::Size;

/// Whether the terminal is ours now. One process has one terminal.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
static HAS_KEYBOARD: AtomicBool = AtomicBool::new(false);
static IS_FULL_SCREEN: AtomicBool = AtomicBool::new(false);
static HAS_MOUSE: AtomicBool = AtomicBool::new(false);

const PASTE_ON: &str = "\x1b[?2004h";
/// Background colour, keyboard protocol, and device attributes as the question that everybody answers.
const QUESTIONS: &str = "\x1b]11;?\x1b\\\x1b[?u\x1b[c";
const KEYBOARD_ON: &str = "\x1b[>1u";
const KEYBOARD_OFF: &str = "\x1b[<u";
const FULL_SCREEN_ON: &str = "\x1b[?1049h\x1b[?25l";
const FULL_SCREEN_OFF: &str = "\x1b[?1049l\x1b[?25h";
/// Buttons and the wheel, as SGR reports.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";
/// Ends synchronized output, wraps lines, shows the cursor, ends bracketed paste, resets the style.
const ALL_OFF: &str = "\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[?2004l\x1b[0m";

/// Raw mode and bracketed paste.
pub(crate) fn take() -> std::io::Result<()> {
    enable_raw_mode()?;
    IS_TAKEN.store(true, Ordering::SeqCst);
    write(PASTE_ON)
}

/// Asks the terminal about itself; the answers come as input.
pub(crate) fn ask() -> std::io::Result<()> {
    write(QUESTIONS)
}

/// The terminal told that it knows the kitty protocol: Shift+Enter becomes a key of its own.
pub(crate) fn take_keyboard() -> std::io::Result<()> {
    if HAS_KEYBOARD.swap(true, Ordering::SeqCst) { Ok(()) } else { write(KEYBOARD_ON) }
}

pub(crate) fn enter_full_screen() -> std::io::Result<()> {
    if IS_FULL_SCREEN.swap(true, Ordering::SeqCst) { Ok(()) } else { write(FULL_SCREEN_ON) }
}

pub(crate) fn leave_full_screen() -> std::io::Result<()> {
    if IS_FULL_SCREEN.swap(false, Ordering::SeqCst) { write(FULL_SCREEN_OFF) } else { Ok(()) }
}

/// Clicks and the wheel come as input, and no text can be selected. Only for views that fill the screen.
pub(crate) fn take_mouse() -> std::io::Result<()> {
    if HAS_MOUSE.swap(true, Ordering::SeqCst) { Ok(()) } else { write(MOUSE_ON) }
}

pub(crate) fn leave_mouse() -> std::io::Result<()> {
    if HAS_MOUSE.swap(false, Ordering::SeqCst) { write(MOUSE_OFF) } else { Ok(()) }
}

/// Gives everything back; doing it twice is harmless. Returns whether there was anything to give back.
pub(crate) fn give_back() -> bool {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return false;
    }
    let _ = leave_mouse();
    let _ = leave_full_screen();
    if HAS_KEYBOARD.swap(false, Ordering::SeqCst) {
        let _ = write(KEYBOARD_OFF);
    }
    let _ = write(ALL_OFF);
    let _ = disable_raw_mode();
    true
}

/// As the system says now; 80x24 where it does not know.
pub(crate) fn size() -> Size {
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns > 0 && rows > 0 => Size { columns: columns.into(), rows: rows.into() },
        _ => Size { columns: 80, rows: 24 },
    }
}

pub(crate) fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Gives the terminal back before a panic of the calling thread is reported; panics of other threads go to `report`
/// and leave the screen alone.
pub(crate) fn restore_on_panic(report: impl Fn(String) + Send + Sync + 'static) {
    let previous = std::panic::take_hook();
    let owner = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == owner {
            if give_back() {
                let _ = write("\r\n\x1b[J");
            }
            previous(panic);
        } else {
            let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
            report(format!("the thread \"{thread}\" failed: {panic}").replace('\n', " "));
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    const CHILD: &str = "CHELA_TEST_PANICS";

    /// The child is this very test in a terminal of its own, where it takes the terminal and panics.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "tells the child from the test")]
    fn a_panic_gives_the_terminal_back_before_it_is_reported() {
        if std::env::var_os(CHILD).is_some() {
            restore_on_panic(|_| ());
            take().unwrap();
            take_keyboard().unwrap();
            panic!("on purpose");
        }
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let before = pty.master.get_termios().unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let this = "tui::terminal::tests::a_panic_gives_the_terminal_back_before_it_is_reported";
        command.args([this, "--exact", "--nocapture"]);
        command.env(CHILD, "1");
        let mut child = pty.slave.spawn_command(command).unwrap();
        let mut reader = pty.master.try_clone_reader().unwrap();
        child.wait().unwrap();
        assert_eq!(pty.master.get_termios().unwrap(), before);
        drop(pty.slave);
        let mut said = Vec::new();
        // Linux ends a terminal without a program in it with an error instead of an end.
        let _ = reader.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text:?} is not in {said:?}"));
        assert!(at(PASTE_ON) < at(KEYBOARD_ON) && at(KEYBOARD_ON) < at(KEYBOARD_OFF));
        assert!(at(KEYBOARD_OFF) < at(ALL_OFF) && at(ALL_OFF) < at("on purpose"));
    }
}
