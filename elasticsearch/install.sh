#!/bin/sh
# Installs what this folder holds into Elasticsearch, and says what it did. As often as wanted: everything is put by name,
# and an index that exists keeps its mapping. Needs curl alone, so that the Elasticsearch image can run it.
#   ELASTICSEARCH_URL    where it is
#   LOG_RETENTION_DAYS   after how many days an index of logs is deleted
set -eu

here=$(dirname "$0")
case ${LOG_RETENTION_DAYS:=30} in
'' | *[!0-9]* | 0*)
    echo "elasticsearch-setup: LOG_RETENTION_DAYS is \"$LOG_RETENTION_DAYS\"; it must be a whole number of days, 1 or more" >&2
    exit 2
    ;;
esac

# The password stays out of the process list: curl reads it from a file of its own.
umask 077
netrc=$(mktemp)
answer=$(mktemp)
trap 'rm -f "$netrc" "$answer"' EXIT
host=${ELASTICSEARCH_URL#*://}
printf 'machine %s login elastic password %s\n' "${host%%:*}" "$(cat /run/secrets/elastic)" >"$netrc"

# ask METHOD PATH [curl options]: prints the HTTP status, leaves the answer in $answer
ask() {
    method=$1 path=$2
    shift 2
    curl --silent --show-error --netrc-file "$netrc" --retry 5 --retry-connrefused --max-time 30 \
        --output "$answer" --write-out '%{http_code}' --request "$method" \
        --header 'Content-Type: application/json' "$@" "$ELASTICSEARCH_URL/$path"
}

# put KIND NAME FILE
put() {
    status=$(ask PUT "$1/$2" --data-binary @-) <"$3"
    case $status in
    2*) echo "installed $1/$2" ;;
    *)
        echo "elasticsearch-setup: $3 was refused with $status: $(cat "$answer")" >&2
        exit 1
        ;;
    esac
}

templates() {
    for file in "$here/component-templates/"*.json; do
        name=$(basename "$file" .json)
        [ "$name" = ecommerce-logs-retention ] || put _component_template "$name" "$file"
    done
}

# An Elasticsearch without the lifecycle module answers 400 to its address (or 405, where it takes it for an index's).
status=$(ask GET _ilm/status)
case $status in
200)
    sed "s/@LOG_RETENTION_DAYS@/$LOG_RETENTION_DAYS/" "$here/lifecycle-policies/ecommerce-logs.json" >"$answer.policy"
    put _ilm/policy ecommerce-logs "$answer.policy"
    rm -f "$answer.policy"
    put _component_template ecommerce-logs-retention "$here/component-templates/ecommerce-logs-retention.json"
    templates
    ;;
400 | 404 | 405)
    templates
    echo "this Elasticsearch has no index lifecycle management: old indices are deleted by elasticsearch/delete-old-indices.sh instead"
    ;;
*)
    echo "elasticsearch-setup: asked for lifecycle management, Elasticsearch answered $status: $(cat "$answer")" >&2
    exit 1
    ;;
esac
for file in "$here/index-templates/"*.json; do
    put _index_template "$(basename "$file" .json)" "$file"
done
