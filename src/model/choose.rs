//! Which file of a repository a person means: `ORG/REPO[:QUANT]`, read and matched. Pure.

use super::walk;

/// What is taken when no quantization was named: a good trade of size and quality first.
const PREFERRED: &[&str] = &[
    "Q4_K_M", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_S", "Q5_K_S", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4", "Q3_K_M",
    "F16", "BF16", "F32",
];

/// Labels in file names, longer ones before those they begin with.
const LABELS: &[&str] = &[
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_XS",
    "IQ4_NL", "Q2_K_XL", "Q2_K_L", "Q2_K_S", "Q2_K", "Q3_K_XL", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q3_K",
    "Q4_K_XL", "Q4_K_L", "Q4_K_M", "Q4_K_S", "Q4_K", "Q4_0", "Q4_1", "Q5_K_XL", "Q5_K_L", "Q5_K_M", "Q5_K_S",
    "Q5_K", "Q5_0", "Q5_1", "Q6_K_XL", "Q6_K_L", "Q6_K", "Q8_K_XL", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4",
    "BF16", "FP16", "F16", "FP32", "F32",
];

/// A repository on the hub, and which of its files is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// `ORG/REPO`.
    pub repo: String,
    /// A quantization (`Q4_K_M`), a file's stem, or a file's name; any case.
    pub wanted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a model on the hub; write ORG/REPO or ORG/REPO:QUANT, for example Qwen/Qwen3-0.6B-GGUF:Q8_0"
)]
pub struct SpecError(pub String);

/// Why no file could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    #[error("{repo} holds no GGUF file; look for a repository whose name ends in -GGUF")]
    NoGguf { repo: String },
    #[error("{repo} has no \"{wanted}\"; it has {}", .available.join(", "))]
    Missing { repo: String, wanted: String, available: Vec<String> },
    #[error("several files of {repo} fit; choose one: {}", .specs.join(", "))]
    Several { repo: String, specs: Vec<String> },
}

impl std::str::FromStr for Spec {
    type Err = SpecError;

    /// Takes `ORG/REPO`, `ORG/REPO:QUANT`, and both behind `hf.co/` or `https://huggingface.co/`.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let refuse = || SpecError(text.to_owned());
        let rest = text.strip_prefix("https://").unwrap_or(text);
        let rest =
            rest.strip_prefix("huggingface.co/").or_else(|| rest.strip_prefix("hf.co/")).unwrap_or(rest);
        let (repo, wanted) = match rest.split_once(':') {
            Some((repo, wanted)) if !wanted.is_empty() => (repo, Some(wanted.to_owned())),
            Some(_) => return Err(refuse()),
            None => (rest.trim_end_matches('/'), None),
        };
        let sane = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
        };
        match repo.split_once('/') {
            Some((org, name)) if sane(org) && sane(name) => Ok(Self { repo: repo.to_owned(), wanted }),
            _ => Err(refuse()),
        }
    }
}

/// The path of the file (the first part of a split one) that fits `spec`, out of all paths of the repository.
pub fn choose<'a>(spec: &Spec, paths: &[&'a str]) -> Result<&'a str, ChooseError> {
    let repo = || spec.repo.clone();
    let models: Vec<&'a str> = paths.iter().copied().filter(|path| walk::is_model(file_name(path))).collect();
    if models.is_empty() {
        return Err(ChooseError::NoGguf { repo: repo() });
    }
    let fitting = match &spec.wanted {
        Some(wanted) => fitting(&models, wanted),
        None if models.len() == 1 => models.clone(),
        None => PREFERRED
            .iter()
            .map(|quant| fitting(&models, quant))
            .find(|fit| !fit.is_empty())
            .unwrap_or_default(),
    };
    match (fitting.as_slice(), &spec.wanted) {
        ([one], _) => Ok(one),
        ([], Some(wanted)) => {
            Err(ChooseError::Missing { repo: repo(), wanted: wanted.clone(), available: labels(&models) })
        }
        ([], None) => Err(ChooseError::Several { repo: repo(), specs: specs(&spec.repo, &models) }),
        (several, _) => Err(ChooseError::Several { repo: repo(), specs: specs(&spec.repo, several) }),
    }
}

/// The quantization in a file's name, in capitals: `model-q4_k_m` → `Q4_K_M`.
pub fn quant_in(title: &str) -> Option<String> {
    let upper = title.to_ascii_uppercase();
    let at_label = |label: &&str| upper.rfind(*label).filter(|at| stands_alone(&upper, *at, label.len()));
    let found = LABELS.iter().filter_map(|label| Some((at_label(label)?, *label)));
    // The last one counts, and of those at one place the longest: `F16` in `BF16` is no word of its own anyway.
    let (_, label) = found.max_by_key(|(at, label)| (*at, label.len()))?;
    Some(label.replace("FP", "F"))
}

/// A title without its quantization: `model-Q8_0` → `model`.
pub fn without_quant(title: &str) -> &str {
    let Some(quant) = quant_in(title) else { return title };
    let upper = title.to_ascii_uppercase();
    let at = upper.rfind(&quant).or_else(|| upper.rfind(&quant.replace('F', "FP")));
    at.and_then(|at| title.get(..at)).map_or(title, |head| head.trim_end_matches(['-', '.', '_']))
}

/// A file by its full path, its name, its stem; else all files of a quantization.
fn fitting<'a>(models: &[&'a str], wanted: &str) -> Vec<&'a str> {
    let same = |text: &str| text.eq_ignore_ascii_case(wanted);
    let by_name = |path: &&str| {
        same(path) || same(file_name(path)) || same(&title(path)) || same(path.trim_end_matches(".gguf"))
    };
    let named: Vec<_> = models.iter().copied().filter(by_name).collect();
    if !named.is_empty() {
        return named;
    }
    let by_quant = |path: &&str| quant_in(&title(path)).is_some_and(|quant| same(&quant));
    let of_quant: Vec<_> = models.iter().copied().filter(by_quant).collect();
    if !of_quant.is_empty() {
        return of_quant;
    }
    // Publishers' own labels, such as `UD-Q4_K_XL`, stand at the end of the name.
    let label = format!("-{}", wanted.to_ascii_lowercase());
    models.iter().copied().filter(|path| title(path).to_ascii_lowercase().ends_with(&label)).collect()
}

fn stands_alone(text: &str, at: usize, len: usize) -> bool {
    let before = text.get(..at).and_then(|head| head.bytes().last());
    let after = text.get(at + len..).and_then(|tail| tail.bytes().next());
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        && after.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
}

fn labels(models: &[&str]) -> Vec<String> {
    let mut labels: Vec<_> =
        models.iter().map(|path| quant_in(&title(path)).unwrap_or_else(|| title(path))).collect();
    labels.sort();
    labels.dedup();
    labels
}

fn specs(repo: &str, paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| format!("{repo}:{path}")).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn title(path: &str) -> String {
    walk::title(std::path::Path::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn quant(title: &str, expected: Option<&str>) {
        assert_eq!(quant_in(title).as_deref(), expected, "{title}");
    }

    #[test]
    fn quantization_is_read_from_names() {
        quant("Qwen3-0.6B-Q8_0", Some("Q8_0"));
        quant("qwen2.5-0.5b-instruct-q4_k_m", Some("Q4_K_M"));
        quant("model.Q4_K_S", Some("Q4_K_S"));
        quant("gemma-BF16", Some("BF16"));
        quant("gemma-fp16", Some("F16"));
        quant("Qwen3-8B-UD-Q4_K_XL", Some("Q4_K_XL"));
        quant("Phi-IQ3_XXS", Some("IQ3_XXS"));
        quant("llama_q4_0", Some("Q4_0"));
        quant("Q8-chat", None);
        quant("model", None);
    }

    #[test]
    fn a_title_loses_its_quantization() {
        assert_eq!(without_quant("Qwen3-0.6B-Q8_0"), "Qwen3-0.6B");
        assert_eq!(without_quant("gemma-fp16"), "gemma");
        assert_eq!(without_quant("model.Q4_K_S"), "model");
        assert_eq!(without_quant("chela-starter"), "chela-starter");
    }

    #[track_caller]
    fn spec(text: &str, expected: Option<(&str, Option<&str>)>) {
        let expected =
            expected.map(|(repo, wanted)| Spec { repo: repo.into(), wanted: wanted.map(Into::into) });
        assert_eq!(text.parse::<Spec>().ok(), expected, "{text}");
    }

    #[test]
    fn specs_are_read() {
        spec("a/b", Some(("a/b", None)));
        spec("a/b:Q4_K_M", Some(("a/b", Some("Q4_K_M"))));
        spec("a/b:sub/f.gguf", Some(("a/b", Some("sub/f.gguf"))));
        spec("hf.co/a/b:Q8_0", Some(("a/b", Some("Q8_0"))));
        spec("https://huggingface.co/a/b", Some(("a/b", None)));
    }

    #[test]
    fn what_is_no_spec_is_refused() {
        for text in
            ["", "qwen3", "qwen3:0.6b", "a/b:", "a/b/c", "../b", "a/..", "a b/c", "a/b?x=1", "/b", "a/"]
        {
            spec(text, None);
        }
    }

    #[track_caller]
    fn chosen(text: &str, paths: &[&str], expected: &str) {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(choose(&spec, paths), Ok(expected));
    }

    const REPO: &[&str] = &[
        "README.md",
        "m-Q8_0.gguf",
        "m-Q4_K_M.gguf",
        "m-F16-00001-of-00002.gguf",
        "m-F16-00002-of-00002.gguf",
        "m-UD-Q4_K_XL.gguf",
        "mmproj-F32.gguf",
        "IQ4/m-IQ4_XS.gguf",
    ];

    #[test]
    fn the_wanted_file_is_chosen() {
        chosen("a/b", REPO, "m-Q4_K_M.gguf");
        chosen("a/b:q8_0", REPO, "m-Q8_0.gguf");
        chosen("a/b:f16", REPO, "m-F16-00001-of-00002.gguf");
        chosen("a/b:UD-Q4_K_XL", REPO, "m-UD-Q4_K_XL.gguf");
        chosen("a/b:Q4_K_XL", REPO, "m-UD-Q4_K_XL.gguf");
        chosen("a/b:m-IQ4_XS", REPO, "IQ4/m-IQ4_XS.gguf");
        chosen("a/b:IQ4/m-IQ4_XS.gguf", REPO, "IQ4/m-IQ4_XS.gguf");
        chosen("a/b", &["odd.gguf"], "odd.gguf");
    }

    #[track_caller]
    fn refused(text: &str, paths: &[&str], expected: &str) {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(choose(&spec, paths).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        refused("a/b:Q2_K", REPO, "a/b has no \"Q2_K\"; it has F16, IQ4_XS, Q4_K_M, Q4_K_XL, Q8_0");
        refused("a/b", &["x.txt"], "a/b holds no GGUF file; look for a repository whose name ends in -GGUF");
        refused(
            "a/b",
            &["x-Q8_0.gguf", "y-Q8_0.gguf"],
            "several files of a/b fit; choose one: a/b:x-Q8_0.gguf, a/b:y-Q8_0.gguf",
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let head = without_quant(&text);
            proptest::prop_assert!(text.starts_with(head));
            if let Ok(spec) = text.parse::<Spec>() {
                proptest::prop_assert!(spec.repo.matches('/').count() == 1);
            }
        }

        #[test]
        fn every_label_is_found_at_the_end_of_a_name(name in "[A-Za-z][a-z0-9.]{0,12}", at in 0..LABELS.len()) {
            let label = LABELS[at];
            proptest::prop_assert_eq!(quant_in(&format!("{name}-{label}")), Some(label.replace("FP", "F")));
        }
    }
}
