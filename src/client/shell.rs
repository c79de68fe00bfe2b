//! Calls about a person's shell: what ran there, and what the daemon remembers of it.

use super::call::Call;
use super::{Client, ClientError, escaped};
use crate::daemon::wire::shell::{ShellCommands, ShellHeard, ShellMemory};

impl Client {
    /// Tells what ran in a shell.
    pub fn tell_shell(&self, ran: &ShellCommands) -> Result<ShellHeard, ClientError> {
        self.tell(&Call::post("/chela/v1/shell/commands", ran)?)
    }

    /// The latest commands of a shell; empty where the daemon knows none.
    pub fn shell_memory(&self, shell: &str) -> Result<ShellMemory, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/shell/{}", escaped(shell))))
    }
}
