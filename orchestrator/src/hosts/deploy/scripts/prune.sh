# Removes programs that nobody has used for a week, but for the last three and those that run.
# $1: the cache folder, $2: the content in use.
cd "$1" || exit 0
running=$(for program in /proc/[0-9]*/exe; do readlink "$program" 2>/dev/null; done)
kept=0
for content in $(ls -1t); do
  case $content in *[!0-9a-f]*) continue ;; esac
  [ ${#content} = 64 ] && [ -d "$content" ] && [ "$content" != "$2" ] || continue
  kept=$((kept + 1))
  [ $kept -gt 3 ] || continue
  case $running in *"/$content/"*) continue ;; esac
  [ "$(find "$content" -prune -mtime +6 2>/dev/null)" ] || continue
  rm -rf "./$content"
done
