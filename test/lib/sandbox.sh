# Sourced by test/run, test/core/run and test/demo/run: a private PostgreSQL in a temporary
# directory, with router in it and a cluster on a unix socket, gone at the end.
#
# PostgreSQL finds its files relative to its own program, so a copy of the
# programs, with links to all else, is an installation of its own. Installing
# router there touches no shared directory, needs no setting, works the same for
# every version, and any number of runs go side by side.
#
# Sets: work (the directory), repo (copy of the sources there), bindir, pgxs_test.

set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
say() { echo "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# Servers refuse to run as root: what serves, builds or tests runs as this user.
server_user=$(id -un)
as_server() { "$@"; }
if [ "$(id -u)" = 0 ]; then
	server_user=nobody
	! id postgres >/dev/null 2>&1 || server_user=postgres
	as_server() {
		setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups \
			env HOME="$work" USER="$server_user" LOGNAME="$server_user" "$@"
	}
fi

sandbox_open() { # check|core|demo
	pg_config=$("$root/test/lib/install-deps.sh" "$1") || exit 1
	# nothing of the caller's: neither its servers nor its make's flags
	unset "${!PG@}" MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
	export LC_ALL=C.UTF-8 TZ=UTC

	work=$(mktemp -d "${TMPDIR:-/tmp}/router.XXXXXX") || exit 1
	trap sandbox_close EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	chmod 711 "$work"
	repo=$work/repo
	mkdir "$repo" "$work/s"
	cp -R "$root"/{Makefile,README.md,router.control,bench,docs,sql,src,test} "$repo"
	rm -f "$repo"/src/*.{o,bc} "$repo"/src/*/*.{o,bc}
	[ "$(id -u)" != 0 ] || chown -R "$server_user" "$work"
	as_server test -w "$repo" || die "user $server_user cannot write to $work: set TMPDIR"
	cd "$work" || exit 1
}

# Everything under the directory is ours, also the servers that a test left behind.
sandbox_close() {
	local status=$?
	trap - EXIT
	trap '' HUP INT TERM
	stop_group
	find "$work" -name postmaster.pid -printf '%h\n' 2>/dev/null | while read -r data; do
		as_server "$bindir/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1
	done
	if [ -n "${KEEP:-}" ]; then say "kept: $work"; else rm -rf "$work"; fi
	exit $status
}

# Runs as the server's user, in a process group of its own, so that a signal to
# this script ends all of it at once.
supervised() {
	set -m
	as_server "$@" </dev/null &
	group=$!
	set +m
	wait "$group"
	local status=$?
	group=
	return $status
}

stop_group() {
	[ -n "${group:-}" ] || return 0
	kill -TERM -- "-$group" 2>/dev/null
	wait "$group"
}

sandbox_build() { # make variables
	local dir inst=$work/inst
	bindir=$inst$("$pg_config" --bindir)
	pgxs_test=$(dirname "$("$pg_config" --pgxs)")/../test
	for dir in $("$pg_config" --pkglibdir) $("$pg_config" --sharedir); do
		mkdir -p "$inst$dir"
		cp -Rs "$dir/." "$inst$dir"
	done
	mkdir -p "$bindir"
	cp -RL "$("$pg_config" --bindir)/." "$bindir"
	rm -f "$inst$("$pg_config" --pkglibdir)"/router.* "$inst$("$pg_config" --sharedir)"/extension/router[.-]*
	[ "$(id -u)" != 0 ] || chown -R -h "$server_user" "$inst"
	[ -e "$inst$("$pg_config" --sharedir)/extension/pgtap.control" ] ||
		cp -s /usr/share/postgresql/*/extension/pgtap* "$inst$("$pg_config" --sharedir)/extension" 2>/dev/null

	supervised make -s -j2 -C "$repo" install PG_CONFIG="$pg_config" DESTDIR="$inst" with_llvm=no "$@" >"$work/build.log" 2>&1 || {
		cat "$work/build.log" >&2
		die "the build failed"
	}
	export PATH=$bindir:$PATH
}

# The cluster's server runs under a tool from now on: SERVER_UNDER=asan (router is built with
# sanitizer_flags, the server is not) or valgrind (SERVER_SUPPRESSIONS: PostgreSQL's
# src/tools/valgrind.supp; built with -DUSE_VALGRIND it tells of palloc). What they find
# ends the backend, and so the test, and stands in server.log.
sanitizer_flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1"
wrap_server() {
	local how
	case $SERVER_UNDER in
		asan)
			how="env LD_PRELOAD=$(cc -print-file-name=libasan.so) UBSAN_OPTIONS=print_stacktrace=1
				ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:quarantine_size_mb=16" ;;
		valgrind)
			how="valgrind --quiet --exit-on-first-error=yes --error-exitcode=99 --trace-children=yes --num-callers=30
				--leak-check=no ${SERVER_SUPPRESSIONS:+--suppressions=$SERVER_SUPPRESSIONS}" ;;
		*) die "SERVER_UNDER is asan or valgrind" ;;
	esac
	# Debian's server, for one, hangs in a library's start below libasan
	# shellcheck disable=SC2086
	as_server timeout 60 $how "$bindir/postgres" -V >/dev/null 2>&1 ||
		die "$bindir/postgres does not start under $SERVER_UNDER: set PG_CONFIG to that of a server built from source"
	as_server mv "$bindir/postgres" "$bindir/postgres.bin"
	printf '#!/bin/sh\ncase $1 in -V | --version) exec "%s" "$@" ;; esac\nexec %s "%s" "$@"\n' \
		"$bindir/postgres.bin" "${how//[$'\n\t']/ }" "$bindir/postgres.bin" | as_server tee "$bindir/postgres" >/dev/null
	as_server chmod 755 "$bindir/postgres"
	SERVER_KB=unlimited
}

# A cluster, or one of several: "cluster" tells them apart. The settings of the last one are those in force.
cluster_start() { # lines for postgresql.conf
	local data=$work/data${cluster:-} log=$work/server${cluster:-}.log
	export PGHOST=$work/s${cluster:-} PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	as_server mkdir -p "$PGHOST"
	as_server "$bindir/initdb" -D "$data" -U postgres -A trust --no-sync --encoding=UTF8 --locale=C.UTF-8 \
		>"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; die "initdb failed"; }
	as_server tee -a "$data/postgresql.conf" >/dev/null <<-EOF
		listen_addresses = ''
		unix_socket_directories = '$PGHOST'
		timezone = 'UTC'
		log_timezone = 'UTC'
		lc_messages = 'C'
		log_line_prefix = '%m [%p] %q%d '
		fsync = off
		log_checkpoints = off
		$(printf '%s\n' "$@")
	EOF
	[ -z "${SERVER_UNDER:-}" ] || [ -e "$bindir/postgres.bin" ] || wrap_server
	# a backend that runs away gets an error, before the machine has no memory left
	ulimit -S -v "${SERVER_KB:-8000000}"
	as_server "$bindir/pg_ctl" -D "$data" -l "$log" -w start >"$work/start.log" 2>&1 || {
		cat "$work/start.log" "$log" >&2
		die "the server does not start"
	}
	ulimit -S -v unlimited
}

sql() { "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }
