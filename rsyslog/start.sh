#!/bin/sh
# Starts rsyslogd and its gate to Elasticsearch; before it, makes good what a killed run left undone.
set -eu
cd /var/spool/rsyslog
mkdir -p again
pid_file=$PWD/rsyslogd.pid

# rsyslogd removes its pid file when it stops in order. Found here, it was killed: its notes of how far it had read and sent are
# older than the files they are about. So all log files are read again, and so is its queue, for there may be lines in it whose
# files are gone by now: each stands there as text. Lines that are known already are answered 409.
if [ -e "$pid_file" ]; then
    echo "rsyslog: killed the last time: reading all log files and its queue again"
    # each line once: what was read again after the kill before this one is in the queue, too
    kept=again/$(date +%s%N).log
    {
        find . -maxdepth 1 -name 'lines.0*' -exec sed -n 's/^+pszRawMsg:[0-9]*:[0-9]*:\({.*"eventId":".*}\):$/\1/p' {} +
        find again -name '*.log' -exec cat {} +
    } | LC_ALL=C sort -u -S 32M -T . >again/new
    mv again/new "$kept"
    find again -name '*.log' ! -path "$kept" -delete
    rm -f "$pid_file" imfile-state:* lines.0* lines.qi
fi

# Notes of files that are gone, and queues that were read again, are of no use after a day.
while :; do
    find . -mmin +1440 \( -name 'imfile-state:*' -o -path './again/*.log' \) -delete
    sleep 3600
done &

sed "s/@RESOLVER@/$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1)/" /etc/rsyslog-gate.conf >/tmp/gate.conf
while :; do
    nginx -e stderr -c /tmp/gate.conf || true
    echo "rsyslog: the gate ended, starting it again"
    sleep 1
done &

# a file's end of line is not part of the password; rsyslog.conf reads the variable
SHIPPER_PASSWORD=$(cat /run/secrets/elasticsearch_shipper)
export SHIPPER_PASSWORD
exec rsyslogd -n -f /etc/rsyslog.conf -i "$pid_file"
