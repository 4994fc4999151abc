#!/bin/sh
# Run as root by the `init` service, before everything else. Each argument is a line "directory owner secret…": the
# secrets are copied from /from into /to/<directory> for that owner alone (0400: Elasticsearch insists on it). One written
# `secret?` may be empty. Volumes that several users write to are made so.
set -euf # f: a `?` is no pattern here

is_there() {
    case $1 in
        *\?) [ -e "/from/${1%\?}" ] ;;
        *) [ -s "/from/$1" ] ;;
    esac
}

for line in "$@"; do
    # shellcheck disable=SC2086 # the line is words
    set -- $line
    directory=/to/$1 owner=$2
    shift 2
    chown "$owner" "$directory"
    chmod 700 "$directory"
    for wanted in "$@"; do
        name=${wanted%\?}
        if ! is_there "$wanted"; then
            echo "init: the secret .secrets/$name is missing or empty: run \"make up\", it makes what is missing" >&2
            exit 1
        fi
        # by rename, so that a reader never sees half a file
        cp "/from/$name" "$directory/.$name"
        chown "$owner" "$directory/.$name"
        chmod 400 "$directory/.$name"
        mv "$directory/.$name" "$directory/$name"
    done
done

# Written by the Python services, read by the log shipper.
chown 10001:10001 /volumes/logs
chmod 755 /volumes/logs
# The edge's certificates.
chown 65534:65534 /volumes/edge
