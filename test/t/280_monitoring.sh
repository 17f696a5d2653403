#!/bin/bash
# What docs/operations.md says about monitoring, done: postgres_exporter of Debian with docs/postgres_exporter.yaml, as a role that has
# pg_monitor and nothing else; the check for Nagios and the like, with its exit codes.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/router-monitoring.XXXXXX")
n=0
pid=
trap '[ -z "$pid" ] || kill $pid; rm -rf "$work"' EXIT
ok() { # condition, name
	n=$((n + 1))
	if [ "$1" = true ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
is() { # have, want, name
	ok "$([ "$1" = "$2" ] && echo true)" "$3"
	[ "$1" = "$2" ] || printf '# have: %s\n# want: %s\n' "$1" "$2"
}
has() { # text, pattern, name
	ok "$(grep -qE "$2" <<<"$1" && echo true)" "$3"
	grep -qE "$2" <<<"$1" || grep -E "${2%%\{*}|level=" <<<"$1" | head -5 | sed 's/^/# /'
}
query() { psql -XqAt -c "$1"; }

monitor=router_monitoring_$$
query "CREATE ROLE $monitor LOGIN IN ROLE pg_monitor;
	CREATE TABLE sensor_log (read_at timestamptz, value numeric); CREATE INDEX ON sensor_log (read_at);
	SELECT router.create_route('sensor_log', router.by_date('read_at', 'month'), hot => '8 days')" >/dev/null

# the block of operations.md after "check_router"
awk '/<!-- check_router -->/ { found = 1 } found && /^```$/ { exit } found && inside { print } found && /^```sh/ { inside = 1 }' \
	"$here/../../docs/operations.md" >"$work/check_router"
check() { PGUSER=$monitor bash "$work/check_router" "$PGDATABASE" 2>&1; echo "exit $?"; }
nice() { grep -v 'not preloaded$' || true; }
has "$(check)" 'WARNING: sensor_log: no children to come' 'a table that was never maintained is a warning'
has "$(check)" '^exit 1$' 'which is 1'
query "CALL router.maintain()" >/dev/null 2>&1
query "ALTER DATABASE \"$PGDATABASE\" SET session_preload_libraries = 'router'"
has "$(check)" '^OK: 1 routed tables?$' 'all is well'
has "$(check)" '^exit 0$' 'which is 0'
query 'ALTER TABLE sensor_log DISABLE TRIGGER "~router_route"'
has "$(check)" '^CRITICAL: sensor_log: triggers missing$' 'rows would not go home'
has "$(check)" '^exit 2$' 'which is 2'
has "$(PGUSER=$monitor PGPORT=1 bash "$work/check_router" "$PGDATABASE" 2>&1; echo "exit $?")" '^exit 3$' 'no answer is 3'

exporter=$(command -v prometheus-postgres-exporter)
if [ -z "$exporter" ] && command -v apt-get >/dev/null; then
	# the package as such would start a service of the machine
	(cd "$work" && timeout 60 apt-get -q download prometheus-postgres-exporter && dpkg-deb -x prometheus-postgres-exporter_*.deb x) >/dev/null 2>&1
	exporter=$(ls "$work"/x/usr/bin/prometheus-postgres-exporter 2>/dev/null)
fi
if [ -z "$exporter" ]; then
	echo "# skip: prometheus-postgres-exporter is not to be had"
	echo "1..$n"
	exit
fi
port=$((20000 + $$ % 20000))
DATA_SOURCE_NAME="user=$monitor host=$PGHOST port=$PGPORT dbname=$PGDATABASE sslmode=disable options=-clock_timeout=1s" "$exporter" --disable-default-metrics --disable-settings-metrics \
	--extend.query-path="$here/../../docs/postgres_exporter.yaml" --web.listen-address=127.0.0.1:$port >"$work/log" 2>&1 &
pid=$!
metrics=
for _ in $(seq 50); do
	metrics=$(python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:$port/metrics').read().decode())" 2>/dev/null) && break
	sleep 0.2
done
has "$metrics" "^router_health_problems\{base=\"sensor_log\",datname=\"$PGDATABASE\",owner=\"[^\"]+\"(,server=\"[^\"]*\")?\} 1$" 'postgres_exporter: a problem'
has "$metrics" '^router_health_triggers_in_place\{[^}]*\} 0$' 'which one'
has "$metrics" '^router_health_preloaded\{[^}]*\} 1$' 'what is right'
has "$metrics" '^router_health_maintain_age_seconds\{[^}]*\} [0-9.e+-]+$' 'the age of the last run'
has "$metrics" '^router_table_children\{[^}]*\} 2$' 'children'
is "$(grep -cE 'level=error|error encountered|user query.*error' "$work/log")" 0 'and no error'
grep -iE 'error' "$work/log" | head -3 | sed 's/^/# /'
kill $pid
pid=
query "ALTER DATABASE \"$PGDATABASE\" RESET session_preload_libraries; DROP TABLE sensor_log CASCADE; DROP ROLE $monitor" >/dev/null 2>&1
echo "1..$n"
