# Looks at a host, and at which programs of its cache are whole. $1: the cache folder or nothing; then
# contents to look for.
say() { printf 'mallard-probe %s\n' "$*"; }
cache=${1:-${XDG_CACHE_HOME:-${HOME:-/tmp/mallard-$(id -u)}/.cache}/mallard}
shift
say system "$(uname -s)"
say architecture "$(uname -m)"
say cache "$cache"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>/dev/null | head -n 1)"
command -v gzip >/dev/null 2>&1 && say gzip
sum() { { sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null; }
for content in "$@"; do
  program=$cache/$content/mallard-agent
  [ -x "$program" ] || continue
  set -- $(sum <"$program")
  [ "$1" = "$content" ] || continue
  # The time of the last use, which pruning goes by.
  touch "$cache/$content" 2>/dev/null
  say has "$content"
done
say end
