# shellcheck shell=bash
# Where builds, logs and running state are kept between runs, and how a build gets in there whole.

ALTER_CACHE="${ALTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/alter}"
export ALTER_CACHE
mkdir -p "$ALTER_CACHE"/{logs,run,tools,images,tmp}

# use_work_folder: WORK is a folder for this program's own files, on the cache's file system, and
# gone when the program ends, however it does.
use_work_folder() {
    WORK=$(mktemp -d "$ALTER_CACHE/tmp/XXXXXXXX")
    trap 'rm -rf --one-file-system "$WORK"' EXIT
}

# content_key FILE...: a short name for what these files say, so that a change makes another build.
content_key() {
    cat "$@" | sha256sum | cut -c1-12
}

# with_lock NAME COMMAND...: one at a time, across processes that share the cache.
with_lock() {
    local lock="$ALTER_CACHE/run/$1.lock"
    shift
    (
        flock 9
        "$@" 9>&-
    ) 9>"$lock"
}

# build_into TARGET COMMAND...: runs COMMAND with a new folder as its last argument, and gives that
# folder the name TARGET once it has succeeded: a TARGET that exists is complete.
build_into() {
    local target=$1 folder
    shift
    folder=$(mktemp -d "$WORK/XXXXXXXX")
    "$@" "$folder"
    chmod 755 "$folder"
    mv -T "$folder" "$target"
}
