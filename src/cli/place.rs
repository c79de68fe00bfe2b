//! Where a command runs: paths, settings, terminal and flags, resolved once. With `config`, the only reader of the
//! environment.

use std::io::IsTerminal;

use crate::config::{Keep, PathEnv, Paths, Rules, Settings, Surface, Theme, load};
use crate::redact::{Redactor, Secrets};
use crate::store::sealed;

pub(super) struct Place {
    pub(super) paths: Paths,
    /// `--plain`, the setting, or a terminal that cannot redraw.
    plain: bool,
    no_color: bool,
    pub(super) verbose: bool,
}

impl Place {
    /// Names the places; reads no file and creates nothing.
    pub(super) fn new(plain: bool, no_color: bool, verbose: bool) -> anyhow::Result<Self> {
        let paths = Paths::resolve(&PathEnv::read())?;
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        let no_color = no_color || variable("NO_COLOR").is_some();
        Ok(Self { paths, plain: plain || dumb, no_color: no_color || dumb, verbose })
    }

    /// Defaults, file, environment, flags.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = load(&self.paths.config_file(), overrides())?;
        sealed::use_key(&self.paths.ledger(), settings.privacy.key_source());
        settings.chat.plain |= self.plain;
        if self.no_color {
            settings.chat.theme = Theme::None;
        }
        Ok(settings)
    }

    /// The settings without flags, by section and key. Through JSON text, because that writes an `f32` of 0.7 as 0.7.
    pub(super) fn settings_as_written(&self) -> anyhow::Result<serde_json::Value> {
        let settings = load(&self.paths.config_file(), overrides())?;
        Ok(serde_json::from_str(&serde_json::to_string(&settings)?)?)
    }

    /// Creates the directories, then like [`Place::settings`]: what commands that use the daemon begin with.
    pub(super) fn prepare(&self) -> anyhow::Result<Settings> {
        self.paths.create()?;
        self.settings()
    }

    /// Whether stderr may show progress that is redrawn in place.
    pub(super) fn may_redraw(&self) -> bool {
        !self.plain && std::io::stderr().is_terminal()
    }

    /// Whether stdout may show bars and other drawings.
    pub(super) fn may_draw(&self) -> bool {
        !self.plain && std::io::stdout().is_terminal()
    }

    /// Columns of the terminal that stdout is; `None` where it is none, or does not say.
    pub(super) fn width() -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        (size.ws_col > 0).then(|| usize::from(size.ws_col))
    }

    /// Whether stderr may carry colours.
    pub(super) fn may_color_notes(&self) -> bool {
        !self.no_color && std::io::stderr().is_terminal()
    }

    /// Whether stdout may carry colours.
    pub(super) fn may_color(&self) -> bool {
        !self.no_color && std::io::stdout().is_terminal()
    }
}

/// A variable of the environment; set to nothing is not set.
#[expect(clippy::disallowed_methods, reason = "cli resolves the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether this shell is off the record (`chela off`): what is asked in it is kept nowhere.
pub(super) fn is_off_record() -> bool {
    variable("CHELA_OFF").is_some()
}

/// Whether a rule of the settings keeps what is asked here out of every file.
pub(super) fn is_ignored(settings: &Settings, surface: Surface) -> bool {
    let cwd = std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned());
    Rules::here(&settings.privacy).keep_in(surface, cwd.as_deref()) == Keep::Nothing
}

/// The variables that may override settings. Names and values that are not UTF-8 cannot be meant.
pub(super) fn overrides() -> Vec<(String, String)> {
    environment().into_iter().filter(|(name, _)| name.starts_with("CHELA_")).collect()
}

/// The environment, as far as it is UTF-8.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Takes secrets out of text: what the rules know, values of this environment, and what the person lists.
pub(super) fn redactor(hide: &[String]) -> Redactor {
    Redactor::new(&Secrets::new(environment(), hide))
}
