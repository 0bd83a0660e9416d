# Runs a script with the Deno that runs the task: in a task, `deno` is npm's, which is in
# node_modules/.bin and may need Node. Without another one on PATH, npm's will do.
PATH="${PATH##*/node_modules/.bin:}:$PATH"
exec deno run --allow-all "$@"
