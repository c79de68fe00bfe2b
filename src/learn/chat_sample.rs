//! Conversations into prompts and answers of exact token ids, through the model's own chat template.
//!
//! What always holds: a prompt's ids are those that serving computes for the same messages (`turn::prompt` writes
//! both); an answer ends with the token that ends the assistant's turn, so that the model learns to stop; text of the
//! file never becomes a control token.

use std::io::{self, BufRead};

use super::chat_file::{Chat, ChatLines, Skipped};
use super::plan::Examples;
use crate::engine::Token;
use crate::turn::Message;
use crate::turn::prompt::{PromptError, PromptWriter, unused_char};

/// Skipped lines that are kept by name; beyond them they are only counted.
const MAX_NAMED: usize = 1000;

/// One answer to learn and the prompt before it. Neither is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Where it stands in the file, from 1.
    pub line: u64,
    pub prompt: Vec<Token>,
    pub answer: Vec<Token>,
}

/// How one model writes conversations.
pub struct ChatForm<'a> {
    pub writer: PromptWriter<'a>,
    /// The text of the end-of-text token; ends answers where the template writes no end of its own.
    pub eos: &'a str,
    /// Prompt and answer together may have so many tokens.
    pub max_tokens: usize,
}

/// What a file had to offer.
#[derive(Debug, Default)]
pub struct Reading {
    pub examples: Examples,
    /// The first of what was skipped, in the order of the file.
    pub skipped: Vec<Skipped>,
    /// All that was skipped.
    pub n_skipped: u64,
}

/// Reads the whole file: what can be used, and what cannot with its reason.
pub fn read_chats(reader: &mut dyn BufRead, form: &mut ChatForm) -> io::Result<Reading> {
    let mut reading = Reading::default();
    for line in ChatLines::new(reader) {
        match line? {
            Err(skipped) => reading.skip(skipped),
            Ok(chat) => {
                for example in form.examples(&chat) {
                    match example {
                        Ok(example) => reading.examples.push(&example),
                        Err(reason) => reading.skip(Skipped { line: chat.line, reason }),
                    }
                }
            }
        }
    }
    Ok(reading)
}

impl Reading {
    fn skip(&mut self, skipped: Skipped) {
        self.n_skipped += 1;
        if self.skipped.len() < MAX_NAMED {
            self.skipped.push(skipped);
        }
    }
}

impl ChatForm<'_> {
    /// One example for each answer that is learned from, or why there is none.
    pub fn examples(&mut self, chat: &Chat) -> Vec<Result<Example, String>> {
        chat.answers.iter().map(|&at| self.example(chat, at)).collect()
    }

    fn example(&mut self, chat: &Chat, at: usize) -> Result<Example, String> {
        let (prompt, answer) = self.write(chat, at).map_err(|error| error.to_string())?;
        let n_tokens = prompt.len() + answer.len();
        if prompt.is_empty() || answer.is_empty() {
            return Err("is written with no tokens by the chat template".to_owned());
        }
        if n_tokens > self.max_tokens {
            return Err(format!("has {n_tokens} tokens, at most {} are trained on", self.max_tokens));
        }
        Ok(Example { line: chat.line, prompt, answer })
    }

    /// Tokens of the prompt for the message at `at`, and of that message up to the end of the turn.
    fn write(&mut self, chat: &Chat, at: usize) -> Result<(Vec<Token>, Vec<Token>), PromptError> {
        let mut messages: Vec<Message> = chat.messages.iter().take(at + 1).cloned().collect();
        let mark = unused_char(&messages);
        self.writer.defuse_what_others_wrote(&mut messages, mark)?;
        let answer = messages.last().map(|answer| answer.content.clone()).unwrap_or_default();
        let answer = self.writer.defused(&answer, mark)?;
        if let Some(last) = messages.last_mut() {
            last.content.clone_from(&answer);
        }
        let asked = messages.get(..at).unwrap_or_default();
        let prompt = self.writer.template.render(asked, &chat.tools, true)?;
        let whole = self.writer.template.render(&messages, &chat.tools, false)?;
        let said = self.ended(said_after(&prompt, &whole, &answer))?;

        let prompt_tokens = self.writer.tokens(&prompt, mark)?;
        // Served prompts are tokenized as one text; so is this one, unless a token reaches across the boundary.
        let whole_tokens = self.writer.tokens(&format!("{prompt}{said}"), mark)?;
        let answer_tokens = match whole_tokens.strip_prefix(prompt_tokens.as_slice()) {
            Some(answer) => answer.to_vec(),
            None => self.writer.continued(&said, mark)?,
        };
        Ok((prompt_tokens, answer_tokens))
    }

    /// `said` up to its end-of-turn token, or with the end-of-text token when the template writes none.
    fn ended(&mut self, said: &str) -> Result<String, PromptError> {
        Ok(match self.writer.end_of_last_control(said)? {
            Some(end) => said.get(..end).unwrap_or(said).to_owned(),
            None => format!("{}{}", said.trim_end(), self.eos),
        })
    }
}

/// What the template wrote for the answer. Nearly always that is what follows the prompt; some templates begin the
/// answer's turn otherwise in a history than for a new answer, and then it is what follows from the answer's text on.
fn said_after<'a>(prompt: &str, whole: &'a str, answer: &'a str) -> &'a str {
    if let Some(said) = whole.strip_prefix(prompt) {
        return said;
    }
    let answer = answer.trim();
    whole.rfind(answer).and_then(|at| whole.get(at..)).unwrap_or(answer)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::learn::chat_file::parse_line;
    use crate::turn::prompt::Vocabulary;
    use crate::turn::template::ChatTemplate;

    const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}\
        <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    const MARKS: [&str; 3] = ["<|im_start|>", "<|im_end|>", "</s>"];

    /// Bytes, and one token for each mark, from 256 on.
    #[expect(clippy::unnecessary_wraps, reason = "the form that a vocabulary's tokenizer has")]
    fn tokenize(text: &str, special: bool) -> Result<Vec<i32>, String> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let mark = MARKS.iter().zip(256..).find(|(mark, _)| special && rest.starts_with(**mark));
            let (token, len) =
                mark.map_or((i32::from(rest.as_bytes()[0]), 1), |(mark, token)| (token, mark.len()));
            tokens.push(token);
            rest = &rest[len..];
        }
        Ok(tokens)
    }

    fn text(tokens: &[i32]) -> String {
        let letter = |&token: &i32| match usize::try_from(token).unwrap() {
            byte @ 0..256 => char::from(u8::try_from(byte).unwrap()).to_string(),
            mark => MARKS[mark - 256].to_owned(),
        };
        tokens.iter().map(letter).collect()
    }

    fn with_form<T>(template: &str, act: impl FnOnce(&mut ChatForm) -> T) -> T {
        let template = ChatTemplate::new(template, "", "</s>").unwrap();
        let vocabulary = Vocabulary { tokenize: &tokenize, bos: None };
        let writer = PromptWriter::new(&template, vocabulary);
        act(&mut ChatForm { writer, eos: "</s>", max_tokens: 200 })
    }

    /// Prompt and answer as text, marks spelled out.
    #[track_caller]
    fn check(template: &str, line: &str, prompt: &str, answer: &str) {
        let chat = parse_line(3, line.as_bytes()).unwrap();
        let example = with_form(template, |form| form.examples(&chat)).pop().unwrap().unwrap();
        assert_eq!((text(&example.prompt).as_str(), text(&example.answer).as_str()), (prompt, answer));
        assert_eq!(example.line, 3);
    }

    const PAIR: &str = r#"{"prompt":"a","completion":"b"}"#;

    #[test]
    fn an_answer_ends_with_the_templates_end_of_turn() {
        check(CHATML, PAIR, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n", "b<|im_end|>");
    }

    #[test]
    fn without_an_end_in_the_template_the_end_of_text_is_learned() {
        let plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}\
            {% if add_generation_prompt %}assistant:{% endif %}";
        check(plain, PAIR, "user: a\nassistant:", " b</s>");
    }

    #[test]
    fn what_the_template_puts_before_an_answer_is_learned_too() {
        let thinking = "{% for m in messages %}{{ m.role }}\n{% if m.role == 'assistant' %}<think></think>{% endif %}\
            {{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant\n{% endif %}";
        check(thinking, PAIR, "user\na<|im_end|>assistant\n", "<think></think>b<|im_end|>");
    }

    #[test]
    fn a_template_that_opens_new_answers_otherwise_is_followed_from_the_answers_text() {
        let opens = "{% for m in messages %}{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}\
            {% if add_generation_prompt %}assistant\n<think>{% endif %}";
        check(opens, PAIR, "user\na<|im_end|>assistant\n<think>", "b<|im_end|>");
    }

    #[test]
    fn text_of_the_file_never_becomes_a_control_token() {
        let line = r#"{"prompt":"a<|im_end|>","completion":"b<|im_end|>c"}"#;
        let chat = parse_line(1, line.as_bytes()).unwrap();
        let example = with_form(CHATML, |form| form.examples(&chat)).pop().unwrap().unwrap();
        let marks = |tokens: &[i32]| tokens.iter().filter(|token| **token >= 256).count();
        assert_eq!((marks(&example.prompt), marks(&example.answer)), (3, 1));
        assert_eq!(text(&example.answer), "b<|im_end|>c<|im_end|>");
    }

    #[test]
    fn the_prompt_is_the_one_that_is_served() {
        let line = r#"{"messages":[{"role":"user","content":"<|im_start|>x"},{"role":"assistant","content":"y"},
            {"role":"user","content":"z"},{"role":"assistant","content":"w"}]}"#;
        let chat = parse_line(1, line.as_bytes()).unwrap();
        let (example, served) = with_form(CHATML, |form| {
            let served = form.writer.prompt(chat.messages[..3].to_vec(), &[]).unwrap();
            (form.examples(&chat).pop().unwrap().unwrap(), served)
        });
        assert_eq!(example.prompt, served);
    }

    #[test]
    fn a_file_is_read_with_the_names_of_what_is_skipped() {
        let long = "x".repeat(300);
        let file = format!("{PAIR}\nbroken\n{{\"prompt\":\"{long}\",\"completion\":\"b\"}}\n{PAIR}\n");
        let mut reader = Cursor::new(file.as_bytes());
        let reading = with_form(CHATML, |form| read_chats(&mut reader, form)).unwrap();
        assert_eq!((reading.examples.len(), reading.n_skipped), (2, 2));
        let lines: Vec<u64> = reading.skipped.iter().map(|skipped| skipped.line).collect();
        assert_eq!(lines, [2, 3]);
        assert!(reading.skipped[1].reason.ends_with("at most 200 are trained on"), "{:?}", reading.skipped);
    }
}
