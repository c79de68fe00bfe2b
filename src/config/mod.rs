//! Settings, resolved once from defaults, the config file, the environment and flags; and where files live.
//!
//! Nothing else reads the environment. Everything below gets a [`Settings`] and a [`Paths`]; what it keeps in them
//! goes through `disk`.

pub(crate) mod disk;
mod file;
mod learning;
mod paths;
mod privacy;
mod shell;

pub use file::{
    AlternateScreen, Chat, ConfigError, DEFAULT_FILE, Model, Settings, Theme, known_keys, load, set_key,
};
pub use learning::{Dial, Learning, When};
pub use paths::{PathEnv, Paths, PathsError};
pub use privacy::{Keep, KeySource, Privacy, Rules, Surface};
pub use shell::{Ghost, Shell};
