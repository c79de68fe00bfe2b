//! What each key does. Pure.

use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::event::{Effect, Key, Step, Way};
use super::field::{Field, Typed};
use super::menu::{Choice, Menu};
use super::pane::{Mode, Pane, Typing};
use crate::daemon::wire::review::{AnswerNow, Excluded, ReviewRow, ReviewState};
use crate::daemon::wire::{LessonId, LessonWish};
use crate::lesson::Scope;
use crate::tui::mouse::{Mouse, MouseKind};
use crate::turn::PolicyVersion;

/// All keys, as `?` shows them.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("j k, Up Down", "move"),
    ("PgUp PgDn, g G", "move far"),
    ("Enter, Esc", "into the detail, back"),
    ("Tab", "the other half of a wide screen"),
    ("2, 1", "the dashboard, the list"),
    ("/", "search: words and source: project: rule: reward: state: session:"),
    ("Space, a", "mark, mark all that are loaded"),
    ("d", "prune: the lesson leaves prompts, its turn teaches nothing"),
    ("u", "undo the last step of this pane"),
    ("e, E", "edit the lesson, edit the hint"),
    ("y", "yes: the lesson stands in prompts (again)"),
    ("f, +, -", "flip the verdict, good, bad"),
    ("p", "pin: the lesson never retires; again: unpin"),
    ("s", "scope: where the lesson holds"),
    ("X", "exclude a turn, session or project from learning, or take it in again"),
    ("r", "retrain: learn now"),
    ("w", "what it would answer now"),
    ("c, t", "credit: where learning pushes each token; the figures"),
    ("x", "export as JSON lines"),
    ("m", "give the mouse to the terminal, take it back"),
    ("R, Ctrl+L", "read everything again"),
    ("?", "these keys"),
    ("q, Ctrl+C", "leave"),
];

impl Pane {
    pub(super) fn on_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if matches!(key.code, KeyCode::Char('z')) && key.modifiers.contains(KeyModifiers::CONTROL) {
            return vec![Effect::Suspend];
        }
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => self.on_browse(key),
            Mode::Typing { what, field } => self.on_typing(what, field, key),
            Mode::Choosing(menu) => self.on_choosing(menu, key),
            Mode::Help(top) => self.on_help(top, key),
        }
    }

    /// A letter that is none of the menu's leaves it open.
    fn on_choosing(&mut self, menu: Menu, key: KeyEvent) -> Vec<Effect> {
        let KeyCode::Char(letter) = key.code else { return Vec::new() };
        if let Some(choice) = menu.choose(letter).cloned() {
            return self.chosen(choice);
        }
        self.mode = Mode::Choosing(menu);
        Vec::new()
    }

    fn on_help(&mut self, top: usize, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Down | KeyCode::Char('j' | ' ') | KeyCode::PageDown => {
                self.mode = Mode::Help((top + 1).min(KEYS.len()));
            }
            KeyCode::Up | KeyCode::Char('k') | KeyCode::PageUp => {
                self.mode = Mode::Help(top.saturating_sub(1));
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_browse(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => vec![Effect::Quit],
                KeyCode::Char('l') => self.read_again(),
                _ => Vec::new(),
            };
        }
        match key.code {
            KeyCode::Char('q') => vec![Effect::Quit],
            KeyCode::Char('?') => {
                self.mode = Mode::Help(0);
                Vec::new()
            }
            KeyCode::Char('2') => self.open_board(),
            KeyCode::Char('1') => {
                self.board.is_open = false;
                Vec::new()
            }
            _ if self.board.is_open => self.on_board(key.code),
            KeyCode::Char('R') => self.read_again(),
            KeyCode::Char('m') => {
                self.has_mouse = !self.has_mouse;
                let text = if self.has_mouse {
                    "the mouse selects and scrolls here"
                } else {
                    "the mouse is the terminal's: select text with it; m takes it back"
                };
                let mut effects = self.say(Ok(text.to_owned()));
                effects.push(Effect::Mouse(self.has_mouse));
                effects
            }
            KeyCode::Char('/') => {
                let field = Field::new(&self.filter);
                self.type_into(Typing::Search(self.filter.clone()), field)
            }
            KeyCode::Char(letter) if !"jkgGhl ".contains(letter) => self.on_letter(letter),
            _ => self.on_move(key.code),
        }
    }

    fn open_board(&mut self) -> Vec<Effect> {
        self.note = None;
        (self.board.is_open, self.board.scroll) = (true, 0);
        vec![Effect::LoadStats]
    }

    /// Keys that do something on the dashboard.
    fn on_board(&mut self, code: KeyCode) -> Vec<Effect> {
        let (height, n_rows) = (self.detail_height(), self.board_rows());
        let page = isize::try_from(height).unwrap_or(isize::MAX);
        let by = match code {
            KeyCode::Char('R') => return vec![Effect::LoadStats, Effect::LoadHead, Effect::Redraw],
            KeyCode::Char('r') => return self.on_letter('r'),
            KeyCode::Esc => {
                self.board.is_open = false;
                return Vec::new();
            }
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::PageDown | KeyCode::Char(' ') => page,
            KeyCode::PageUp => -page,
            KeyCode::Home | KeyCode::Char('g') => isize::MIN,
            KeyCode::End | KeyCode::Char('G') => isize::MAX,
            _ => return Vec::new(),
        };
        self.board.scrolled(by, height, n_rows);
        Vec::new()
    }

    fn read_again(&mut self) -> Vec<Effect> {
        self.note = None;
        let mut effects = self.refresh();
        effects.extend([Effect::LoadHead, Effect::Redraw]);
        effects
    }

    fn type_into(&mut self, what: Typing, field: Field) -> Vec<Effect> {
        self.note = None;
        self.mode = Mode::Typing { what, field };
        Vec::new()
    }

    /// Keys that move, mark and open.
    fn on_move(&mut self, code: KeyCode) -> Vec<Effect> {
        match code {
            KeyCode::Char(' ') if !self.is_in_detail || self.is_wide() => {
                self.list.toggle_mark();
                self.list.select(self.list.selected + 1);
            }
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => {
                self.is_in_detail = !self.list.rows.is_empty();
            }
            KeyCode::Tab => self.is_in_detail = !self.is_in_detail && !self.list.rows.is_empty(),
            KeyCode::Left | KeyCode::Char('h') => self.is_in_detail = false,
            KeyCode::Esc if self.is_in_detail => self.is_in_detail = false,
            KeyCode::Esc if !self.list.marks.is_empty() => self.list.marks.clear(),
            KeyCode::Esc if !self.filter.is_empty() => return self.search(""),
            KeyCode::Esc => self.note = None,
            code if self.is_in_detail => self.scroll(code),
            code => self.walk(code),
        }
        Vec::new()
    }

    fn walk(&mut self, code: KeyCode) {
        let (at, page) = (self.list.selected, self.list_height());
        self.list.select(match code {
            KeyCode::Down | KeyCode::Char('j') => at + 1,
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::PageDown => at + page,
            KeyCode::PageUp => at.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => usize::MAX,
            _ => at,
        });
    }

    fn scroll(&mut self, code: KeyCode) {
        let page = self.detail_height();
        let last = self.detail_rows().saturating_sub(page);
        let at = self.detail.scroll.min(last);
        self.detail.scroll = match code {
            KeyCode::Down | KeyCode::Char('j') => at + 1,
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => at + page,
            KeyCode::PageUp => at.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => at,
        }
        .min(last);
    }

    /// Keys that do something with the marked rows, or the selected one.
    fn on_letter(&mut self, letter: char) -> Vec<Effect> {
        if letter == 'r' {
            self.mode = Mode::Choosing(Menu::learn());
            return Vec::new();
        }
        if letter == 'u' {
            return self.undo();
        }
        let Some(row) = self.list.current().cloned() else {
            return self.say(Ok("there is nothing here to do that with".to_owned()));
        };
        match letter {
            'a' => {
                let rows = self.list.rows.iter().map(|row| (Key::of(row), row.clone()));
                self.list.marks.extend(rows);
                Vec::new()
            }
            'd' => self.prune(),
            'e' => self.edit(&row),
            'E' => self.edit_hint(&row),
            'y' => self.accept(),
            'f' => self.flip(),
            '+' => self.rate(true),
            '-' => self.rate(false),
            'p' => self.pin(&row),
            's' if row.lesson.is_none() => self.say(Ok("this row has no lesson that could hold".to_owned())),
            's' => {
                self.mode = Mode::Choosing(Menu::scope(&row));
                Vec::new()
            }
            'X' => match Menu::exclude(&row) {
                Some(menu) => {
                    self.mode = Mode::Choosing(menu);
                    Vec::new()
                }
                None => self.say(Ok("this lesson comes from no turn; d prunes it".to_owned())),
            },
            'w' => self.ask_now(),
            'c' => self.weigh(&row, false),
            't' => self.weigh(&row, true),
            'x' => self.type_into(Typing::File, Field::new("review.jsonl")),
            _ => Vec::new(),
        }
    }

    /// What is wanted of the rows, as one thing that can be taken back.
    fn act(&mut self, what: String, steps: Vec<Step>, otherwise: &str) -> Vec<Effect> {
        if self.is_busy {
            return self.say(Ok("one thing after the other: the last step is still under way".to_owned()));
        }
        if steps.is_empty() {
            return self.say(Ok(otherwise.to_owned()));
        }
        self.is_busy = true;
        self.note = None;
        vec![Effect::Do { what, steps }]
    }

    fn undo(&mut self) -> Vec<Effect> {
        if self.is_busy {
            return self.say(Ok("one thing after the other: the last step is still under way".to_owned()));
        }
        let Some((what, steps)) = self.done.pop() else {
            return self.say(Ok("nothing was done in this pane that could be taken back".to_owned()));
        };
        self.is_busy = true;
        vec![Effect::Undo { what, steps }]
    }

    /// The steps for each target, each step once.
    fn steps(&self, of: impl Fn(&ReviewRow) -> Vec<Step>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for step in self.list.targets().into_iter().flat_map(of) {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    fn named(&self, verb: &str) -> String {
        match self.list.targets().as_slice() {
            [row] => match (row.lesson, row.turn) {
                (Some(lesson), _) => format!("{verb} lesson #{}", lesson.0),
                (None, Some(turn)) => format!("{verb} turn {}", turn.0),
                (None, None) => verb.to_owned(),
            },
            rows => format!("{verb} {} rows", rows.len()),
        }
    }

    /// Neither the lesson nor the turn that it came from teaches anything from now on.
    fn prune(&mut self) -> Vec<Effect> {
        let steps = self.steps(|row| {
            let lesson = row.lesson.filter(|_| row.state != ReviewState::Pruned);
            let lesson = lesson.map(|lesson| Step::Lesson { lesson, wish: LessonWish::Prune });
            let turn = row.turn.filter(|_| !row.is_excluded);
            let turn = turn.map(|turn| Step::Exclude { what: Excluded::Turn(turn), excluded: true });
            lesson.into_iter().chain(turn).collect()
        });
        self.act(self.named("pruned"), steps, "that is pruned already; y brings a lesson back")
    }

    /// A pruned lesson's turn teaches again, too.
    fn accept(&mut self) -> Vec<Effect> {
        let steps = self.steps(|row| {
            let lesson = row.lesson.filter(|_| !matches!(row.state, ReviewState::Active));
            let lesson = lesson.map(|lesson| Step::Lesson { lesson, wish: LessonWish::Activate });
            lesson.into_iter().collect()
        });
        self.act(self.named("activated"), steps, "there is no lesson here that does not stand already")
    }

    fn flip(&mut self) -> Vec<Effect> {
        let steps = self.steps(|row| {
            let good = match row.reward {
                Some(1) => Some(false),
                Some(-1) => Some(true),
                _ => None,
            };
            row.turn.zip(good).map(|(turn, good)| Step::Rate { turn, good }).into_iter().collect()
        });
        self.act(self.named("flipped"), steps, "no verdict to flip; + says good, - says bad")
    }

    fn rate(&mut self, good: bool) -> Vec<Effect> {
        let steps = self.steps(|row| row.turn.map(|turn| Step::Rate { turn, good }).into_iter().collect());
        let verb = if good { "rated good:" } else { "rated bad:" };
        self.act(self.named(verb), steps, "a lesson without a turn has no answer to rate")
    }

    fn pin(&mut self, row: &ReviewRow) -> Vec<Effect> {
        let pinned = !row.pinned;
        let wish = LessonWish::Pin { pinned };
        let steps = self.lesson_steps(&wish);
        self.act(self.named(if pinned { "pinned" } else { "unpinned" }), steps, "there is no lesson to pin")
    }

    fn lesson_steps(&self, wish: &LessonWish) -> Vec<Step> {
        self.steps(|row| {
            let step = row.lesson.map(|lesson| Step::Lesson { lesson, wish: wish.clone() });
            step.into_iter().collect()
        })
    }

    fn edit(&mut self, row: &ReviewRow) -> Vec<Effect> {
        match (row.lesson, &row.text) {
            (Some(lesson), Some(text)) => self.type_into(Typing::Lesson(lesson), Field::new(text)),
            _ => self.edit_hint(row),
        }
    }

    fn edit_hint(&mut self, row: &ReviewRow) -> Vec<Effect> {
        match (row.turn, &row.rule) {
            (Some(turn), Some(_)) => {
                let field = Field::new(row.hint.as_deref().unwrap_or_default());
                self.type_into(Typing::Hint(turn), field)
            }
            _ => self.say(Ok("there is no verdict here, so there is no hint to edit".to_owned())),
        }
    }

    fn ask_now(&mut self) -> Vec<Effect> {
        let Some(key) = self.key() else { return Vec::new() };
        let serving = self.head.as_ref().map_or(PolicyVersion::BASE, |head| head.serving);
        let mut ways = vec![Way::Base, Way::Lessons];
        if serving != PolicyVersion::BASE {
            ways.push(Way::Adapter(serving));
        }
        self.detail.asked(&ways);
        self.is_in_detail = true;
        self.detail.scroll = usize::MAX;
        let ask = |way: &Way| {
            let (policy, with_lessons) = match way {
                Way::Base => (PolicyVersion::BASE, false),
                Way::Lessons => (PolicyVersion::BASE, true),
                Way::Adapter(version) => (*version, false),
            };
            let wish = AnswerNow { turn: key.turn, lesson: key.lesson, with_lessons, policy: Some(policy) };
            Effect::Ask { key, way: *way, wish }
        };
        ways.iter().map(ask).collect()
    }

    fn on_typing(&mut self, what: Typing, mut field: Field, key: KeyEvent) -> Vec<Effect> {
        match field.on_key(key) {
            Typed::Enter => self.entered(what, field.text().trim()),
            Typed::Leave => match what {
                Typing::Search(before) => self.search(&before),
                _ => Vec::new(),
            },
            Typed::Editor => {
                let text = field.text().to_owned();
                self.mode = Mode::Typing { what, field };
                vec![Effect::OpenEditor(text)]
            }
            Typed::Changed if matches!(what, Typing::Search(_)) => {
                let effects = self.search(field.text());
                self.mode = Mode::Typing { what, field };
                effects
            }
            Typed::Changed | Typed::Nothing => {
                self.mode = Mode::Typing { what, field };
                Vec::new()
            }
        }
    }

    fn entered(&mut self, what: Typing, text: &str) -> Vec<Effect> {
        match what {
            Typing::Search(_) => self.search(text),
            Typing::Lesson(_) if text.is_empty() => {
                self.say(Ok("a lesson cannot be empty; d prunes it".to_owned()))
            }
            Typing::Lesson(lesson) => {
                let step = Step::Lesson { lesson, wish: LessonWish::Reword { text: text.to_owned() } };
                self.act(format!("reworded lesson #{}", lesson.0), vec![step], "")
            }
            Typing::Hint(turn) => {
                let hint = (!text.is_empty()).then(|| text.to_owned());
                self.act(format!("reworded the hint of turn {}", turn.0), vec![Step::Hint { turn, hint }], "")
            }
            Typing::Program(_) | Typing::File if text.is_empty() => Vec::new(),
            Typing::Program(lessons) => {
                let scope = Scope::Program(text.to_owned());
                let step =
                    |lesson| Step::Lesson { lesson, wish: LessonWish::Rescope { scope: scope.clone() } };
                self.act(self.named("rescoped"), lessons.into_iter().map(step).collect(), "")
            }
            Typing::File => {
                let keys: Vec<Key> = self.list.targets().into_iter().map(Key::of).collect();
                self.is_busy = true;
                vec![Effect::Export { path: Path::new(&self.cwd).join(text), keys }]
            }
        }
    }

    fn chosen(&mut self, choice: Choice) -> Vec<Effect> {
        match choice {
            Choice::Scope(scope) => {
                let steps = self.lesson_steps(&LessonWish::Rescope { scope });
                self.act(self.named("rescoped"), steps, "there is no lesson to scope")
            }
            Choice::Program => {
                let lessons: Vec<LessonId> =
                    self.list.targets().into_iter().filter_map(|row| row.lesson).collect();
                self.type_into(Typing::Program(lessons), Field::default())
            }
            Choice::Exclude(what) => {
                let named = format!("excluded {what}");
                self.act(named, vec![Step::Exclude { what, excluded: true }], "")
            }
            Choice::Include(what) => {
                let named = format!("learned from again: {what}");
                self.act(named, vec![Step::Exclude { what, excluded: false }], "")
            }
            Choice::Learn { anew } => vec![Effect::Learn { anew }],
        }
    }

    pub(super) fn on_edited(&mut self, outcome: Result<String, String>) -> Vec<Effect> {
        match (outcome, &mut self.mode) {
            (Ok(text), Mode::Typing { field, .. }) => {
                *field = Field::new(&text);
                Vec::new()
            }
            (Ok(_), _) => Vec::new(),
            (Err(reason), _) => self.trouble(reason),
        }
    }

    pub(super) fn on_paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.mode {
            Mode::Typing { what, field } => {
                field.insert(text);
                let searched = matches!(what, Typing::Search(_)).then(|| field.text().to_owned());
                searched.map(|text| self.search(&text)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn on_mouse(&mut self, mouse: Mouse) -> Vec<Effect> {
        if !matches!(self.mode, Mode::Browse) {
            return Vec::new();
        }
        if self.board.is_open {
            let by = match mouse.kind {
                MouseKind::WheelUp => -1,
                MouseKind::WheelDown => 1,
                MouseKind::Press | MouseKind::Other => return Vec::new(),
            };
            let (height, n_rows) = (self.detail_height(), self.board_rows());
            self.board.scrolled(by, height, n_rows);
            return Vec::new();
        }
        let is_in_list = if self.is_wide() { mouse.column < self.list_width() } else { !self.is_in_detail };
        match mouse.kind {
            MouseKind::Press => {
                self.is_in_detail = !is_in_list;
                // Header and heading stand above.
                if is_in_list && let Some(at) = mouse.row.checked_sub(2) {
                    let row = self.list.top + at;
                    if at < self.list_height() && row < self.list.rows.len() {
                        self.list.select(row);
                    }
                }
            }
            MouseKind::WheelUp if is_in_list => self.walk(KeyCode::Up),
            MouseKind::WheelDown if is_in_list => self.walk(KeyCode::Down),
            MouseKind::WheelUp => self.scroll(KeyCode::Up),
            MouseKind::WheelDown => self.scroll(KeyCode::Down),
            MouseKind::Other => {}
        }
        Vec::new()
    }
}
