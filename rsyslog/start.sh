#!/bin/sh
# Starts rsyslogd and its gate to Elasticsearch; before it, makes good what a killed run left undone.
set -eu
cd /var/spool/rsyslog
mkdir -p again
pid_file=$PWD/rsyslogd.pid

# was_read FILE LINES: rsyslogd's note says that FILE was read but for fewer than LINES, and it is so old that what was read
# had come into the queue before the kill: `settled` is from 5 s before the last sign of life, or more.
was_read() {
    note=$(ls "imfile-state:$(stat -c %i "$1")":* 2>/dev/null) && [ -f "$note" ] && [ "$note" -ot settled ] || return 1
    place=$(sed 's/.*"curr_offs": \([0-9]*\).*/\1/' "$note")
    [ "$(tail -c "+$((place + 1))" "$1" | wc -l)" -lt "$2" ]
}

# rsyslogd removes its pid file when it stops in order. Found here, it was killed. Its notes of how far it had read and sent may
# be wrong then, so files are read again unless it is sure that they need not; and so is its queue, for there may be lines in it
# whose files are gone by now: each stands there as text. Lines that are known already are answered 409.
if [ -e "$pid_file" ]; then
    echo "rsyslog: killed the last time: reading again what it may not have finished"
    rm -rf again/tmp
    mkdir again/tmp
    kept=again/$(date +%s%N).log
    {
        find . -maxdepth 1 -name 'lines.0*' -exec sed -n 's/^+pszRawMsg:[0-9]*:[0-9]*:\({.*"eventId":".*}\):$/\1/p' {} +
        # what was read again after the kill before this one, and not to the end
        for file in again/*.log; do
            if [ ! -e "$file" ]; then
                break
            elif was_read "$file" 100; then
                tail -c "+$((place + 1))" "$file"
            else
                cat "$file"
            fi
        done
    } | LC_ALL=C sort -u -S 32M -T again/tmp >again/tmp/lines
    mv again/tmp/lines "$kept"
    find again -name '*.log' ! -path "$kept" -delete
    for file in /var/log/ecommerce/*.log; do
        [ ! -e "$file" ] || was_read "$file" 1 || rm -f "imfile-state:$(stat -c %i "$file")":*
    done
    rm -f lines.0* lines.qi "$pid_file"
fi
# The two small queues go on by their own notes, unless a kill came while one was written.
for queue in again unparsed; do
    if [ -e "$queue.qi" ] && [ "$(grep -c '^>End' "$queue.qi")" != 3 ]; then
        echo "rsyslog: the notes of the queue $queue are torn: what waited in it is read again only where its file is left"
        rm -f "$queue.qi" "$queue".0*
    fi
done
# The note of a file too small to be told from another (under 512 bytes) would let one that got its inode begin in its midst.
find . -maxdepth 1 -name 'imfile-state:*' ! -name 'imfile-state:*:*' -delete

# Signs of life; and what has served its time: notes of files that are gone, queues that were read again.
touch alive
while :; do
    sleep 5
    mv alive settled
    touch alive
    find . -mmin +1440 \( -name 'imfile-state:*' -o -path './again/*.log' \) -delete
done &

# nginx wants an IPv6 address in brackets
resolver=$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1 | sed '/:/s/.*/[&]/')
sed "s/@RESOLVER@/$resolver/" /etc/rsyslog-gate.conf >/tmp/gate.conf
while :; do
    nginx -e stderr -c /tmp/gate.conf || true
    echo "rsyslog: the gate ended, starting it again"
    sleep 1
done &

# a file's end of line is not part of the password; rsyslog.conf reads the variable
SHIPPER_PASSWORD=$(cat /run/secrets/elasticsearch_shipper)
export SHIPPER_PASSWORD
exec rsyslogd -n -f /etc/rsyslog.conf -i "$pid_file"
