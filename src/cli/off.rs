//! `chela off` and `chela on`: the shell's own business, where it has chela's hooks. What stands here is for shells that
//! have none.

use super::{Exit, exit};

pub(super) fn run() -> anyhow::Result<Exit> {
    let message = "this shell has no hooks of chela (`chela init` brings them); CHELA_OFF=1 in its environment keeps \
                   what is asked in it off the record";
    Err(exit::Stop::new(Exit::Usage, message).into())
}
