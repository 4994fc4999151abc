#!/bin/sh
# Starts rsyslogd, from the beginning of all log files when it cannot have finished what it read before.
set -eu
cd /var/spool/rsyslog
pid_file=$PWD/rsyslogd.pid

# rsyslogd removes its pid file when it stops in order: found here, it was killed, with lines in memory. And a request that
# Elasticsearch answered with an error as a whole is dropped by omelasticsearch 8.2504 (it waits only for a connection).
# Lines that are known already are answered 409; reading all files takes seconds.
if [ -e "$pid_file" ] || [ -s refused.json ]; then
    echo "rsyslog: the last run did not end well: reading all log files again"
    rm -f "$pid_file" refused.json imfile-state:*
fi

# A refused request ends this run in order; the restart policy starts the next, which reads again.
{
    while sleep 5; do
        if [ -s refused.json ]; then
            echo "rsyslog: Elasticsearch refused a whole request, starting again: $(grep -o '"reply".*' refused.json | tail -n 1 | cut -c 1-500)"
            kill -TERM 1
            exit
        fi
    done
} &

# a file's end of line is not part of the password; rsyslog.conf reads the variable
SHIPPER_PASSWORD=$(cat /run/secrets/elasticsearch_shipper)
export SHIPPER_PASSWORD
exec rsyslogd -n -f /etc/rsyslog.conf -i "$pid_file"
