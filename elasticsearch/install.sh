#!/bin/sh
# Installs what this folder holds into Elasticsearch, and says what it did. As often as wanted: everything is put by name,
# and an index that exists keeps its mapping; the next day's has the new one.
#   ELASTICSEARCH_URL    where it is
#   LOG_RETENTION_DAYS   after how many days an index of logs is deleted
set -eu

here=$(dirname "$0")
# shellcheck source=elasticsearch/ask.sh
. "$here/ask.sh"
days LOG_RETENTION_DAYS "${LOG_RETENTION_DAYS:=30}"
login elastic /run/secrets/elastic

# put PATH: from standard input
put() {
    status=$(ask PUT "$1" --data-binary @-)
    case $status in
    2*) echo "installed $1" ;;
    *)
        echo "elasticsearch-setup: $1 was refused with $status: $(cat "$answer")" >&2
        exit 1
        ;;
    esac
}

# An Elasticsearch without the lifecycle module takes the address for an index's, and answers 400 or 405.
status=$(ask GET _ilm/status)
case $status in
200) complete=true ;;
400 | 404 | 405) complete=false ;;
*)
    echo "elasticsearch-setup: asked $ELASTICSEARCH_URL for lifecycle management, the answer was $status: $(cat "$answer")" >&2
    exit 1
    ;;
esac

if $complete; then
    sed "s/@LOG_RETENTION_DAYS@/$LOG_RETENTION_DAYS/" "$here/lifecycle-policies/ecommerce-logs.json" |
        put _ilm/policy/ecommerce-logs
else
    echo "this Elasticsearch has no lifecycle management (ILM): elasticsearch-retention alone deletes its old indices"
fi
for file in "$here/component-templates/"*.json; do
    name=$(basename "$file" .json)
    if $complete || [ "$name" != ecommerce-logs-retention ]; then
        put "_component_template/$name" <"$file"
    fi
done
for file in "$here/index-templates/"*.json; do
    put "_index_template/$(basename "$file" .json)" <"$file"
done

# Kibana's own user is born without a password. A build without lifecycle management has no place to keep one either.
if $complete && [ -s /run/secrets/kibana_system ]; then
    printf '{"password":"%s"}' "$(cat /run/secrets/kibana_system)" | put _security/user/kibana_system/_password
fi
