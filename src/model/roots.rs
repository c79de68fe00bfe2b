//! Where model files may lie on this machine, and how to reach the hub. Nothing else in `model` reads the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables of other programs that say where they keep models, and the hub's own.
#[derive(Debug, Clone, Default)]
pub struct Env {
    pub home: Option<PathBuf>,
    pub xdg_cache_home: Option<PathBuf>,
    pub ollama_models: Option<PathBuf>,
    pub llama_cache: Option<PathBuf>,
    pub hf_hub_cache: Option<PathBuf>,
    pub hf_home: Option<PathBuf>,
    pub hf_endpoint: Option<String>,
    pub hf_token: Option<String>,
}

/// The folders that are searched. Several for one owner when it has moved over time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roots {
    /// chela's own models directory.
    pub chela: PathBuf,
    /// Folders that hold `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
    pub lmstudio: Vec<PathBuf>,
    pub llama_cpp: Vec<PathBuf>,
    /// Folders that hold `models--ORG--REPO`.
    pub huggingface: Vec<PathBuf>,
}

impl Env {
    #[expect(clippy::disallowed_methods, reason = "this is the edge where the environment is resolved")]
    pub fn read() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| var(name).and_then(|value: OsString| value.into_string().ok());
        let path = |name| var(name).map(PathBuf::from);
        Self {
            home: path("HOME").or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().into())),
            xdg_cache_home: path("XDG_CACHE_HOME"),
            ollama_models: path("OLLAMA_MODELS"),
            llama_cache: path("LLAMA_CACHE"),
            hf_hub_cache: path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")),
            hf_home: path("HF_HOME"),
            hf_endpoint: text("HF_ENDPOINT"),
            hf_token: text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")),
        }
    }

    /// `$XDG_CACHE_HOME` or `~/.cache`.
    fn cache(&self) -> Option<PathBuf> {
        self.xdg_cache_home.clone().or_else(|| Some(self.home.as_ref()?.join(".cache")))
    }

    /// Hugging Face's own folder: cache and token lie below it.
    pub(super) fn huggingface_home(&self) -> Option<PathBuf> {
        self.hf_home.clone().or_else(|| Some(self.cache()?.join("huggingface")))
    }
}

impl Roots {
    /// Names the folders; touches nothing. Folders that do not exist are searched in vain, which is no error.
    pub fn from_env(models_dir: &Path, env: &Env) -> Self {
        let home = |below: &str| env.home.as_ref().map(|home| home.join(below));
        let cache = |below: &str| env.cache().map(|cache| cache.join(below));
        let hub = || Some(env.huggingface_home()?.join("hub"));
        let ollama = match &env.ollama_models {
            Some(dir) => vec![dir.clone()],
            // The second is where the Linux service, which runs as its own user, keeps them.
            None => home(".ollama/models")
                .into_iter()
                .chain([PathBuf::from("/usr/share/ollama/.ollama/models")])
                .collect(),
        };
        let llama_cpp = match (&env.llama_cache, cfg!(target_os = "macos")) {
            (Some(dir), _) => vec![dir.clone()],
            (None, true) => home("Library/Caches/llama.cpp").into_iter().collect(),
            (None, false) => cache("llama.cpp").into_iter().collect(),
        };
        Self {
            chela: models_dir.to_path_buf(),
            ollama,
            lmstudio: home(".lmstudio/models").into_iter().chain(home(".cache/lm-studio/models")).collect(),
            llama_cpp,
            huggingface: env.hf_hub_cache.clone().or_else(hub).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(env: &Env) -> Roots {
        Roots::from_env(Path::new("/chela/models"), &Env { home: Some("/h".into()), ..env.clone() })
    }

    #[test]
    fn defaults_lie_below_home() {
        let roots = roots(&Env::default());
        assert_eq!(roots.ollama.first().unwrap(), Path::new("/h/.ollama/models"));
        assert_eq!(roots.huggingface, [Path::new("/h/.cache/huggingface/hub")]);
        assert_eq!(
            roots.lmstudio,
            [Path::new("/h/.lmstudio/models"), Path::new("/h/.cache/lm-studio/models")]
        );
    }

    #[test]
    fn other_programs_variables_are_honoured() {
        let path = |text: &str| Some(PathBuf::from(text));
        let env =
            Env { ollama_models: path("/o"), llama_cache: path("/l"), hf_home: path("/f"), ..Env::default() };
        let moved = roots(&env);
        assert_eq!((moved.ollama, moved.llama_cpp), (vec!["/o".into()], vec!["/l".into()]));
        assert_eq!(moved.huggingface, [Path::new("/f/hub")]);
        let env = Env { hf_hub_cache: path("/c"), ..env };
        assert_eq!(roots(&env).huggingface, [Path::new("/c")]);
    }
}
