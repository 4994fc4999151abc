# Sourced by the scripts beside it, to ask Elasticsearch at ELASTICSEARCH_URL. Needs curl alone, so that the Elasticsearch
# image can run it.

# days NAME VALUE: stops with a message unless VALUE is a number of days
days() {
    case $2 in
    '' | *[!0-9]* | 0* | ?????*)
        echo "$1 is \"$2\"; it must be a whole number of days, 1 to 9999" >&2
        exit 2
        ;;
    esac
}

# login USER PASSWORD_FILE: for all that is asked after it. The password stays out of the process list: curl reads it from
# a file of its own.
login() {
    umask 077
    netrc=$(mktemp)
    answer=$(mktemp)
    trap 'rm -f "$netrc" "$answer"' EXIT
    host=${ELASTICSEARCH_URL#*://}
    printf 'machine %s login %s password %s\n' "${host%%[:/]*}" "$1" "$(cat "$2")" >"$netrc"
}

# ask METHOD PATH [curl options]: prints the HTTP status (000 when there was none), leaves the answer in $answer
ask() {
    method=$1 path=$2
    shift 2
    curl --silent --show-error --netrc-file "$netrc" --retry 5 --retry-connrefused --max-time 30 \
        --output "$answer" --write-out '%{http_code}' --request "$method" \
        --header 'Content-Type: application/json' "$@" "$ELASTICSEARCH_URL/$path" || true
}
