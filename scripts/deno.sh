# Runs a script with the Deno that runs the task: in a task, `deno` is npm's, which is in
# node_modules/.bin and may need Node. Without another one on PATH, npm's will do.
PATH="${PATH##*/node_modules/.bin:}:$PATH"
script=$1 && shift
if [ "$1" = -- ]; then shift; fi # npm removes it, too.
exec deno run --allow-all "$script" "$@"
