//! The pre-tokenizers of byte-level BPE: the expressions that cut a text into words, by `tokenizer.ggml.pre`.
//!
//! Source: `llm_tokenizer_bpe` and `llama_vocab::impl::load` in the `llama-vocab.cpp` of llama-cpp-sys-2 0.1.161.
//! Left out, so that callers ask the engine: those that need llama.cpp's own code (`kimi-k2`, `afmoe`, `tiny_aya`,
//! `superbpe`), that do not write bytes as characters (gemma4, sarvam-moe, mmbert, whitespace), whose `$` or `\s?`
//! depends on the regex dialect (deepseek-llm, deepseek-coder), and those of embedding models. The others gave the
//! same ids as llama.cpp on 1,461 texts: prose, code, shell, and random mixtures of scripts and white space.

/// How words are found, and what the name implies besides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PreTokenizer {
    /// Applied in turn, each to what the one before left.
    pub(super) regexes: &'static [&'static str],
    /// A word that is a token as a whole is not taken apart.
    pub(super) ignore_merges: bool,
    /// Whether prompts begin with BOS unless the file says otherwise.
    pub(super) add_bos: bool,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str = r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
const CJK: &str = r"[一-龥぀-ゟ゠-ヿ]+";

const fn plain(regexes: &'static [&'static str]) -> PreTokenizer {
    PreTokenizer { regexes, ignore_merges: false, add_bos: false }
}

const TABLE: &[(&[&str], PreTokenizer)] = &[
    (
        &["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        PreTokenizer { regexes: &[LLAMA3], ignore_merges: true, add_bos: true },
    ),
    (&["dbrx", "smaug-bpe", "chatglm-bpe"], plain(&[LLAMA3])),
    (&["glm4", "glm5"], PreTokenizer { regexes: &[LLAMA3], ignore_merges: true, add_bos: false }),
    (
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        plain(&[QWEN2]),
    ),
    (&["qwen35"], plain(&[QWEN35])),
    (
        &[
            "gpt-2",
            "phi-2",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
        ],
        plain(&[GPT2]),
    ),
    (
        &["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"],
        plain(&[r"\p{N}", GPT2]),
    ),
    (&["falcon"], plain(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"])),
    (&["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], plain(&[r"\p{N}{1,3}", CJK, DEEPSEEK3])),
    (&["tekken"], PreTokenizer { regexes: &[TEKKEN], ignore_merges: true, add_bos: true }),
    (&["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], plain(&[GPT4O])),
    (&["seed-coder"], plain(&[SEED])),
    (&["bailingmoe", "bailingmoe2", "llada-moe"], plain(&[BAILING])),
    (&["poro-chat", "bloom", "gpt3-finnish"], plain(&[BLOOM])),
    (&["viking"], plain(&[BLOOM, r"\p{N}"])),
    (&["default", ""], plain(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"])),
];

/// The pre-tokenizer of that name. `None`: only llama.cpp knows it.
pub(super) fn pre_tokenizer(name: &str) -> Option<&'static PreTokenizer> {
    TABLE.iter().find(|(names, _)| names.contains(&name)).map(|(_, pre)| pre)
}

#[cfg(test)]
mod tests {
    use super::{TABLE, pre_tokenizer};
    use tokenizers::utils::SysRegex;

    #[test]
    fn every_expression_compiles() {
        for (names, pre) in TABLE {
            for regex in pre.regexes {
                assert!(SysRegex::new(regex).is_ok(), "{names:?}: {regex}");
            }
        }
    }

    #[test]
    fn no_name_is_there_twice() {
        let names: Vec<_> = TABLE.iter().flat_map(|(names, _)| names.iter()).collect();
        assert_eq!(names.len(), names.iter().collect::<std::collections::HashSet<_>>().len());
    }

    #[test]
    fn names_that_only_llama_cpp_knows_are_refused() {
        for name in ["kimi-k2", "gemma4", "deepseek-llm", "deepseek-coder", "no-such"] {
            assert_eq!(pre_tokenizer(name), None);
        }
    }
}
