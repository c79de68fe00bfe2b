//! Small choices by one letter: where a lesson holds, what is excluded, how to learn again. Pure.

use crate::daemon::wire::review::{Excluded, ReviewRow};
use crate::lesson::Scope;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Menu {
    pub(super) title: &'static str,
    pub(super) items: Vec<(char, String, Choice)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    Scope(Scope),
    /// A program that is still to be named.
    Program,
    Exclude(Excluded),
    /// Takes an exclusion back.
    Include(Excluded),
    Learn {
        anew: bool,
    },
}

impl Menu {
    pub(super) fn choose(&self, letter: char) -> Option<&Choice> {
        self.items.iter().find(|(key, ..)| *key == letter).map(|(.., choice)| choice)
    }

    /// Of a row with a lesson.
    pub(super) fn scope(row: &ReviewRow) -> Self {
        let mut items = vec![('g', "everywhere".to_owned(), Choice::Scope(Scope::Global))];
        if let Some(folder) = &row.folder {
            let choice = Choice::Scope(Scope::Project(folder.clone()));
            items.push(('p', format!("in {folder} and below"), choice));
        }
        items.push(('m', "for a program …".to_owned(), Choice::Program));
        if let Some(session) = &row.session {
            let choice = Choice::Scope(Scope::Session(session.0.clone()));
            items.push(('s', "in this session only".to_owned(), choice));
        }
        Self { title: "the lesson holds", items }
    }

    /// `None`: the row is a lesson without a turn.
    pub(super) fn exclude(row: &ReviewRow) -> Option<Self> {
        let (turn, session) = (row.turn?, row.session.clone()?);
        let (verb, choice): (&str, fn(Excluded) -> Choice) =
            if row.is_excluded { ("back: ", Choice::Include) } else { ("", Choice::Exclude) };
        let mut items = vec![
            ('t', format!("{verb}turn {}", turn.0), choice(Excluded::Turn(turn))),
            ('s', format!("{verb}its session {}", session.0), choice(Excluded::Session(session))),
        ];
        if let Some(folder) = &row.folder {
            let label = format!("{verb}all of {folder}");
            items.push(('p', label, choice(Excluded::Project(folder.clone()))));
        }
        let title = if row.is_excluded { "learn again from" } else { "learn nothing more from" };
        Some(Self { title, items })
    }

    pub(super) fn learn() -> Self {
        let items = vec![
            ('n', "what is new".to_owned(), Choice::Learn { anew: false }),
            (
                'a',
                "all anew from the base: the weights lose what was taken back".to_owned(),
                Choice::Learn { anew: true },
            ),
        ];
        Self { title: "learn now", items }
    }
}
