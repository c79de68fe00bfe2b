//! Messages into a prompt, through the model's own chat template (Jinja). The only home of minijinja.
//!
//! Templates are written for Python's Jinja as `transformers` sets it up, so that is imitated: string methods,
//! `tojson` without HTML escaping, `raise_exception`, `strftime_now`, and tool-call arguments as objects.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;

use super::Message;

/// Used when a model with ChatML tokens brings no template of its own.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
     {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/// Used when a model has neither a template nor ChatML tokens.
const PLAIN: &str = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}\
     {% if add_generation_prompt %}assistant:{% endif %}";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the model's chat template cannot be parsed: {0}")]
    Parse(String),
    #[error("the model's chat template cannot render this conversation: {0}")]
    Render(String),
}

/// A model's chat template, parsed.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// `source`: the template's text; when empty, ChatML if the vocabulary has its tokens (`control_tokens`), else
    /// `role: text` lines.
    pub fn for_model(
        source: &str,
        bos: &str,
        eos: &str,
        control_tokens: &[String],
    ) -> Result<Self, TemplateError> {
        if !source.trim().is_empty() {
            return Self::new(source, bos, eos);
        }
        let chatml = control_tokens.iter().any(|token| token == "<|im_start|>");
        Self::new(if chatml { CHATML } else { PLAIN }, bos, eos)
    }

    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment
            .add_template_owned("chat", source.to_owned())
            .map_err(|error| TemplateError::Parse(describe(&error)))?;
        Ok(Self { environment, bos: bos.to_owned(), eos: eos.to_owned() })
    }

    /// The prompt's text. `tools`: OpenAI tool definitions; empty means none.
    pub fn render(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let messages: Vec<_> = messages.iter().map(for_template).collect();
        let tools = if tools.is_empty() { Value::UNDEFINED } else { Value::from_serialize(tools) };
        let context = minijinja::context! {
            messages,
            tools,
            add_generation_prompt,
            bos_token => self.bos,
            eos_token => self.eos,
        };
        let template =
            self.environment.get_template("chat").map_err(|error| TemplateError::Parse(describe(&error)))?;
        template.render(context).map_err(|error| TemplateError::Render(describe(&error)))
    }
}

/// OpenAI writes a call's arguments as JSON text; templates want the object.
fn for_template(message: &Message) -> serde_json::Value {
    let mut value = serde_json::to_value(message).unwrap_or_default();
    let calls = value.get_mut("tool_calls").and_then(serde_json::Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let Some(arguments) = call.pointer_mut("/function/arguments") else { continue };
        let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
        if let Some(parsed) = parsed {
            *arguments = parsed;
        }
    }
    value
}

fn describe(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    match error.line() {
        Some(line) if detail.is_empty() => format!("{} (line {line})", error.kind()),
        Some(line) => format!("{detail} (line {line})"),
        None => error.to_string(),
    }
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Some templates print today's date. The clock is read here because the template asks for it, not the program.
fn strftime_now(format: String) -> String {
    jiff::fmt::strtime::format(&format, &jiff::Zoned::now()).unwrap_or(format)
}

/// Python's `json.dumps(value, ensure_ascii=False)`: a space after `:` and `,`; no HTML escapes.
#[expect(clippy::needless_pass_by_value, reason = "the form that minijinja calls filters in")]
fn tojson(value: Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // `transformers` accepts these and they change nothing here.
    let _ignored: (Option<bool>, Option<Value>, Option<bool>) =
        (options.get("ensure_ascii")?, options.get("separators")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    if value.kind() == ValueKind::Undefined {
        return Err(Error::new(ErrorKind::UndefinedError, "tojson of an undefined value"));
    }
    let mut out = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, OneLine)),
    };
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    String::from_utf8(out).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

struct OneLine;

impl serde_json::ser::Formatter for OneLine {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Role;

    fn conversation() -> Vec<Message> {
        vec![Message::new(Role::System, "Be terse."), Message::new(Role::User, "list files")]
    }

    #[track_caller]
    fn check(template: &str, messages: &[Message], tools: &[serde_json::Value], expected: &str) {
        let template = ChatTemplate::new(template, "<s>", "</s>").unwrap();
        assert_eq!(template.render(messages, tools, true).unwrap(), expected);
    }

    #[test]
    fn chatml_opens_the_assistants_turn() {
        let expected = "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\nlist files<|im_end|>\n<|im_start|>assistant\n";
        check(CHATML, &conversation(), &[], expected);
    }

    #[test]
    fn a_model_without_a_template_gets_one_that_its_vocabulary_knows() {
        let render = |control: &[String]| {
            let template = ChatTemplate::for_model("", "", "", control).unwrap();
            template.render(&conversation(), &[], true).unwrap()
        };
        assert!(render(&["<|im_start|>".to_owned()]).starts_with("<|im_start|>system"));
        assert_eq!(render(&[]), "system: Be terse.\nuser: list files\nassistant:");
    }

    #[test]
    fn tools_are_python_json_without_html_escapes() {
        let tools =
            [serde_json::json!({"type": "function", "function": {"name": "a<b", "parameters": [1, 2]}})];
        let template = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}";
        let expected = r#"{"type": "function", "function": {"name": "a<b", "parameters": [1, 2]}}"#;
        check(template, &[], &tools, expected);
    }

    #[test]
    fn tojson_indents_when_told() {
        check("{{ {'a': [1]} | tojson(indent=2) }}", &[], &[], "{\n  \"a\": [\n    1\n  ]\n}");
    }

    #[test]
    fn tool_call_arguments_are_objects() {
        let mut call = Message::new(Role::Assistant, "");
        call.tool_calls =
            Some(serde_json::json!([{"function": {"name": "ls", "arguments": "{\"path\": \"/\"}"}}]));
        let template = "{{ messages[0].tool_calls[0].function.arguments.path }}";
        check(template, &[call], &[], "/");
    }

    #[test]
    fn python_string_methods_work() {
        check(
            "{{ messages[1].content.split(' ')[0].upper() }}{{ bos_token }}",
            &conversation(),
            &[],
            "LIST<s>",
        );
    }

    #[test]
    fn without_tools_the_variable_is_undefined() {
        check("{% if tools is defined and tools %}yes{% else %}no{% endif %}", &[], &[], "no");
    }

    #[test]
    fn a_templates_own_objection_is_passed_on() {
        let template = ChatTemplate::new("{{ raise_exception('roles must alternate') }}", "", "").unwrap();
        let error = template.render(&[], &[], true).unwrap_err().to_string();
        assert!(error.contains("roles must alternate"), "{error}");
    }

    #[test]
    fn a_broken_template_is_an_error_with_a_line() {
        let error = ChatTemplate::new("line one\n{% if %}", "", "").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
