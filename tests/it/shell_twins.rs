//! Two people who press the same keys, one in a bare bash and one in the bash of `chela shell`, and whether their
//! terminals got the same. Support for the tests of programs in the shell; holds none itself.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, tcgetattr};
use vt100::{Callbacks, Parser, Screen};

use crate::shell_terminal::{LIMIT, PROMPT, Person, ShellHome, shell};

/// What both have in their start file. What chela says of a failure is not to be compared.
pub(crate) const START_FILE: &str =
    "PS1='ready> '\nHISTCONTROL=ignoreboth\nHISTFILE=~/history\nCHELA_ANNOUNCE_FIX=off\n";

/// How long one of two is waited for before the other is looked at.
const TURN: Duration = Duration::from_millis(2);

pub(crate) struct Twins {
    pub(crate) bare: Seat,
    pub(crate) ours: Seat,
}

/// A person, and the terminal that draws what arrives.
pub(crate) struct Seat {
    pub(crate) home: ShellHome,
    pub(crate) person: Person,
    terminal: Parser<Asked>,
    n_drawn: usize,
    n_compared: usize,
}

/// What a program asked of the terminal beyond what the parser keeps: modes as they are now, and the rest in its order
/// (kitty's keyboard, queries, titles).
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    modes: BTreeMap<u16, char>,
    rest: Vec<String>,
}

impl Callbacks for Asked {
    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        params: &[&[u16]],
        end: char,
    ) {
        if i1 == Some(b'?') && matches!(end, 'h' | 'l') {
            self.modes.extend(params.iter().map(|mode| (mode[0], end)));
        } else if end != 'm' || i1.is_some() {
            // An attribute that the parser does not know is set as often as its text is drawn.
            let marks: String = [i1, i2].into_iter().flatten().map(char::from).collect();
            self.rest.push(format!("CSI {marks} {params:?} {end}"));
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, params: &[&[u8]]) {
        // Where commands begin and end is what only one of the two says.
        if params.first() != Some(&b"133".as_slice()) {
            self.rest.push(format!("OSC {}", params.join(&b';').escape_ascii()));
        }
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.rest.push(format!("title {}", title.escape_ascii()));
    }
}

impl Twins {
    /// Both sit at a prompt, in homes that were prepared alike. `None`: there is no bash.
    pub(crate) fn sit_down(prepare: impl Fn(&ShellHome)) -> Option<Self> {
        let bash = shell("bash")?;
        let home = || {
            let home = ShellHome::new();
            home.write(".bashrc", START_FILE);
            prepare(&home);
            home
        };
        let (bare, ours) = (home(), home());
        let mut plain = bare.program(&bash, &[]);
        plain.env("SHELL", &bash);
        let chela = ours.chela_shell(&bash, &[]);
        Some(Self::of((bare, plain), (ours, chela)))
    }

    /// Any two programs that end up at the same prompt.
    pub(crate) fn of(bare: (ShellHome, CommandBuilder), ours: (ShellHome, CommandBuilder)) -> Self {
        let mut twins = Self { bare: Seat::new(bare), ours: Seat::new(ours) };
        twins.prompt();
        twins
    }

    pub(crate) fn press(&self, keys: impl AsRef<[u8]>) {
        for seat in [&self.bare, &self.ours] {
            seat.person.types(keys.as_ref());
        }
    }

    /// Types a line, sees it, and presses Enter.
    #[track_caller]
    pub(crate) fn start(&mut self, line: &str) {
        self.press(line);
        let expected = format!("{PROMPT}{line}");
        self.until(&expected, |seat| seat.line_of_cursor().ends_with(&expected));
        self.press("\r");
    }

    /// Starts something that runs until it is killed, and sees that it runs.
    #[track_caller]
    pub(crate) fn start_a_sleep(&mut self) {
        self.start("sh -c 'echo sleeps; exec sleep 1000'");
        self.until("a sleep", |seat| seat.text().ends_with("\nsleeps"));
    }

    /// Starts a line and waits for the prompt after it.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str) {
        self.start(line);
        self.prompt();
    }

    /// Both are at a prompt with nothing behind it, and see the same.
    #[track_caller]
    pub(crate) fn prompt(&mut self) {
        self.until("a prompt", |seat| seat.line_of_cursor().ends_with(PROMPT.trim_end()));
    }

    /// Both see the text, and the same around it.
    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) {
        self.until(text, |seat| seat.text().contains(text));
    }

    /// It holds for both, and they see the same.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Seat) -> bool) {
        self.until_alike(what, holds, Seat::view);
    }

    /// It holds for both, and what `view` makes of their terminals is the same.
    #[track_caller]
    pub(crate) fn until_alike(
        &mut self,
        what: &str,
        holds: impl Fn(&Seat) -> bool,
        view: fn(&Seat) -> String,
    ) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let seats = [&mut self.bare, &mut self.ours];
            let [bare, ours] = seats.map(|seat| {
                seat.look();
                holds(seat).then(|| view(seat))
            });
            if bare.is_some() && bare == ours {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{what} is not what both see\nwithout chela ({}): {}\nwith chela ({}): {}",
                bare.is_some(),
                view(&self.bare),
                ours.is_some(),
                view(&self.ours),
            );
        }
    }

    /// Byte for byte the same has arrived since the last call, but for the marks of commands.
    #[track_caller]
    pub(crate) fn got_the_same_bytes(&mut self) {
        let [bare, ours] = [&mut self.bare, &mut self.ours].map(Seat::news);
        assert!(bare == ours, "without chela {}\nwith chela {}", bare.escape_ascii(), ours.escape_ascii());
        assert!(!bare.is_empty(), "nothing was compared");
    }

    /// What has arrived by now is not compared.
    pub(crate) fn pass_over(&mut self) {
        for seat in [&mut self.bare, &mut self.ours] {
            seat.news();
        }
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        for seat in [&mut self.bare, &mut self.ours] {
            let size = PtySize { rows, cols, pixel_width: cols * 10, pixel_height: rows * 20 };
            seat.person.master.resize(size).unwrap();
            seat.terminal.set_size(cells(rows), cells(cols));
        }
    }

    /// Both leave their shells with 0.
    #[track_caller]
    pub(crate) fn leave(mut self) {
        for seat in [&mut self.bare, &mut self.ours] {
            assert_eq!(seat.person.leaves(), 0);
        }
    }
}

impl Seat {
    fn new((home, command): (ShellHome, CommandBuilder)) -> Self {
        let terminal = Parser::new_with_callbacks(cells(24), cells(100), 0, Asked::default());
        Self { home, person: Person::runs(command), terminal, n_drawn: 0, n_compared: 0 }
    }

    fn look(&mut self) {
        self.person.takes(TURN);
        self.terminal.process(&self.person.seen[self.n_drawn..]);
        self.n_drawn = self.person.seen.len();
    }

    pub(crate) fn screen(&self) -> &Screen {
        self.terminal.screen()
    }

    pub(crate) fn text(&self) -> String {
        self.screen().contents()
    }

    /// Up to the last letter in it.
    pub(crate) fn line_of_cursor(&self) -> String {
        let (row, _) = self.screen().cursor_position();
        let columns = self.screen().size().1.get();
        self.screen().rows(0, columns).nth(row.into()).unwrap().trim_end().to_owned()
    }

    pub(crate) fn is_whole_screen(&self) -> bool {
        self.screen().alternate_screen()
    }

    /// Whether the shell's own terminal, which `tty > tty` has named, shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        let tty = fs::read_to_string(self.home.path().join("tty")).unwrap();
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty = rustix::fs::open(tty.trim_end(), flags, Mode::empty()).unwrap();
        tcgetattr(tty).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Everything that the person sees and that the keyboard does.
    pub(crate) fn view(&self) -> String {
        let screen = self.screen();
        format!(
            "{}\ncursor {:?}, whole screen {}, {:?}\n{}",
            screen.contents(),
            screen.cursor_position(),
            screen.alternate_screen(),
            self.terminal.callbacks(),
            screen.state_formatted().escape_debug(),
        )
    }

    /// As [`Seat::view`], for programs that show numbers which are never the same.
    pub(crate) fn view_without_numbers(&self) -> String {
        let text = self.text().replace(|c: char| c.is_ascii_digit() || c == '.', " ");
        let words: Vec<_> = text.split_whitespace().collect();
        let modes = self.screen().input_mode_formatted();
        let (whole, hidden) = (self.is_whole_screen(), self.screen().hide_cursor());
        format!(
            "{}\nwhole {whole}, no cursor {hidden}, {modes:?}, {:?}",
            words.join(" "),
            self.terminal.callbacks()
        )
    }

    /// What arrived since the last call and was drawn, without marks.
    fn news(&mut self) -> Vec<u8> {
        let news = without_marks(&self.person.seen[self.n_compared..self.n_drawn]);
        self.n_compared = self.n_drawn;
        news
    }
}

fn without_marks(bytes: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"\x1b]133;";
    let mut kept = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if rest.starts_with(MARK) {
            let end = rest.iter().position(|&byte| byte == 0x07).expect("a mark ends");
            rest = &rest[end + 1..];
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}
