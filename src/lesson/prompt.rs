//! How lessons stand in a prompt: a list below the first lines of the system message.
//!
//! The starter model was trained on exactly these bytes (`lessons_block` in `scripts/starter/corpus/documents.py`).

use crate::turn::{Message, Role};

/// The block, without a line end; empty where there are no lessons.
pub fn lessons_block(lessons: &[&str]) -> String {
    if lessons.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lessons.iter().map(|lesson| format!("- {}", on_one_line(lesson))).collect();
    format!("Lessons:\n{}", lines.join("\n"))
}

/// A system message (empty where there is none) with the lessons below it.
pub fn with_lessons(system: &str, lessons: &[&str]) -> String {
    match (system.trim_end_matches('\n'), lessons) {
        (_, []) => system.to_owned(),
        ("", lessons) => lessons_block(lessons),
        (system, lessons) => format!("{system}\n{}", lessons_block(lessons)),
    }
}

/// The messages with the lessons in the system's, which is made where there is none.
pub fn messages_with_lessons(messages: &[Message], lessons: &[&str]) -> Vec<Message> {
    let mut messages = messages.to_vec();
    if lessons.is_empty() {
        return messages;
    }
    match messages.first_mut().filter(|first| first.role == Role::System) {
        Some(system) => system.content = with_lessons(&system.content, lessons),
        None => messages.insert(0, Message::new(Role::System, with_lessons("", lessons))),
    }
    messages
}

/// A lesson is one line by construction; one that is not must not begin lines of its own here.
fn on_one_line(lesson: &str) -> String {
    if lesson.contains(['\n', '\r']) {
        lesson.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        lesson.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lessons_are_a_list_below_the_system_message() {
        let lessons = ["use rg instead of grep", "answer in German"];
        assert_eq!(lessons_block(&lessons), "Lessons:\n- use rg instead of grep\n- answer in German");
        let agent = "You are chela, a terminal agent.\nCwd: ~/src";
        let expected = format!("{agent}\nLessons:\n- use rg instead of grep\n- answer in German");
        assert_eq!(with_lessons(agent, &lessons), expected);
        assert_eq!(with_lessons(&format!("{agent}\n"), &lessons), expected);
    }

    #[test]
    fn without_lessons_the_system_message_stays_as_it_is() {
        assert_eq!(with_lessons("Be kind.\n", &[]), "Be kind.\n");
        assert_eq!(with_lessons("", &["be brief"]), "Lessons:\n- be brief");
        assert_eq!(lessons_block(&[]), "");
    }

    #[test]
    fn lessons_stand_in_the_systems_message() {
        let messages = [Message::new(Role::System, "You are chela."), Message::new(Role::User, "hi")];
        let with = messages_with_lessons(&messages, &["use rg instead of grep"]);
        assert_eq!(with[0].content, "You are chela.\nLessons:\n- use rg instead of grep");
        assert_eq!(with[1..], messages[1..]);
    }

    #[test]
    fn a_system_message_is_made_where_there_is_none() {
        let messages = [Message::new(Role::User, "hi")];
        let with = messages_with_lessons(&messages, &["use rg instead of grep"]);
        assert_eq!((with.len(), with[0].role), (2, Role::System));
        assert_eq!(messages_with_lessons(&messages, &[]), messages);
    }

    proptest::proptest! {
        #[test]
        fn a_lesson_is_one_line_whatever_it_holds(lessons in proptest::collection::vec(".{0,40}", 0..5)) {
            let texts: Vec<&str> = lessons.iter().map(String::as_str).collect();
            let lines = with_lessons("S", &texts).split('\n').count();
            let expected = if texts.is_empty() { 1 } else { texts.len() + 2 };
            proptest::prop_assert_eq!(lines, expected);
        }
    }
}
