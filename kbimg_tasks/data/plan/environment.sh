# What the scripts of a plan share. Each reads this file first; PLAN is the folder of the scripts.
# shellcheck shell=sh

fail() {
    echo "$*" >&2
    exit 1
}

[ -n "${KBIMG_OUT-}" ] || fail "KBIMG_OUT is not set: set it to the folder for the results"
OUT=$(realpath --canonicalize-missing "$KBIMG_OUT")
STAGES=$OUT/stages
KBIMG_SECRETS=${KBIMG_SECRETS-$OUT/secrets}
# shellcheck disable=SC2034
CACHE=$(realpath --canonicalize-missing "${KBIMG_CACHE-@CACHE@}")
# shellcheck disable=SC2034
PYTHON=${KBIMG_PYTHON-@PYTHON@}
PYTHONPATH=$PLAN

# Files that the shell itself writes are readable by root only; programs have 022, see `step`.
umask 077
exec < /dev/null
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

need_root() {
    [ "$(id --user)" = 0 ] ||
        fail "building needs root: packages set owners, and their scriptlets run in a chroot"
}

# begin STAGE: create an empty folder WORK, in which the stage is made.
begin() {
    need_root
    (umask 022 && mkdir --parents "$OUT")
    mkdir --parents "$STAGES"
    STAGE=$1
    WORK=$STAGES/$1.partial
    rm --recursive --force --one-file-system "$WORK"
    mkdir "$WORK"
}

# need FILE...: fail unless the files exist: results of other stages, and the user's files.
need() {
    for file; do
        [ -e "$file" ] || fail "$STAGE: there is no $file; the stages before make what is below $OUT"
    done
}

# first_of PROGRAM...: print the first of these programs that this host has.
first_of() {
    for program; do
        if command -v "$program" > /dev/null; then
            echo "$program"
            return
        fi
    done
    fail "no program $*"
}

# step [NAME=VALUE]... PROGRAM [ARGUMENT]...: run a program in its own mount, PID and other
# namespaces, which end with this shell, and with these variables only: others could change images.
step() {
    exec 3<&0
    # shellcheck disable=SC2016
    {
        umask 022
        cd /
        exec setsid env -i \
@PASSED_ON@
@FIXED@
            PYTHONPATH="$PYTHONPATH" \
            @BUILDER@="$$" \
@CONTAINMENT@
            env "$@"
    } <&3 3<&- &
    exec 3<&-
    wait "$!" || fail "$STAGE: exit status $? of: $*"
}

# age TREE SECONDS: set modification times after the clock, which are those of this build, to it.
age() {
    find "$1" -depth -newermt "@$2" -exec touch --no-dereference --date="@$2" {} +
}

# publish PATH FOLDER: move a complete file or tree to its place.
publish() {
    mkdir --parents "$2"
    place=$2/$(basename "$1")
    [ ! -d "$place" ] || rm --recursive --one-file-system "$place"
    mv --no-target-directory "$1" "$place"
}

# finish: delete the work folder of the completed stage.
finish() {
    rm --recursive --force --one-file-system "$WORK"
}

# secrets NAME...: make sure that KBIMG_SECRETS has a file for each secret. Prompt for missing ones, and
# keep them in memory, in files that only root can read, until this script ends.
secrets() {
    lacking=
    for name; do
        if [ ! -f "$KBIMG_SECRETS/$name" ]; then
            lacking=yes
        elif [ -n "$(find -L "$KBIMG_SECRETS/$name" -perm /077)" ]; then
            fail "$KBIMG_SECRETS/$name can be read by others: chmod 600 it"
        fi
    done
    [ -n "$lacking" ] || return 0
    asked=$(mktemp --directory /dev/shm/kbimg-secrets.XXXXXX)
    trap 'rm --recursive --force "$asked"; [ -z "${terminal-}" ] || stty "$terminal" < /dev/tty' EXIT
    for name; do
        if [ -f "$KBIMG_SECRETS/$name" ]; then
            ln --symbolic "$(realpath "$KBIMG_SECRETS/$name")" "$asked/$name"
        else
            ask "$name"
        fi
    done
    KBIMG_SECRETS=$asked
}

# ask NAME: read a secret from the terminal without echo.
ask() {
    (: < /dev/tty) 2> /dev/null ||
        fail "there is no $KBIMG_SECRETS/$1, and no terminal to ask for it at"
    printf '%s: ' "$1" > /dev/tty
    terminal=$(stty -g < /dev/tty)
    stty -echo < /dev/tty
    IFS= read -r answer < /dev/tty
    stty "$terminal" < /dev/tty
    printf '\n' > /dev/tty
    printf '%s\n' "$answer" > "$asked/$1"
}
