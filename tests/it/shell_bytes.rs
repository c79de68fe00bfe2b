//! `chela shell` lets every byte through: keys, output, pastes, sizes.

use std::fs;
use std::os::fd::AsFd;

use portable_pty::PtySize;
use rustix::fs::{Mode, OFlags};
use rustix::termios::tcgetwinsize;

use crate::shell_terminal::{Person, ShellHome, find, in_each_shell, shell, wait_until};

/// Every byte there is, often, in an order that repeats itself late.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn output_arrives_byte_for_byte() {
    let mut bytes = noise(200_000);
    bytes.extend_from_slice(
        b"\x1b]133;D;0\x07\x1b]133;C;n=1;nonce=00\x1b\\\x1b]633;A\x07\x1b]0;title\x07\x1bP1;2|x\x1b\\",
    );
    bytes.extend_from_slice(b"\x1b[38;2;1;2;3m\x1b[?1006h\x1b[>1u\x1b_Gi=1;AAAA\x1b\\\x1b]8;;http://x\x07\xc3\x9c\x9c\x1b[c\x1b]11;?\x07");
    in_each_shell(|home, person| {
        fs::write(home.path().join("bytes"), &bytes).unwrap();
        person.types("stty -opost; cat bytes; stty opost; echo al''l\r");
        person.sees("all\r\n");
        assert!(find(&person.seen, &bytes).is_some());
    });
}

#[test]
fn keys_arrive_byte_for_byte() {
    let bytes = noise(20_000);
    in_each_shell(|home, person| {
        person.types(format!(
            "stty raw -echo; echo liste''ning; head -c {} > got; stty sane; echo o''ver\r",
            bytes.len()
        ));
        person.sees("listening");
        person.types(bytes.clone());
        person.sees("over\r\n");
        assert!(fs::read(home.path().join("got")).unwrap() == bytes);
    });
}

#[test]
fn a_paste_of_a_megabyte_arrives_whole() {
    let paste =
        [b"\x1b[200~".to_vec(), b"word \xc3\xbc line\n".repeat(1_000_000 / 14), b"\x1b[201~".to_vec()]
            .concat();
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let mut person = home.sits_in(&bash);
    person.types(format!(
        "stty raw -echo; echo liste''ning; head -c {} > got; stty sane; echo o''ver\r",
        paste.len()
    ));
    person.sees("listening");
    person.types(paste.clone());
    person.sees("over\r\n");
    assert!(fs::read(home.path().join("got")).unwrap() == paste);
}

#[test]
fn output_that_is_read_late_is_not_lost_and_not_piled_up() {
    let Some(bash) = shell("bash") else { return };
    let mut person = ShellHome::new().sits_in(&bash);
    person.types("yes 'a line of some length, to be counted' | head -n 400000; echo o''ver\r");
    person.sees("over\r\n");
    assert_eq!(
        String::from_utf8_lossy(&person.seen).matches("a line of some length, to be counted\r\n").count(),
        400_000
    );
    let status = fs::read_to_string(format!("/proc/{}/status", person.process().as_raw_nonzero()));
    if let Ok(status) = status {
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u32 = own.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 10 * 1024, "the proxy itself holds {kib} KiB");
    }
}

#[test]
fn the_shell_s_terminal_has_the_size_of_the_person_s_pixels_included() {
    in_each_shell(|_, person| {
        let tty = person.prints("tty");
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inner = rustix::fs::open(tty.as_str(), flags, Mode::empty()).unwrap();
        let size = |fd: std::os::fd::BorrowedFd<'_>| {
            let size = tcgetwinsize(fd).unwrap();
            (size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel)
        };
        assert_eq!(size(inner.as_fd()), (24, 100, 1000, 480));
        for step in 1..=40 {
            let storm =
                PtySize { rows: 24 + step, cols: 100 - step, pixel_width: 1000 + step, pixel_height: 7 };
            person.master.resize(storm).unwrap();
        }
        wait_until("the new size", || size(inner.as_fd()) == (64, 60, 1040, 7));
        assert_eq!(person.prints("stty size"), "64 60");
    });
}

#[test]
fn the_modes_of_the_person_s_terminal_are_those_of_the_shell_s() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let pty = portable_pty::native_pty_system().openpty(PtySize::default()).unwrap();
    let fd = filedescriptor::FileDescriptor::dup(&pty.master.as_raw_fd().unwrap()).unwrap();
    let mut modes = rustix::termios::tcgetattr(&fd).unwrap();
    modes.input_modes.remove(rustix::termios::InputModes::IXON);
    modes.special_codes[rustix::termios::SpecialCodeIndex::VINTR] = 0x07;
    rustix::termios::tcsetattr(&fd, rustix::termios::OptionalActions::Now, &modes).unwrap();
    let mut person = Person::runs_in(pty, home.chela_shell(&bash, &[]));
    person.sees("ready> ");
    let said = person.prints("stty -a");
    assert!(said.contains("intr = ^G") && said.contains("-ixon"), "{said}");
}
