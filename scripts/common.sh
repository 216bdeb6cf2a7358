# Shared by the scripts here (sourced): where things are cached, messages, one builder at a time.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LINNET_CACHE:-$HOME/.cache/linnet}
mkdir -p "$cache"

say() { printf '[%3ds] %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'linnet: %s\n' "$*" >&2; exit 1; }

# with_lock NAME: hold the lock until this shell ends, so two builds never make one thing together.
with_lock() {
	exec {lock_fd}>"$cache/.lock-$1"
	flock "$lock_fd"
}

# hash_of FILE...: a short name for these contents.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
