# The locale of this machine, unless the session has one already.

if [ -z "${LANG-}" ] && [ -r /etc/locale.conf ]; then
    . /etc/locale.conf
    export LANG
fi
