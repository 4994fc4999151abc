#!/bin/sh
# Caddy reads no password from a file, and wants its hash. The password is random, so the hash need not be slow: a higher
# cost would only let a stranger's wrong guesses keep a processor busy.
set -eu

EDGE_PASSWORD_HASH=$(caddy hash-password --bcrypt-cost 10 </run/secrets/edge)
export EDGE_PASSWORD_HASH
exec caddy run --config /etc/caddy/Caddyfile
