# supervise.sh LOG PROGRAM [ARGS...]
# Runs PROGRAM as a child; prints its process id, and its exit code once it has ended. Standard input belongs to the
# owner: a line is the name of a signal for the child, answered with `sent`; end of file means that the owner is gone,
# and ends the child.
# Whatever the child started goes with it. Runs in a process group of its own, so that Ctrl-C reaches the owner alone.
exec 3<&0 </dev/null
log=$1
shift
"$@" >>"$log" 2>&1 3<&- &
child=$!
echo "$child"
(
    while read -r signal; do
        kill -s "$signal" "$child"
        echo sent
    done
    kill -s KILL "$child"
) <&3 2>/dev/null &
exec 3<&-
# Not before the child is gone: its ports and files are free once this shell has ended.
wait "$child"
echo "$?"
kill -s KILL 0
