#!/bin/bash
# The official image's contract, see the Dockerfile.
set -Eeo pipefail

# from_file NAME [DEFAULT]: NAME is its own value, else the content of the file NAME_FILE, else DEFAULT.
from_file() {
    local name=$1 file="${1}_FILE"
    if [[ -n "${!name}" && -n "${!file}" ]]; then
        echo "error: both $name and $file are set, but only one may be" >&2
        exit 1
    fi
    if [[ -n "${!file}" ]]; then
        printf -v "$name" %s "$(<"${!file}")"
    elif [[ -z "${!name}" ]]; then
        printf -v "$name" %s "${2-}"
    fi
    export "${name?}"
    unset "$file"
}

sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "$0: $file"
        case $file in
            # a file that is not executable is sourced, so that it can use the variables above
            *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
            *.sql) sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.xz) xzcat "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.zst) zstd -dc "$file" | sql --dbname "$POSTGRES_DB" ;;
            *) echo "$0: ignored" ;;
        esac
    done
}

# first_start ARGUMENT...: makes the cluster, the user and the database, and runs the files of /docker-entrypoint-initdb.d.
first_start() {
    if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
        echo "Error: Database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD or" \
            "POSTGRES_PASSWORD_FILE to a non-empty value (or POSTGRES_HOST_AUTH_METHOD=trust)." >&2
        exit 1
    fi
    # before anything is made: a folder that cannot be listed must not leave a half-made cluster behind
    ls /docker-entrypoint-initdb.d/ >/dev/null
    [[ -z $POSTGRES_INITDB_WALDIR ]] || POSTGRES_INITDB_ARGS+=" --waldir=$POSTGRES_INITDB_WALDIR"
    # eval: POSTGRES_INITDB_ARGS is a command line, with quotes
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD")' "$POSTGRES_INITDB_ARGS"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "${@:2}")}" \
        >>"$PGDATA/pg_hba.conf"

    # socket only: nobody may mistake it for the server that is ready
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}")" -w start
    [[ -n $(sql --dbname postgres -v name="$POSTGRES_DB" -At <<<"SELECT 1 FROM pg_database WHERE datname = :'name'") ]] ||
        sql --dbname postgres -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
    run_init_files
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

[[ $1 != -* ]] || set -- postgres "$@"

if [[ $1 == postgres && ! " $* " =~ \ (-\?|--help|--describe-config|-V|--version)\  ]]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA" || true
    chmod 3775 /var/run/postgresql || true
    [[ -z $POSTGRES_INITDB_WALDIR ]] || mkdir -p -m 0700 "$POSTGRES_INITDB_WALDIR"
    if [[ $(id -u) == 0 ]]; then
        find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \! -user postgres \
            -exec chown postgres '{}' +
        exec gosu postgres "$0" "$@"
    fi
    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER postgres
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS
        first_start "$@"
    fi
fi

exec "$@"
