# shellcheck shell=bash
# What every script starts with: strict mode, the repository's root, cargo on the PATH. Sourced, never run.
set -euo pipefail

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cd "$root"

# A rustup that was installed a moment ago is not on the PATH of this shell yet.
if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    export PATH
fi

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$0: $*"
    exit 1
}
