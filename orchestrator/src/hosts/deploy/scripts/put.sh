# Takes a program from stdin. $1: its folder, $2: its SHA-256, $3: a name of its own, $4: `gzip` or `plain`.
umask 077
folder=$1 content=$2 part=$1/.$3.part
mkdir -p "$folder" || exit 71
trap 'rm -f "$part"' EXIT
trap 'exit 70' HUP INT TERM
if [ "$4" = gzip ]; then gzip -dc; else cat; fi >"$part" || exit 72
for tool in 'sha256sum' 'shasum -a 256' 'openssl dgst -sha256 -r'; do
  set -- $($tool <"$part" 2>/dev/null)
  [ "${1:-}" ] && break
done
[ "${1:-}" ] || exit 74
[ "$1" = "$content" ] || { echo "its SHA-256 is $1" >&2; exit 73; }
chmod 700 "$part" && mv -f "$part" "$folder/mallard-agent" || exit 72
