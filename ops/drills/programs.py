"""What drills run inside of containers: programs for the Python there, scripts for the shell."""

HOLD_CONNECTIONS = """
import asyncio, os, sys, time
import asyncpg

async def main(wanted, seconds):
    password = open(os.environ["POSTGRES_PASSWORD_FILE"]).read().strip()
    held = []
    for _ in range(wanted):
        held.append(await asyncpg.connect(
            host=os.environ["POSTGRES_HOST"], database=os.environ["POSTGRES_DB"], user=os.environ["POSTGRES_USER"],
            password=password, server_settings={"application_name": "drill"}))
    until = time.time() + seconds
    while time.time() < until and not all(connection.is_closed() for connection in held):
        await asyncio.sleep(1)

asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
"""
"""Connections to PostgreSQL by the name of `drill`: how many, for how many seconds. It ends when they are ended."""

END_CONNECTIONS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'drill'"
FREE_CONNECTIONS = "SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity"

DEADLOCK = """
lock() {
  take="SELECT pg_advisory_xact_lock"
  psql -qAt -U shop -d shop -c "$take($1); SELECT pg_sleep(1); $take($2)" >/dev/null 2>&1
}
lock 4711 4712 & lock 4712 4711 || true
wait || true
"""
"""Two transactions that take the same two locks in either order; PostgreSQL ends one of them."""

FILL = """
local function share()
  local memory = redis.call('INFO', 'memory')
  return tonumber(memory:match('used_memory:(%d+)')) / tonumber(memory:match('maxmemory:(%d+)'))
end
local number = 0
while share() < tonumber(ARGV[1]) do
  number = number + 1
  redis.call('SET', 'drill:' .. number, string.rep('x', 200000), 'EX', ARGV[2])
end
return number
"""
"""Values in Redis, up to a share of its memory, for so many seconds. Small ones: large ones are rounded up by much."""

EMPTY = "for number = 1, 1000 do redis.call('UNLINK', 'drill:' .. number) end"

REFUSE_CONNECTIONS = """
export REDISCLI_AUTH=$(cat /run/secrets/redis)
many=$(redis-cli info clients | sed -n 's/^connected_clients:\\([0-9]*\\).*/\\1/p')
(
  echo "CONFIG SET maxclients $many"; sleep 3; echo "CONFIG SET maxclients 10000"
) | redis-cli -e >/dev/null &
sleep 1
for _ in 1 2 3; do redis-cli ping >/dev/null 2>&1 || true; done
wait
"""
"""For three seconds no connection is let in beyond those there are. One of them, held open, puts it right again."""

BLOCK = """
curl -sS --fail-with-body -o /dev/null -u "elastic:$(cat /run/secrets/elastic)" -H "Content-Type: application/json" \\
  -X PUT "http://127.0.0.1:9200/jaeger-span-*/_settings" -d "$1"
"""
"""Change a setting of the indices that hold spans."""

BUSY = """
import multiprocessing, os, sys, time

def burn(until):
    while time.time() < until and os.path.exists("/tmp/drill"):
        for _ in range(1_000_000):
            pass

if __name__ == "__main__":
    open("/tmp/drill", "w").close()
    for _ in range(os.cpu_count() or 1):
        multiprocessing.Process(target=burn, args=(time.time() + float(sys.argv[1]),)).start()
"""
"""As many busy processes as there are CPUs, for so many seconds or until /tmp/drill is gone."""
