//! A list to choose from: search as you type, or by number in plain mode. Pure.

use super::commands::fuzzy;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picker {
    pub title: &'static str,
    pub choice: Choice,
    pub items: Vec<Item>,
    pub filter: String,
    /// Index among the items that match.
    pub selected: usize,
    /// Its items were printed (plain mode).
    pub is_printed: bool,
}

/// What a choice means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Session,
    Model,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// What is chosen: a session's id, a model's name.
    pub value: String,
    pub label: String,
    pub detail: String,
}

impl Picker {
    pub(crate) fn new(title: &'static str, choice: Choice, items: Vec<Item>) -> Self {
        Self { title, choice, items, filter: String::new(), selected: 0, is_printed: false }
    }

    /// Every word of the filter is somewhere in the item; when that finds nothing, its letters in order.
    pub(crate) fn matching(&self) -> Vec<&Item> {
        let has = |item: &&Item, word: &str| {
            format!("{} {}", item.label, item.detail).to_lowercase().contains(word)
        };
        let filter = self.filter.to_lowercase();
        let by_words: Vec<&Item> =
            self.items.iter().filter(|item| filter.split_whitespace().all(|word| has(item, word))).collect();
        if !by_words.is_empty() {
            return by_words;
        }
        self.items.iter().filter(|item| fuzzy(&item.label, &filter).is_some()).collect()
    }

    pub(crate) fn chosen(&self) -> Option<&Item> {
        self.matching().get(self.selected).copied()
    }

    pub(crate) fn up(&mut self) {
        self.selected = self.selected.saturating_sub(1);
    }

    pub(crate) fn down(&mut self) {
        self.selected = (self.selected + 1).min(self.matching().len().saturating_sub(1));
    }

    pub(crate) fn type_letter(&mut self, letter: char) {
        self.filter.push(letter);
        self.selected = 0;
    }

    pub(crate) fn erase_letter(&mut self) {
        self.filter.pop();
        self.selected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_narrows_the_list_and_starts_at_the_top() {
        let item = |label: &str| Item { value: label.into(), label: label.into(), detail: "2 turns".into() };
        let mut picker =
            Picker::new("t", Choice::Session, vec![item("find large files"), item("git rebase")]);
        picker.down();
        assert_eq!(picker.chosen().unwrap().value, "git rebase");
        "turns LARGE".chars().for_each(|c| picker.type_letter(c));
        assert_eq!(picker.chosen().unwrap().value, "find large files");
        picker.filter = "gtrb".into();
        assert_eq!(picker.chosen().unwrap().value, "git rebase");
        picker.filter = "zzz".into();
        assert_eq!(picker.chosen(), None);
    }
}
