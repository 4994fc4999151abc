#!/bin/sh
# Deletes indices that are named by day when the day is too long ago: Jaeger's, which nobody else would, and the logs'
# where Elasticsearch has no lifecycle management (where it has, they are gone already). Every hour; `once` for one time.
#   ELASTICSEARCH_URL      where it is
#   LOG_RETENTION_DAYS     for ecommerce-logs-*
#   TRACE_RETENTION_DAYS   for jaeger-*
set -eu

here=$(dirname "$0")
# shellcheck source=elasticsearch/ask.sh
. "$here/ask.sh"
days LOG_RETENTION_DAYS "${LOG_RETENTION_DAYS:=30}"
days TRACE_RETENTION_DAYS "${TRACE_RETENTION_DAYS:=7}"
login retention /run/secrets/elasticsearch_retention

# sweep PATTERN DAYS: returns 1 when Elasticsearch did not do it all
sweep() {
    oldest=$(date -u -d "-$2 days" +%Y%m%d)
    status=$(ask GET "_cat/indices/$1?h=index")
    if [ "$status" != 200 ]; then
        echo "elasticsearch-retention: asked for the names of $1, the answer was $status: $(cat "$answer")" >&2
        return 1
    fi
    names=$(cat "$answer")
    for name in $names; do
        # the last ten characters, YYYY.MM.DD or YYYY-MM-DD, as a number; what ends otherwise is not ours to judge
        day=$(echo "$name" | sed -n 's/.*-\([0-9]\{4\}\)[.-]\([0-9]\{2\}\)[.-]\([0-9]\{2\}\)$/\1\2\3/p')
        [ -n "$day" ] && [ "$day" -lt "$oldest" ] || continue
        status=$(ask DELETE "$name")
        case $status in
        200 | 404) echo "deleted $name, older than $2 days" ;;
        *)
            echo "elasticsearch-retention: deleting $name was refused with $status: $(cat "$answer")" >&2
            return 1
            ;;
        esac
    done
}

sweep_all() {
    sweep 'ecommerce-logs-*' "$LOG_RETENTION_DAYS" && sweep 'jaeger-*' "$TRACE_RETENTION_DAYS"
}

if [ "${1-}" = once ]; then
    sweep_all
    exit
fi
trap 'exit 0' TERM INT
while :; do
    pause=60
    if sweep_all; then
        touch /tmp/swept # the health check looks at its age
        pause=3600
    fi
    # in the background, or the shell would hear SIGTERM only after the hour
    sleep "$pause" &
    wait $!
done
