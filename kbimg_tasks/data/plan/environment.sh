# What the scripts of a plan have in common. Each reads this file first; PLAN is their folder.
# shellcheck shell=sh

fail() {
    echo "$*" >&2
    exit 1
}

[ -n "${KBIMG_OUT-}" ] || fail "KBIMG_OUT is not set: it names the folder that is to get the results"
OUT=$(realpath --canonicalize-missing "$KBIMG_OUT")
STAGES=$OUT/stages
KBIMG_SECRETS=${KBIMG_SECRETS-$OUT/secrets}
# shellcheck disable=SC2034
CACHE=$(realpath --canonicalize-missing "${KBIMG_CACHE-@CACHE@}")
# shellcheck disable=SC2034
PYTHON=${KBIMG_PYTHON-@PYTHON@}
PYTHONPATH=$PLAN

# What the shell itself writes between steps is for root alone; programs have 022, see `step`.
umask 077
exec < /dev/null
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

need_root() {
    [ "$(id --user)" = 0 ] ||
        fail "building needs root: packages set owners, and their scriptlets run in a chroot"
}

# begin STAGE: an empty folder WORK, in which the stage is made.
begin() {
    need_root
    (umask 022 && mkdir --parents "$OUT")
    mkdir --parents "$STAGES"
    STAGE=$1
    WORK=$STAGES/$1.partial
    rm --recursive --force --one-file-system "$WORK"
    mkdir "$WORK"
}

# need FILE...: what other stages have made, and the user's files.
need() {
    for file; do
        [ -e "$file" ] || fail "$STAGE: there is no $file; the stages before make what is below $OUT"
    done
}

# first_of PROGRAM...: the first that this host has.
first_of() {
    for program; do
        if command -v "$program" > /dev/null; then
            echo "$program"
            return
        fi
    done
    fail "no program $*"
}

# step [NAME=VALUE]... PROGRAM [ARGUMENT]...: run a program in mount, PID and other namespaces of its
# own, which end with this shell, and with these variables only: others would make images differ.
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

# age TREE SECONDS: what is newer than the clock was made just now, and gets the clock's time.
age() {
    find "$1" -depth -newermt "@$2" -exec touch --no-dereference --date="@$2" {} +
}

# publish PATH FOLDER: what is whole, put into its place.
publish() {
    mkdir --parents "$2"
    place=$2/$(basename "$1")
    [ ! -d "$place" ] || rm --recursive --one-file-system "$place"
    mv --no-target-directory "$1" "$place"
}

# finish: the stage is made, and what it needed for that is deleted.
finish() {
    rm --recursive --force --one-file-system "$WORK"
}

# secrets NAME...: see to it that KBIMG_SECRETS has a file for each. What is not there is asked for, and
# kept in memory, in files that only root can read, for as long as this script runs.
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

# ask NAME: the secret, typed without being shown.
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
