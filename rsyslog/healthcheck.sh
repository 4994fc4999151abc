#!/bin/sh
# Is the shipper keeping up? Elasticsearch may be away: then lines wait in the queue, and that is no illness of the shipper's.
# It is one when the queue is nearly full, or when files grow unread, for a file is removed after five more of its size.
set -eu
most_unread=10000000 # bytes in all files: two of the five
most_queued=800      # MiB, of the 1024 of rsyslog.conf

# A file that rsyslogd has not opened is unread; one that it opened more than once is read as far as the furthest place.
unread=$(
    {
        stat -c '%n %s' /var/log/ecommerce/*.log
        for fd in /proc/1/fd/*; do
            file=$(readlink "$fd") || continue
            case $file in /var/log/ecommerce/*.log) ;; *) continue ;; esac
            read -r _ position <"/proc/1/fdinfo/${fd##*/}" && size=$(stat -c %s "$file") || continue
            echo "$file $((size - position))"
        done
    } 2>/dev/null | awk '!($1 in left) || $2 < left[$1] { left[$1] = $2 } END { for (file in left) sum += left[file]; print sum + 0 }'
)
if [ "$unread" -gt "$most_unread" ]; then
    echo "$unread bytes of log lines are unread: is /var/spool/rsyslog full?"
    exit 1
fi
queued=$(du -cm /var/spool/rsyslog/lines.0* 2>/dev/null | tail -n 1 | cut -f 1)
if [ "${queued:-0}" -gt "$most_queued" ]; then
    echo "$queued MiB wait for Elasticsearch: when it is 1024, lines get lost with their files"
    exit 1
fi
# rsyslogd is process 1 only once start.sh became it
read -r name </proc/1/comm
[ "$name" = rsyslogd ] || { echo "rsyslogd is not running, but $name"; exit 1; }
