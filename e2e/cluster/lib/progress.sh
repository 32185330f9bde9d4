# shellcheck shell=bash
# One line per step on standard error, and everything that a step prints in a log of its own.

# A program that another one of these calls counts on from where that one began.
ALTER_STARTED=${ALTER_STARTED:-$EPOCHSECONDS}
export ALTER_STARTED

# say WORD...: a line of progress, with the seconds since the beginning.
say() {
    printf '[%4ds] %s\n' "$((EPOCHSECONDS - ALTER_STARTED))" "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# logged NAME COMMAND...: keeps the output in logs/NAME.log and shows its end when COMMAND fails.
# COMMAND runs in a shell of its own so that `set -e` holds inside functions too.
logged() {
    local log="$ALTER_CACHE/logs/$1.log" rc=0
    shift
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1
    rc=$?
    set -e
    if ((rc != 0)); then
        tail -n 25 "$log" >&2
        say "failed: $* (the whole log: $log)"
    fi
    return "$rc"
}
