#!/bin/bash
# The official image's contract, see the Dockerfile.
set -e
umask 0002

# `eswrapper` and `elasticsearch …` start the server with the arguments that follow; anything else is run as it is
case $(basename "$1") in
    eswrapper | elasticsearch) shift ;;
    *) exec "$@" ;;
esac

# shellcheck source=/dev/null # comes with Elasticsearch: turns NAME_FILE into NAME and checks the file's mode
source /usr/share/elasticsearch/bin/elasticsearch-env-from-file

if [[ -n "$ELASTIC_PASSWORD" ]]; then
    [[ -f config/elasticsearch.keystore ]] || elasticsearch-keystore create
    elasticsearch-keystore list | grep -q '^bootstrap.password$' ||
        elasticsearch-keystore add -x bootstrap.password <<<"$ELASTIC_PASSWORD"
fi

if [[ "$ES_LOG_STYLE" == file ]]; then
    cp -f config/log4j2.file.properties config/log4j2.properties
fi

exec elasticsearch "$@"
