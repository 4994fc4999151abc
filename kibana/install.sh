#!/bin/sh
# Imports the saved objects beside it into Kibana, as often as wanted: what has the same id is replaced.
#   KIBANA_URL   where it is
set -eu

here=$(dirname "$0")
# The password stays out of the process list: curl reads it from a file of its own.
umask 077
netrc=$(mktemp)
answer=$(mktemp)
trap 'rm -f "$netrc" "$answer"' EXIT
host=${KIBANA_URL#*://}
printf 'machine %s login elastic password %s\n' "${host%%[:/]*}" "$(cat /run/secrets/elastic)" >"$netrc"

for file in "$here/saved-objects/"*.ndjson; do
    status=$(curl --silent --show-error --netrc-file "$netrc" --retry 5 --retry-connrefused --max-time 60 \
        --output "$answer" --write-out '%{http_code}' --header 'kbn-xsrf: true' --form "file=@$file" \
        "$KIBANA_URL/api/saved_objects/_import?overwrite=true" || true)
    # 200 may still tell of objects that were refused
    if [ "$status" != 200 ] || ! grep -q '"success":true' "$answer"; then
        echo "kibana-setup: $file was refused with $status: $(cat "$answer")" >&2
        exit 1
    fi
    echo "installed $(basename "$file"): $(grep -o '"successCount":[0-9]*' "$answer" | cut -d: -f2) objects"
done
