#!/bin/bash
# The same statements on ordinary tables and on their routed twins: what psql prints
# (command tags, rows, SQLSTATEs, notices) and what the tables hold after each case
# must be the same. Every case runs twice: each in a session of its own, where it is
# the first thing that the session does, and all one after the other in one session.
#
# A file of twins/ has cases, "-- # name" and its statements; those before the first
# case make the tables. It runs in the schemas o (ordinary) and r (routed: :routed is
# true), which are the search_path and :'schema', in both at once. TWINS='merge views' runs only these files.
set -u
here=$(cd "$(dirname "$0")" && pwd)/twins
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
count=0
failed=0
version=$(psql -XqAt -c 'SHOW server_version_num') || exit 1
psql -Xq -c 'SET client_min_messages = warning' -f "$here/../../include/helpers.sql" >"$out/helpers" 2>&1 || exit 1

as() { # SCHEMA, psql's arguments: a session whose first statement is the test's
	local schema=$1 routed=off
	shift
	[ "$schema" = r ] && routed=on
	PGOPTIONS="-c search_path=$schema,public -c client_min_messages=notice" psql -XA -F '|' -P null='∅' -v VERBOSITY=verbose \
		-v schema="$schema" -v routed=$routed -v version="$version" "$@" 2>&1
}

# psql's output, with the rows of a result in an order that does not depend on where they
# are. Of an error only the SQLSTATE, of a notice the text; the name of the schema left out.
normal() {
	sed -E "s/^psql:[^:]*:[0-9]+: //; s/\b[or]\./S./g" |
		sed -E '/^(ERROR|NOTICE|WARNING|INFO|LOG):  [0-9A-Z]{5}: /,/^LOCATION: /{/^(ERROR|NOTICE|WARNING|INFO|LOG):  /!d}; s/^(ERROR:  .{5}): .*/\1/' |
		awk 'function flush(  i, j, k) { for (i = 2; i <= n; i++) { k = line[i]; for (j = i - 1; j > 0 && line[j] > k; j--) line[j + 1] = line[j]; line[j + 1] = k }
				for (i = 1; i <= n; i++) print line[i]; n = 0 }
			/^\([0-9]+ rows?\)$|^[A-Z]+ [A-Z0-9 ]+$|^[A-Z]+$|^ERROR|^NOTICE|^WARNING|^-- #/ { flush(); print; next }
			{ line[++n] = $0 }
			END { flush() }'
}

ok() { # RESULT(0|1) NAME [FILE with what to show]
	count=$((count + 1))
	[ "$1" = 0 ] && { echo "ok $count - $2"; return; }
	failed=1
	echo "not ok $count - $2"
	[ -z "${3:-}" ] || sed 's/^/# /' "$3"
}

# all that the tables of a schema hold, and which rows are not at home
contents() {
	cat <<-'EOF'
		SELECT format('SELECT %L AS of, x.* FROM %I.%I x', relname, nspname, relname)
		  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		 WHERE nspname = current_schema AND relkind IN ('r', 'p') AND relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) ORDER BY relname \gexec
	EOF
}
contents >"$out/contents.sql"
cat >"$out/strays.sql" <<-'EOF'
	\pset tuples_only
	SELECT base || ': ' || strays FROM router.routes, test.strays(base)
	 WHERE base::oid IN (SELECT oid FROM pg_class WHERE relnamespace = 'r'::regnamespace) AND strays <> 'none';
EOF

touch "$out/nothing.sql"
declare -A look=([o]=nothing.sql [r]=strays.sql)

build() { # FILE: both schemas anew
	local schema
	for schema in o r; do
		psql -Xq -c 'SET client_min_messages = warning' -c "DROP SCHEMA IF EXISTS $schema CASCADE" -c "CREATE SCHEMA $schema" &&
			as $schema -q -v ON_ERROR_STOP=1 -f "$out/case.0" >"$out/setup" || { echo "# $1: set-up in $schema"; sed 's/^/# /' "$out/setup"; return 1; }
	done
}

split() { # FILE: case.0 (the tables), case.1 ..., and the cases' names
	rm -f "$out"/case.*
	awk -v out="$out" 'BEGIN { file = out "/case.0"; printf "" >file }
		/^-- # / { close(file); file = out "/case." ++n; print substr($0, 6) >(out "/case.names") }
		{ print >file }' "$1"
	mapfile -t names <"$out/case.names"
}

for file in "$here"/*.sql; do
	set_of=$(basename "$file" .sql)
	[[ -z ${TWINS:-} || " $TWINS " == *" $set_of "* ]] || continue
	split "$file"

	# each case in a session of its own
	build "$set_of" || { ok 1 "$set_of: set-up"; continue; }
	for i in "${!names[@]}"; do
		n=$((i + 1))
		for schema in r o; do
			{
				as $schema -f "$out/case.$n" | normal >"$out/$schema"
				as $schema -q -f "$out/contents.sql" -f "$out/${look[$schema]}" | normal >>"$out/$schema"
			} &
		done
		wait
		if diff -u --label ordinary --label routed "$out/o" "$out/r" >"$out/diff"; then
			ok 0 "$set_of, first of its session: ${names[i]}"
		else
			ok 1 "$set_of, first of its session: ${names[i]}" "$out/diff"
			build "$set_of" || break
		fi
	done

	# all in one session
	build "$set_of" || continue
	for schema in r o; do
		for i in "${!names[@]}"; do
			echo "\\echo -- # $i"
			cat "$out/case.$((i + 1))"
			echo "RESET ALL; DEALLOCATE ALL; \\set QUIET on"
			echo "\\i $out/contents.sql"
			echo "\\set QUIET off"
		done >"$out/all.$schema"
		rm -f "$out/$schema".part.*
		as $schema -f "$out/all.$schema" | normal |
			awk -v part="$out/$schema.part." '/^-- # / { close(file); file = part $3; printf "" >file } file { print >file }' &
	done
	wait
	broken=
	for i in "${!names[@]}"; do
		touch "$out/r.part.$i" "$out/o.part.$i"
		if diff -u --label ordinary --label routed "$out/o.part.$i" "$out/r.part.$i" >"$out/diff"; then
			ok 0 "$set_of, in one session: ${names[i]}"
		else
			ok 1 "$set_of, in one session: ${names[i]}" ${broken:-"$out/diff"}
			broken=/dev/null # what comes after works on other rows
		fi
	done
	as r -q -f "$out/strays.sql" >"$out/strays"
	[ ! -s "$out/strays" ]
	ok $? "$set_of: every row is at home" "$out/strays"
done
echo "1..$count"
exit $failed
