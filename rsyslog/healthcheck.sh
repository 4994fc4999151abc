#!/bin/sh
# Is the shipper keeping up? Elasticsearch may be away: then lines wait in the queue, and that is no illness of the shipper's.
# It is one when files grow unread (it hangs, or its queue is full), for a file is removed after five more of its size.
set -eu
limit=10000000 # bytes unread in all files: two of the five

# rsyslogd opens a file more than once: the place furthest on is where it reads
unread=$(
    for fd in /proc/1/fd/*; do
        file=$(readlink "$fd") || continue
        case $file in /var/log/ecommerce/*.log) ;; *) continue ;; esac
        read -r _ position <"/proc/1/fdinfo/${fd##*/}" && size=$(stat -c %s "$file") || continue
        echo "$file $((size - position))"
    done 2>/dev/null | awk '!($1 in left) || $2 < left[$1] { left[$1] = $2 } END { for (file in left) sum += left[file]; print sum + 0 }'
)
if [ "$unread" -gt "$limit" ]; then
    echo "$unread bytes of log lines are unread: is Elasticsearch there, is /var/spool/rsyslog full?"
    exit 1
fi
if [ -s /var/spool/rsyslog/refused.json ]; then
    echo "Elasticsearch refused a whole request: $(tail -n 1 /var/spool/rsyslog/refused.json | grep -o '"reply".*' | cut -c 1-300)"
    exit 1
fi
# rsyslogd is process 1 only once start.sh became it
read -r name </proc/1/comm
[ "$name" = rsyslogd ] || { echo "rsyslogd is not running, but $name"; exit 1; }
