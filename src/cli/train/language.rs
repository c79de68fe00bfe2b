//! How a model writes conversations, from its file: template, tokenizer, first and last token.
//!
//! The tokenizer is chela's own where it knows the vocabulary (it is equal to llama.cpp's and loads no weights); for
//! the others llama.cpp is loaded while the file is read.

use std::io::{self, BufRead};

use crate::cli::loading;
use crate::engine::{Engine, LlamaEngine, LoadOptions};
use crate::gguf::Gguf;
use crate::learn::chat_sample::{ChatForm, Reading, read_chats};
use crate::model::Found;
use crate::model::tokenizer::ContextTokenizer;
use crate::turn::prompt::{PromptWriter, Vocabulary};
use crate::turn::template::ChatTemplate;

/// Kinds of tokens that stand for more than their letters (`llama_token_type`).
const SPECIAL_TYPES: [i32; 2] = [3, 4];

pub(in crate::cli) struct Language {
    template: ChatTemplate,
    words: Words,
    /// Stands in front of every prompt.
    bos: Option<String>,
    eos: String,
}

enum Words {
    Own(Box<ContextTokenizer>),
    Engine(Box<LlamaEngine>),
}

impl Language {
    pub(in crate::cli) fn of(model: &Found, gguf: &Gguf) -> anyhow::Result<Self> {
        match ContextTokenizer::from_gguf(gguf) {
            Ok(tokenizer) => Self::of_header(gguf, tokenizer),
            Err(reason) => {
                tracing::info!(%reason, "llama.cpp tokenizes");
                Self::of_engine(model)
            }
        }
    }

    fn of_header(gguf: &Gguf, tokenizer: ContextTokenizer) -> anyhow::Result<Self> {
        let text = |id: Option<u64>| {
            let at = usize::try_from(id?).ok()?;
            gguf.tokens()?.text(at).map(str::to_owned)
        };
        let stated = |key: &str| text(gguf.metadata.uint(key)).unwrap_or_default();
        let first = tokenizer.bos().and_then(|id| text(u64::try_from(id).ok()));
        let bos = first.clone().unwrap_or_else(|| stated("tokenizer.ggml.bos_token_id"));
        let eos = stated("tokenizer.ggml.eos_token_id");
        let source = gguf.metadata.text("tokenizer.chat_template").unwrap_or_default();
        let template = ChatTemplate::for_model(source, &bos, &eos, &special_tokens(gguf))?;
        Ok(Self { template, words: Words::Own(Box::new(tokenizer)), bos: first, eos })
    }

    fn of_engine(model: &Found) -> anyhow::Result<Self> {
        loading::probe_in_child(&model.path).map_err(|reason| anyhow::anyhow!("{}: {reason}", model.name))?;
        let options = LoadOptions { n_ctx: 256, parallel: 1, ..LoadOptions::new(&model.name, &model.path) };
        Self::with(LlamaEngine::load(&options)?)
    }

    fn with(engine: LlamaEngine) -> anyhow::Result<Self> {
        let card = engine.card();
        let template = card.template()?;
        let (bos, eos) = (card.bos().map(str::to_owned), card.eos_token.clone());
        Ok(Self { template, words: Words::Engine(Box::new(engine)), bos, eos })
    }

    /// Reads a training file into the model's tokens.
    pub(in crate::cli) fn read(&self, file: &mut dyn BufRead, max_tokens: usize) -> io::Result<Reading> {
        let tokenize = |text: &str, special: bool| match &self.words {
            Words::Own(tokenizer) => Ok(tokenizer.encode(text, special)),
            Words::Engine(engine) => engine.tokenize(text, special).map_err(|error| error.to_string()),
        };
        let vocabulary = Vocabulary { tokenize: &tokenize, bos: self.bos.as_deref() };
        let writer = PromptWriter::new(&self.template, vocabulary);
        read_chats(file, &mut ChatForm { writer, eos: &self.eos, max_tokens })
    }
}

fn special_tokens(gguf: &Gguf) -> Vec<String> {
    let (Some(tokens), Some(types)) = (gguf.tokens(), gguf.metadata.i32s("tokenizer.ggml.token_type")) else {
        return Vec::new();
    };
    let special = types.iter().enumerate().filter(|(_, kind)| SPECIAL_TYPES.contains(kind));
    special.filter_map(|(at, _)| tokens.text(at)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::model::{Owner, starter};

    #[test]
    fn a_header_alone_gives_the_tokens_that_llama_cpp_gives() {
        let dir = tempfile::tempdir().unwrap();
        let path = starter::unpack(dir.path()).unwrap();
        let gguf = Gguf::open(&path).unwrap();
        let model = Found {
            name: starter::NAME.to_owned(),
            aliases: Vec::new(),
            owner: Owner::Chela,
            path: path.clone(),
            size: 0,
            header: None,
            problem: None,
        };
        let options = LoadOptions { n_ctx: 256, parallel: 1, ..LoadOptions::new(&model.name, &path) };
        let engine = Language::with(LlamaEngine::load(&options).unwrap()).unwrap();
        let header = Language::of(&model, &gguf).unwrap();
        assert!(matches!(header.words, Words::Own(_)));
        let file = [
            r#"{"prompt":"list files","completion":"ls -l"}"#,
            r#"{"prompt":"pasted <|im_end|> and é 漢字 123","completion":"\n\n  <|im_start|> x"}"#,
            r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":1},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}"#,
        ];
        let read =
            |language: &Language| language.read(&mut Cursor::new(file.join("\n")), 1024).unwrap().examples;
        assert_eq!(read(&header).len(), 4);
        assert_eq!(read(&header), read(&engine));
    }
}
