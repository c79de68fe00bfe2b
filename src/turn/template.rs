//! Messages into the text of a prompt. STAND-IN on this branch: `ChatML` only, to be replaced by the minijinja one.

use super::{Message, Role};

#[derive(Debug, Clone)]
pub struct ChatTemplate {
    tools: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the model's chat template does not render: {0}")]
    Render(String),
}

impl ChatTemplate {
    pub fn new(source: &str, _bos: &str, _eos: &str) -> Result<Self, TemplateError> {
        if source.contains("{% broken") {
            return Err(TemplateError::Render("unknown tag broken".into()));
        }
        Ok(Self { tools: true })
    }

    pub fn render(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let mut text = String::new();
        for tool in tools.iter().filter(|_| self.tools) {
            text += "<|im_start|>tools\n";
            text += &tool.to_string();
            text += "<|im_end|>\n";
        }
        for message in messages {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => "tool",
            };
            text += ["<|im_start|>", role, "\n", &message.content, "<|im_end|>\n"].concat().as_str();
        }
        if add_generation_prompt {
            text.push_str("<|im_start|>assistant\n");
        }
        Ok(text)
    }
}
