#!/bin/sh
# @IMAGE@: @SUMMARY@
#
# Runs the scripts of the stages one after the other. As root:
#
#     KBIMG_OUT=DIR [KBIMG_SECRETS=DIR] sh build.sh
#
# KBIMG_OUT gets the results, and in `stages` what they are made of. KBIMG_SECRETS, or else
# KBIMG_OUT/secrets, has a file of mode 600 for each secret, and in it the value that the option of
# this name has in kbimg.toml. What is not there is asked for before anything is made. They are:
#
@SECRETS_TOLD@
#
# KBIMG_CACHE is for downloaded packages, and KBIMG_PYTHON is the Python that the programs of
# kbimg_tasks/tools run under; environment.sh has what they are when not given.
set -eu
PLAN=$(dirname "$(realpath "$0")")
# shellcheck source=/dev/null
. "$PLAN/environment.sh"

# have PROGRAM...: each word is a program, or several of which one will do.
have() {
    lacking=
    for programs; do
        found=
        for program in $programs; do
            if command -v "$program" > /dev/null; then
                found=yes
            fi
        done
        [ -n "$found" ] || lacking="$lacking${lacking:+, }$(echo "$programs" | sed 's/ / or /g')"
    done
    [ -z "$lacking" ] || fail "these programs are not there: $lacking"
}

# runs TOOL...: the Python can run those of kbimg_tasks/tools.
runs() {
    for tool; do
        (cd / && PYTHONPATH=$PLAN PYTHONDONTWRITEBYTECODE=1 \
            "$PYTHON" -c "import kbimg_tasks.tools.$tool") ||
            fail "$PYTHON cannot run kbimg_tasks.tools.$tool; KBIMG_PYTHON= names another Python"
    done
}

# stage NAME: run its script, which ends when this shell does.
stage() {
    echo "== $1"
    setpriv --pdeathsig KILL -- sh "$PLAN/$1.sh" &
    wait "$!"
}

need_root
have \
@PROGRAMS@
runs \
@TOOLS@
@SECRETS@
export KBIMG_OUT="$OUT" KBIMG_SECRETS KBIMG_CACHE="$CACHE" KBIMG_PYTHON="$PYTHON"

@STAGES@
