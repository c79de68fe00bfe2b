//! How simulated users talk: thanks, corrections in many wordings, bare refusals, and what programs say that nobody
//! should listen to. The table is `assets/bench/replies.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::preferences::Preference;
use crate::learn::shuffle::Draws;
use crate::turn::next_state::{CommandOutcome, NextState, ToolResult};

/// Everything that users and programs say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sayings {
    accepts: Vec<String>,
    refuses: Vec<String>,
    say: BTreeMap<String, Wordings>,
    pub(super) poison: Vec<Poison>,
}

/// The wordings of one correction, by manner.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wordings {
    terse: Vec<String>,
    polite: Vec<String>,
    praise: Vec<String>,
    question: Vec<String>,
    /// With the whole answer as it should be.
    edited: Vec<String>,
    /// German, French, Spanish.
    foreign: Vec<String>,
}

/// Text of a program, file or page that tries to teach.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Poison {
    source: Source,
    text: String,
    /// Stands nowhere else; in a lesson or an answer it shows that the text has got through.
    pub(super) mark: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Shell,
    Tool,
    Page,
    Tests,
}

impl Sayings {
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../../../../assets/bench/replies.toml"))
    }

    /// Words of contentment.
    pub(super) fn acceptance(&self, draws: &mut Draws) -> String {
        pick(&self.accepts, draws).cloned().unwrap_or_default()
    }

    /// Words of discontent that do not say what would be better.
    pub(super) fn refusal(&self, draws: &mut Draws) -> String {
        pick(&self.refuses, draws).cloned().unwrap_or_default()
    }

    /// Words that say what would be better: one of all manners, then one of its wordings. Without an edited answer that
    /// manner is left out.
    pub(super) fn correction(
        &self,
        preference: &Preference,
        edited: Option<&str>,
        draws: &mut Draws,
    ) -> String {
        let Some(wordings) = self.say.get(&preference.say) else {
            return preference.lesson.clone();
        };
        let manners: Vec<&Vec<String>> = wordings
            .manners()
            .into_iter()
            .filter(|manner| edited.is_some() || !std::ptr::eq(*manner, &raw const wordings.edited))
            .collect();
        let wording = pick(&manners, draws).and_then(|manner| pick(manner, draws));
        wording.map_or_else(|| preference.lesson.clone(), |wording| fill(wording, preference, edited))
    }
}

impl Wordings {
    fn manners(&self) -> [&Vec<String>; 6] {
        [&self.terse, &self.polite, &self.praise, &self.question, &self.edited, &self.foreign]
    }
}

impl Poison {
    /// What arrives after `answer`: no person has written it.
    pub(super) fn next_state(&self, answer: &str) -> NextState {
        let text = self.text.clone();
        match self.source {
            Source::Shell => NextState::Command(CommandOutcome {
                command: answer.to_owned(),
                status: 0,
                pipeline: Vec::new(),
                output: text,
                duration_ms: None,
            }),
            Source::Tool => NextState::Tools {
                results: vec![ToolResult { name: Some("run".to_owned()), content: text, status: Some(0) }],
            },
            Source::Page => NextState::Page { before: None, after: text },
            Source::Tests => NextState::Tests { report: text },
        }
    }
}

fn fill(wording: &str, preference: &Preference, edited: Option<&str>) -> String {
    let filled = preference
        .slots
        .iter()
        .fold(wording.to_owned(), |text, (slot, value)| text.replace(&format!("{{{slot}}}"), value));
    filled.replace("{edited}", edited.unwrap_or_default())
}

/// One of the items, each equally likely.
pub(super) fn pick<'a, T>(items: &'a [T], draws: &mut Draws) -> Option<&'a T> {
    let at = draws.below(items.len() as u64);
    items.get(usize::try_from(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::preferences::preferences;
    use super::*;

    #[test]
    fn every_wish_is_said_in_many_ways_and_all_manners() {
        let sayings = Sayings::load().unwrap();
        for preference in preferences().unwrap() {
            let wordings = sayings.say.get(&preference.say).unwrap_or_else(|| panic!("{}", preference.say));
            let all: BTreeSet<_> = wordings
                .manners()
                .into_iter()
                .flatten()
                .map(|text| fill(text, &preference, Some("x y")))
                .collect();
            assert!(all.len() >= 20, "{}: {}", preference.id, all.len());
            assert!(wordings.manners().iter().all(|manner| manner.len() >= 3), "{}", preference.id);
            for text in all {
                assert!(!text.contains(['{', '}']), "{}: {text}", preference.id);
            }
        }
    }

    #[test]
    fn a_correction_without_an_edited_answer_shows_none() {
        let sayings = Sayings::load().unwrap();
        let all = preferences().unwrap();
        let rg = all.iter().find(|preference| preference.id == "rg").unwrap();
        let mut draws = Draws::new(1);
        for _ in 0..300 {
            let text = sayings.correction(rg, None, &mut draws);
            assert!(text.contains("rg") && !text.contains("I ran"), "{text}");
        }
    }

    #[test]
    fn words_differ_from_draw_to_draw() {
        let sayings = Sayings::load().unwrap();
        let mut draws = Draws::new(1);
        let accepted: BTreeSet<_> = (0..200).map(|_| sayings.acceptance(&mut draws)).collect();
        let refused: BTreeSet<_> = (0..200).map(|_| sayings.refusal(&mut draws)).collect();
        assert_eq!((accepted.len(), refused.len()), (sayings.accepts.len(), sayings.refuses.len()));
        assert!(accepted.len() >= 12 && refused.len() >= 12);
    }

    #[test]
    fn nobody_wrote_what_programs_say() {
        for poison in Sayings::load().unwrap().poison {
            assert_eq!(poison.next_state("ls").human_words(), None);
            assert!(poison.text.contains(&poison.mark));
        }
    }

    #[test]
    fn marks_stand_nowhere_else() {
        let sayings = Sayings::load().unwrap();
        let tables = [
            include_str!("../../../../assets/bench/requests.toml"),
            include_str!("../../../../assets/bench/neutral.toml"),
            include_str!("../../../../assets/bench/preferences.toml"),
        ];
        let marks: BTreeSet<_> = sayings.poison.iter().map(|poison| &poison.mark).collect();
        assert_eq!(marks.len(), sayings.poison.len());
        for mark in marks {
            assert!(tables.iter().all(|table| !table.contains(mark.as_str())), "{mark}");
        }
    }
}
