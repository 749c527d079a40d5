# supervise.sh LOG PROGRAM [ARGS...]
# Runs PROGRAM as a child and prints its process id. Standard input belongs to the owner: a line is the
# name of a signal for the child; end of file means that the owner is gone, and everything here dies too.
# Runs in a process group of its own, so that Ctrl-C reaches the owner alone.
exec 3<&0 </dev/null
log=$1
shift
"$@" >>"$log" 2>&1 3<&- &
child=$!
echo "$child"
exec >/dev/null
(
    while read -r signal; do kill -s "$signal" "$child"; done
    kill -s KILL 0
) <&3 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill -s KILL "$watcher"
exit "$code"
