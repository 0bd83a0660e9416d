# In a task, `deno` is npm's in node_modules/.bin, which may need Node: prefer another one.
PATH="${PATH##*/node_modules/.bin:}:$PATH"
script=$1 && shift
if [ "$1" = -- ]; then shift; fi # npm removes it, too.
exec deno run --allow-all "$script" "$@"
