#!/bin/sh
# The official image's contract, see the Dockerfile.
set -e

case $1 in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
    # as root without the right to become somebody else it stays root
    if [ "$(id -u)" = 0 ] && setpriv --reuid redis --regid redis --clear-groups true 2>/dev/null; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
    fi
    case $2 in
        '' | -*) set -- "$@" --protected-mode no ;; # no configuration file
    esac
fi

[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
