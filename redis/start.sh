#!/bin/sh
# Redis expands no variables, and a password on its command line shows in `ps`: it is given on standard input, which
# `redis-server -` reads as its configuration.
set -eu

exec docker-entrypoint.sh redis-server - <<CONFIGURATION
$(cat /etc/redis/redis.conf)
requirepass $(cat /run/secrets/redis)
CONFIGURATION
