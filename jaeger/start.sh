#!/bin/sh
# Starts Jaeger by settings that its configuration files cannot express; further arguments are passed on.
#   TRACES_KEPT_PERCENT      share of the traces that are kept, beside all with an error and all that are slow
#   TRACES_DECISION_WAIT     under 100 %: how long a trace is waited for before that is decided (tail-sampling.yaml)
#   KIBANA_URL, GRAFANA_URL  where a trace's links to its logs lead (ui.json)
set -eu

here=${0%/*}
: "${TRACES_KEPT_PERCENT:=100}"
wrong() {
    echo "jaeger: TRACES_KEPT_PERCENT: must be a number from 0 to 100, but it is '$TRACES_KEPT_PERCENT'" >&2
    exit 2
}
case $TRACES_KEPT_PERCENT in
100 | 100.0) ;;
*[!0-9.]* | *.*.* | *.) wrong ;;
[0-9] | [0-9][0-9] | [0-9].* | [0-9][0-9].*) set -- --config="$here/tail-sampling.yaml" "$@" ;;
*) wrong ;;
esac

# replace TEXT OLD NEW: the first OLD in TEXT becomes NEW
replace() {
    case $1 in
    *"$2"*) printf '%s%s%s' "${1%%"$2"*}" "$3" "${1#*"$2"}" ;;
    *) printf '%s' "$1" ;;
    esac
}
ui=$(cat "$here/ui.json")
ui=$(replace "$ui" http://localhost:5601 "${KIBANA_URL:-http://localhost:5601}")
ui=$(replace "$ui" http://localhost:3001 "${GRAFANA_URL:-http://localhost:3001}")
printf '%s\n' "$ui" >/tmp/ui.json

exec /cmd/jaeger/jaeger-linux --config="$here/config.yaml" \
    --config="yaml:extensions::jaeger_query::ui::config_file: /tmp/ui.json" "$@"
