//! What each key means, by what is open: pager, picker, history search, palette, composer. Pure.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::event::Effect;
use super::{App, Overlay, Running, Search};
use crate::tui::commands;
use crate::tui::input::Pasted;

/// A key whose second press means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Armed {
    Quit,
    EditPrevious,
    CtrlX,
}

const ARMED_FOR: Duration = Duration::from_millis(1500);
/// An entry of the history up to this long is shown as it is.
const SHOWN_BYTES: usize = 16 * 1024;

impl App {
    pub(super) fn on_key(&mut self, key: KeyEvent) {
        let armed = self.armed.take().map(|(armed, _)| armed);
        if self.pager.is_some() {
            self.on_pager_key(key);
        } else if let Overlay::Picker(_) = self.overlay {
            self.on_picker_key(key);
        } else if self.search.is_some() {
            self.on_search_key(key);
        } else {
            self.overlay = Overlay::None;
            let before = self.composer.text().to_owned();
            if !self.on_palette_key(key) {
                self.on_composer_key(key, armed);
            }
            if self.composer.text() != before {
                self.palette = super::Palette::default();
            }
        }
    }

    pub(super) fn on_paste(&mut self, pasted: Pasted) {
        self.pasting = None;
        let letters = || pasted.text.chars().take(200).filter(|c| !c.is_control());
        if let Overlay::Picker(picker) = &mut self.overlay {
            for letter in letters() {
                picker.type_letter(letter);
            }
        } else if let Some(search) = &mut self.search {
            search.query.extend(letters());
        } else {
            self.composer.paste(pasted);
        }
    }

    fn arm(&mut self, armed: Armed) {
        self.armed = Some((armed, self.now + ARMED_FOR));
    }

    fn on_composer_key(&mut self, key: KeyEvent, armed: Option<Armed>) {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('e') if ctrl && armed == Some(Armed::CtrlX) => self.open_editor(),
            KeyCode::Char(c) if ctrl => self.on_control_key(c, armed),
            KeyCode::Char(c) if alt => self.on_alt_key(c),
            KeyCode::Char('?') if self.composer.is_empty() => self.overlay = Overlay::Keys,
            KeyCode::Char(c) => self.composer.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Enter
                if key
                    .modifiers
                    .intersects(KeyModifiers::SHIFT | KeyModifiers::ALT | KeyModifiers::CONTROL) =>
            {
                self.composer.insert("\n");
            }
            KeyCode::Enter => self.on_enter(),
            KeyCode::Backspace if alt || ctrl => self.composer.kill_word_back(),
            KeyCode::Backspace => self.composer.backspace(),
            KeyCode::Delete => self.composer.delete(),
            KeyCode::Left if ctrl || alt => self.composer.word_left(),
            KeyCode::Right if ctrl || alt => self.composer.word_right(),
            KeyCode::Left => self.composer.left(),
            KeyCode::Right => self.composer.right(),
            KeyCode::Home => self.composer.line_start(),
            KeyCode::End => self.composer.line_end(),
            KeyCode::Up => self.on_up(),
            KeyCode::Down => self.on_down(),
            KeyCode::Esc => self.on_escape(armed),
            _ => {}
        }
    }

    fn on_control_key(&mut self, c: char, armed: Option<Armed>) {
        match c {
            'a' => self.composer.line_start(),
            'b' => self.composer.left(),
            'c' => self.on_cancel(armed),
            'd' if self.composer.is_empty() => self.quit(),
            'd' => self.composer.delete(),
            'e' => self.composer.line_end(),
            'f' => self.composer.right(),
            'g' => self.open_editor(),
            'h' => self.composer.backspace(),
            'j' => self.composer.insert("\n"),
            'k' => self.composer.kill_to_end(),
            'l' => self.effect(Effect::ClearScreen),
            'n' => self.on_down(),
            'o' | 't' => self.open_transcript(),
            'p' => self.on_up(),
            'r' => self.begin_search(),
            'u' => self.composer.kill_to_start(),
            'w' => self.composer.kill_word_back(),
            'x' => self.arm(Armed::CtrlX),
            'y' => self.composer.yank(),
            'z' => self.effect(Effect::Suspend),
            _ => {}
        }
    }

    fn on_alt_key(&mut self, c: char) {
        match c {
            'b' => self.composer.word_left(),
            'f' => self.composer.word_right(),
            'd' => self.composer.kill_word(),
            _ => {}
        }
    }

    fn open_editor(&mut self) {
        let text = self.composer.draft().expanded();
        self.effect(Effect::OpenEditor(text));
    }

    fn on_enter(&mut self) {
        let is_at_end = self.composer.cursor() == self.composer.text().len();
        if is_at_end && self.composer.text().ends_with('\\') {
            self.composer.backspace();
            self.composer.insert("\n");
        } else {
            self.submit();
        }
    }

    fn on_escape(&mut self, armed: Option<Armed>) {
        if !matches!(self.running, Running::Nothing) {
            self.interrupt();
        } else if self.thread.branch.take().is_some() {
            let draft = self.composer.take();
            // Up brings it back.
            self.history.record(&draft.expanded());
        } else if !self.composer.is_empty() {
            // What is being written is not thrown away by a stray Esc.
        } else if armed == Some(Armed::EditPrevious) {
            self.edit_previous();
        } else {
            self.arm(Armed::EditPrevious);
        }
    }

    /// Ctrl+C: the nearest thing that can be cancelled; twice on nothing quits.
    fn on_cancel(&mut self, armed: Option<Armed>) {
        if !matches!(self.running, Running::Nothing | Running::Call(_)) {
            self.interrupt();
        } else if !self.composer.is_empty() {
            self.thread.branch = None;
            let draft = self.composer.take();
            // Up brings it back.
            self.history.record(&draft.expanded());
        } else if armed == Some(Armed::Quit) {
            self.quit();
        } else {
            self.arm(Armed::Quit);
        }
    }

    fn on_up(&mut self) {
        if !self.history.is_walking()
            && self.composer.is_empty()
            && let Some(last) = self.queue.pop_back()
        {
            self.composer.set(last);
            return;
        }
        if self.composer.up(self.composer_columns()) {
            return;
        }
        if !self.history.is_walking() && !self.composer.draft().is_blank() {
            let written = self.composer.draft().expanded();
            self.history.park(&written);
        }
        if let Some(entry) = self.history.older().map(str::to_owned) {
            self.composer.set_text(&entry, SHOWN_BYTES);
        }
    }

    fn on_down(&mut self) {
        if self.composer.down(self.composer_columns()) {
            return;
        }
        if let Some(entry) = self.history.newer() {
            let text = entry.to_owned();
            self.composer.set_text(&text, SHOWN_BYTES);
        }
    }

    /// The palette is open while a `/` word is being typed. True: the key was for it.
    fn on_palette_key(&mut self, key: KeyEvent) -> bool {
        let n_entries = self.palette_entries().len();
        if n_entries == 0 {
            return false;
        }
        let selected = self.palette.selected.min(n_entries - 1);
        match key.code {
            KeyCode::Up => self.palette.selected = selected.saturating_sub(1),
            KeyCode::Down => self.palette.selected = (selected + 1).min(n_entries - 1),
            KeyCode::Esc => self.palette.is_closed = true,
            KeyCode::Tab => self.complete(selected),
            KeyCode::Enter if key.modifiers.is_empty() => {
                self.complete(selected);
                self.submit();
            }
            _ => return false,
        }
        true
    }

    fn complete(&mut self, selected: usize) {
        let Some(entry) = self.palette_entries().get(selected).copied() else { return };
        self.composer.take();
        let gap = if entry.argument.is_empty() { "" } else { " " };
        self.composer.insert(&format!("/{}{gap}", entry.name));
    }

    pub(crate) fn palette_entries(&self) -> Vec<&'static commands::Entry> {
        match self.composer.text().strip_prefix('/') {
            Some(typed) if !self.palette.is_closed && !typed.contains(char::is_whitespace) => {
                commands::matching(typed)
            }
            _ => Vec::new(),
        }
    }

    fn on_picker_key(&mut self, key: KeyEvent) {
        let Overlay::Picker(picker) = &mut self.overlay else { return };
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => self.overlay = Overlay::None,
            KeyCode::Char('c' | 'd' | 'g') if ctrl => self.overlay = Overlay::None,
            KeyCode::Up => picker.up(),
            KeyCode::Down => picker.down(),
            KeyCode::Char('p') if ctrl => picker.up(),
            KeyCode::Char('n') if ctrl => picker.down(),
            KeyCode::Char('u') if ctrl => picker.filter.clear(),
            KeyCode::Backspace => picker.erase_letter(),
            KeyCode::Enter => {
                if let Some(item) = picker.chosen().cloned() {
                    let choice = picker.choice;
                    self.choose(choice, item.value);
                }
            }
            KeyCode::Char(c) if !ctrl => picker.type_letter(c),
            _ => {}
        }
    }

    fn on_search_key(&mut self, key: KeyEvent) {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let Some(search) = &mut self.search else { return };
        match key.code {
            KeyCode::Char('r') if ctrl => search.skip += 1,
            KeyCode::Char('s') if ctrl => search.skip = search.skip.saturating_sub(1),
            KeyCode::Char('c' | 'g') if ctrl => return self.end_search(false),
            KeyCode::Esc => return self.end_search(false),
            KeyCode::Backspace => {
                search.query.pop();
                search.skip = 0;
            }
            KeyCode::Char(c) if !ctrl => {
                search.query.push(c);
                search.skip = 0;
            }
            KeyCode::Enter => return self.end_search(true),
            _ => {
                self.end_search(true);
                return self.on_composer_key(key, None);
            }
        }
        let (query, skip) = (search.query.clone(), search.skip);
        if let Some(found) = self.history.find(&query, skip).map(str::to_owned) {
            self.composer.set_text(&found, SHOWN_BYTES);
        } else if let Some(search) = &mut self.search {
            search.skip = search.skip.saturating_sub(1);
        }
    }

    fn begin_search(&mut self) {
        self.search = Some(Search { query: String::new(), skip: 0, before: self.composer.draft().clone() });
    }

    /// Keeps what was found, or what stood there before.
    fn end_search(&mut self, keeps: bool) {
        if let Some(search) = self.search.take()
            && !keeps
        {
            self.composer.set(search.before);
        }
    }

    fn on_pager_key(&mut self, key: KeyEvent) {
        let size = self.size;
        let Some(pager) = &mut self.pager else { return };
        if !pager.on_key(key, size) {
            self.pager = None;
        }
    }
}
