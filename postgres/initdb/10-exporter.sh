#!/bin/sh
# Run once, on an empty data folder, by the image's entrypoint: the user that postgres-exporter reads statistics as.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat /run/secrets/postgres_exporter)" <<'SQL'
CREATE ROLE exporter LOGIN PASSWORD :'password' CONNECTION LIMIT 5;
GRANT pg_monitor TO exporter;
SQL
