//! What goes with a lesson or a turn: lessons that rest on nothing else, versions that were taught any of it, and what
//! stays and should be known. Reads only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Note;
use crate::daemon::error::ApiError;
use crate::daemon::learner;
use crate::daemon::state::Daemon;
use crate::daemon::wire::forgetting::{Forget, ForgottenTurn};
use crate::lesson::{Lesson, LessonId, Origin, State};
use crate::store::{Reader, SampleRow, StoreError, TurnRow, TurnStory};
use crate::turn::{Message, PolicyVersion, Role, TurnId};

/// Prompts that are asked before and after; and of these how many for one lesson that no turn taught.
const PROMPTS: usize = 4;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Going {
    pub(super) lessons: Vec<Lesson>,
    rows: Vec<TurnRow>,
    pub(super) versions: Vec<PolicyVersion>,
    /// Other lessons that the weights of those versions hold.
    pub(super) held: Vec<LessonId>,
    /// Versions that served and were not taught any of it, oldest first.
    sound: Vec<PolicyVersion>,
    pub(super) said_in: Vec<TurnId>,
    pub(super) notes: Vec<String>,
}

impl Going {
    pub(super) async fn find(daemon: &Daemon, wish: &Forget) -> Result<Self, ApiError> {
        let parents = daemon.policies.parents().await?;
        let wish = wish.clone();
        let mut going = daemon.ledger.ask(move |reader| read(reader, &wish, parents)).await?;
        for copy in beside(&daemon.paths.ledger(), |rest| rest.starts_with(".corrupt-")) {
            let copy = copy.display();
            going
                .notes
                .push(format!("{copy} is an unreadable ledger and may still hold it; remove it yourself"));
        }
        Ok(going)
    }

    pub(super) fn note(&self) -> Note {
        Note {
            lessons: self.lessons.iter().map(|lesson| lesson.id).collect(),
            turns: self.rows.iter().map(|row| row.id).collect(),
            versions: self.versions.clone(),
        }
    }

    pub(super) fn turns(&self) -> Vec<ForgottenTurn> {
        let said = |row: &TurnRow| ForgottenTurn { turn: row.id, request: last_said(row).to_owned() };
        self.rows.iter().map(said).collect()
    }

    /// What people may have typed of it.
    pub(super) fn texts(&self) -> Vec<String> {
        let lessons = self.lessons.iter().map(|lesson| lesson.text.clone());
        let said =
            self.rows.iter().flat_map(|row| &row.messages).filter(|message| message.role == Role::User);
        let texts = lessons.chain(said.map(|message| message.content.clone()));
        texts.filter(|text| !text.trim().is_empty()).collect()
    }

    /// What would serve where `served` does.
    pub(super) fn serves_instead(&self, served: PolicyVersion) -> PolicyVersion {
        if !self.versions.contains(&served) {
            return served;
        }
        let below = self.sound.iter().filter(|version| **version < served);
        below.max().copied().unwrap_or(PolicyVersion::BASE)
    }

    /// The requests that it was about: those of its turns, and what a round would ask about a lesson without any.
    pub(super) async fn prompts(&self, daemon: &Arc<Daemon>) -> Result<Vec<Vec<Message>>, ApiError> {
        let of_lessons = self.lessons.iter().flat_map(|lesson| &lesson.sources);
        let turns: BTreeSet<TurnId> = of_lessons.copied().chain(self.rows.iter().map(|row| row.id)).collect();
        let mut prompts = Vec::new();
        for turn in turns.into_iter().take(PROMPTS) {
            let thread = daemon.ledger.thread_to(turn).await?;
            prompts.push(conversation(&thread));
        }
        let lessons: Vec<LessonId> = self.lessons.iter().map(|lesson| lesson.id).collect();
        let room = PROMPTS.saturating_sub(prompts.len()).max(1);
        let about = learner::requests_about(daemon, &lessons, room).await?;
        prompts.extend(about.into_iter().take(room));
        Ok(prompts)
    }
}

/// Messages up to the last turn's answer, which is left out.
pub(in crate::daemon) fn conversation(thread: &[TurnRow]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (at, turn) in thread.iter().enumerate() {
        messages.extend(turn.messages.iter().cloned());
        if at + 1 < thread.len() && !turn.is_forgotten() {
            messages.push(Message::new(Role::Assistant, &turn.response));
        }
    }
    messages
}

fn last_said(row: &TurnRow) -> &str {
    let said = row.messages.iter().rfind(|message| message.role == Role::User);
    said.map_or("", |message| &message.content)
}

fn read(
    reader: &mut Reader,
    wish: &Forget,
    shelf: Vec<(PolicyVersion, PolicyVersion)>,
) -> Result<Going, StoreError> {
    let stories = stories(reader, &wish.turns)?;
    let ids = lessons(reader, wish, &stories)?;
    let (mut lessons, mut taught) = (Vec::new(), BTreeSet::new());
    for id in &ids {
        let story = reader.lesson(*id)?;
        taught.extend(story.learned_in.iter().copied());
        taught.extend(candidates(&reader.samples_of_lesson(*id)?));
        lessons.push(story.lesson);
    }
    taught.extend(stories.iter().flat_map(|story| candidates(&story.samples)));
    let runs = reader.runs(usize::MAX)?;
    let made = runs.iter().filter_map(|run| run.candidate.map(|version| (version, run.parent)));
    let versions = with_descendants(taught, &made.chain(shelf).collect::<Vec<_>>());
    let in_force = reader.lessons_in_force()?;
    let held = in_force.iter().filter(|lesson| {
        matches!(lesson.state, State::Learned(version) if versions.contains(&version))
            && !ids.contains(&lesson.id)
    });
    let sound = reader.serving()?.into_iter().map(|row| row.version).filter(|one| !versions.contains(one));
    let sources: BTreeSet<TurnId> =
        lessons.iter().flat_map(|lesson| lesson.sources.iter().copied()).collect();
    Ok(Going {
        held: held.map(|lesson| lesson.id).collect(),
        sound: sound.collect(),
        said_in: sources.into_iter().filter(|turn| !wish.turns.contains(turn)).collect(),
        rows: stories.into_iter().map(|story| story.turn).collect(),
        versions: versions.into_iter().collect(),
        lessons,
        notes: Vec::new(),
    })
}

/// Of turns that are still there, each once, oldest first.
fn stories(reader: &mut Reader, turns: &[TurnId]) -> Result<Vec<TurnStory>, StoreError> {
    let turns: BTreeSet<TurnId> = turns.iter().copied().collect();
    let mut stories = Vec::new();
    for turn in turns {
        let story = reader.turn_story(turn)?;
        match (story.turn.is_forgotten(), story.turn.ending) {
            (true, _) => return Err(StoreError::NoTurn(turn.0)),
            (false, None) => return Err(StoreError::TurnRunning(turn.0)),
            (false, Some(_)) => stories.push(story),
        }
    }
    Ok(stories)
}

/// The lessons that were named, and those that rest on nothing but the turns: drawn from them, or from what their
/// messages said about the turn before.
fn lessons(
    reader: &mut Reader,
    wish: &Forget,
    stories: &[TurnStory],
) -> Result<BTreeSet<LessonId>, StoreError> {
    let mut found: BTreeSet<LessonId> = wish.lessons.iter().copied().collect();
    let turns: BTreeSet<TurnId> = stories.iter().map(|story| story.turn.id).collect();
    let mut corrected: BTreeSet<TurnId> = turns.clone();
    let mut drawn: Vec<Lesson> = stories.iter().flat_map(|story| story.drawn.iter().cloned()).collect();
    for story in stories {
        let Some(parent) = story.turn.parent.filter(|parent| !turns.contains(parent)) else { continue };
        let before = reader.turn_story(parent)?;
        if before.next_states.iter().any(|row| row.state.is_said_in(&story.turn.messages)) {
            corrected.insert(parent);
            drawn.extend(before.drawn);
        }
    }
    let rests_on = |lesson: &Lesson, turns: &BTreeSet<TurnId>| {
        !lesson.sources.is_empty() && lesson.sources.iter().all(|turn| turns.contains(turn))
    };
    let goes = |lesson: &&Lesson| {
        rests_on(lesson, &turns) || (lesson.origin != Origin::Taught && rests_on(lesson, &corrected))
    };
    found.extend(drawn.iter().filter(goes).map(|lesson| lesson.id));
    Ok(found)
}

fn candidates(samples: &[SampleRow]) -> impl Iterator<Item = PolicyVersion> + '_ {
    samples.iter().filter_map(|row| row.candidate)
}

/// The versions, and all that were built on them. `made`: versions with what each was made from.
fn with_descendants(
    versions: BTreeSet<PolicyVersion>,
    made: &[(PolicyVersion, PolicyVersion)],
) -> BTreeSet<PolicyVersion> {
    let mut all = versions;
    loop {
        let found = made.iter().filter(|(version, parent)| all.contains(parent) && !all.contains(version));
        let found: Vec<PolicyVersion> = found.map(|(version, _)| *version).collect();
        if found.is_empty() {
            return all;
        }
        all.extend(found);
    }
}

/// Files in the same folder whose names begin with this one's, and go on as `is_meant` says.
pub(super) fn beside(path: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Some((folder, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            entry.file_name().to_str().and_then(|one| one.strip_prefix(name)).is_some_and(&is_meant)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(taught: &[u32], made: &[(u32, u32)], expected: &[u32]) {
        let versions = |numbers: &[u32]| numbers.iter().copied().map(PolicyVersion).collect::<BTreeSet<_>>();
        let made: Vec<_> =
            made.iter().map(|(version, parent)| (PolicyVersion(*version), PolicyVersion(*parent))).collect();
        assert_eq!(with_descendants(versions(taught), &made), versions(expected));
    }

    #[test]
    fn what_was_built_on_a_version_holds_what_that_was_taught() {
        check(&[], &[(1, 0), (2, 1)], &[]);
        check(&[1], &[(1, 0), (2, 1), (4, 2), (3, 0)], &[1, 2, 4]);
        check(&[2], &[(4, 2), (2, 1), (5, 4)], &[2, 4, 5]);
    }

    #[test]
    fn a_damaged_circle_of_versions_has_an_end() {
        check(&[1], &[(1, 2), (2, 1)], &[1, 2]);
    }
}
