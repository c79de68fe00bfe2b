//! Choosing a token: llama.cpp's sampler chain, a grammar, and the fast way for greedy decoding. Only `engine` uses it.
//!
//! A grammar is asked about the one token that the chain chose; only when it refuses, the whole vocabulary is
//! filtered and the choice made again (checking 150,000 candidates for every token would halve the speed).

use std::sync::Arc;

use llama_cpp_2::json_schema_to_grammar;

use super::ffi::{self, Candidate, Model};
use super::{EngineError, Grammar, Sampling, Token, logprob};

/// One request's way of choosing tokens; remembers what was chosen.
pub(super) struct Chooser {
    chain: ffi::Sampler,
    grammar: Option<ffi::Sampler>,
    /// The chain would only take the largest logit.
    greedy: bool,
    candidates: Vec<Candidate>,
}

impl Sampling {
    pub(super) fn has_penalties(&self) -> bool {
        let off = |value: f32, neutral: f32| (value - neutral).abs() < f32::EPSILON;
        let all_off = off(self.repeat_penalty, 1.0)
            && off(self.frequency_penalty, 0.0)
            && off(self.presence_penalty, 0.0);
        self.repeat_last_n != 0 && !all_off
    }
}

impl Chooser {
    pub(super) fn new(model: &Arc<Model>, sampling: &Sampling, seed: u32) -> Result<Self, EngineError> {
        let no_memory = || EngineError::Compute("no memory for a sampler".to_owned());
        let chain = ffi::Sampler::chain(model, sampling, seed).ok_or_else(no_memory)?;
        let grammar = sampling.grammar.as_ref().map(|grammar| compile(model, grammar)).transpose()?;
        let greedy = sampling.temperature <= 0.0 && !sampling.has_penalties();
        Ok(Self { chain, grammar, greedy, candidates: Vec::new() })
    }

    /// Chooses the next token and remembers it. `None`: no token is possible.
    pub(super) fn choose(&mut self, logits: &[f32]) -> Option<Token> {
        let mut token = self.free_choice(logits)?;
        if !self.grammar_allows(token) {
            token = self.grammatical_choice(logits)?;
        }
        self.chain.accept(token);
        if let Some(grammar) = &mut self.grammar
            && !grammar.accept(token)
        {
            return None;
        }
        Some(token)
    }

    fn free_choice(&mut self, logits: &[f32]) -> Option<Token> {
        if self.greedy {
            return logprob::argmax(logits).and_then(|index| Token::try_from(index).ok());
        }
        self.fill(logits);
        self.chosen()
    }

    fn grammar_allows(&mut self, token: Token) -> bool {
        let Some(grammar) = &mut self.grammar else { return true };
        let mut single = vec![Candidate { id: token, logit: 1.0, p: 0.0 }];
        grammar.apply(&mut single);
        single.first().is_some_and(|candidate| candidate.logit.is_finite())
    }

    fn grammatical_choice(&mut self, logits: &[f32]) -> Option<Token> {
        self.fill(logits);
        if let Some(grammar) = &mut self.grammar {
            grammar.apply(&mut self.candidates);
        }
        self.candidates.retain(|candidate| candidate.logit.is_finite());
        if self.candidates.is_empty() {
            return None;
        }
        self.chosen()
    }

    fn fill(&mut self, logits: &[f32]) {
        self.candidates.clear();
        let ids = 0..;
        self.candidates.extend(ids.zip(logits).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }));
    }

    fn chosen(&mut self) -> Option<Token> {
        let selected = self.chain.apply(&mut self.candidates)?;
        self.candidates.get(selected).map(|candidate| candidate.id)
    }
}

fn compile(model: &Arc<Model>, grammar: &Grammar) -> Result<ffi::Sampler, EngineError> {
    let gbnf = match grammar {
        Grammar::Gbnf(text) => text.clone(),
        Grammar::JsonSchema(schema) => json_schema_to_grammar(schema).map_err(|_| {
            EngineError::Grammar(format!("the JSON schema cannot be turned into one: {schema:.200}"))
        })?,
    };
    ffi::Sampler::grammar(model, &gbnf).map_err(EngineError::Grammar)
}
