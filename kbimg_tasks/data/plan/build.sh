#!/bin/sh
# @IMAGE@: @SUMMARY@
#
# Runs the scripts of the stages one after the other. As root:
#
#     KBIMG_OUT=DIR [KBIMG_SECRETS=DIR] sh build.sh
#
# KBIMG_OUT is the directory for the results; `stages` in it has intermediate files. KBIMG_SECRETS, by
# default KBIMG_OUT/secrets, has a file of mode 600 for each secret, with the value of the option of this
# name in kbimg.toml. Missing secrets are asked for before the build. The secrets are:
#
@SECRETS_TOLD@
#
# KBIMG_CACHE is the directory of downloaded packages, KBIMG_PYTHON the Python that runs the programs
# in kbimg_tasks/tools; environment.sh has the defaults.
set -eu
PLAN=$(dirname "$(realpath "$0")")
# shellcheck source=/dev/null
. "$PLAN/environment.sh"

# have PROGRAM...: check that the programs exist; an argument may list alternatives.
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
    [ -z "$lacking" ] || fail "missing programs: $lacking"
}

# runs TOOL...: check that the Python can run these tools.
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
