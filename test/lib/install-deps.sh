#!/bin/bash
# install-deps.sh check|core|demo|lint: installs what is missing for it, with apt-get
# (and sudo where not root), and prints the path of the pg_config to use. Where
# nothing is missing it does nothing and needs no network. Honours PG_CONFIG.
# Where pg_cron or the ORMs and drivers of test/orm are not to be had, their suites skip.
set -eu

role=${1:-check}
major=15
missing=()
drivers=()
orm=$(cd "$(dirname "$0")/../orm" && pwd)
die() { echo "install-deps: $*" >&2; exit 1; }

# A PostgreSQL to build with and to run: server, headers and PGXS.
complete() {
	[ -x "$("$1" --bindir 2>/dev/null)/postgres" ] && [ -f "$("$1" --pgxs)" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ]
} 2>/dev/null

version() { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p'; }

find_postgres() {
	debian=/usr/lib/postgresql/$major/bin/pg_config
	if [ -n "${PG_CONFIG:-}" ]; then
		pg_config=$PG_CONFIG
		complete "$pg_config" && return
		[[ $pg_config =~ ^/usr/lib/postgresql/([0-9]+)/ ]] || die "$pg_config: no server, no headers or no PGXS there"
		major=${BASH_REMATCH[1]}
	else
		pg_config=$(command -v pg_config || true)
		[ -n "$pg_config" ] && complete "$pg_config" && return
		pg_config=$debian
		complete "$pg_config" && return
	fi
	missing+=("postgresql-$major" "postgresql-server-dev-$major")
}

find_missing() {
	if [ "$role" = lint ]; then
		command -v clang-format-14 clang-format >/dev/null || missing+=(clang-format)
		return
	fi
	find_postgres
	command -v gcc >/dev/null || missing+=(gcc)
	[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
	if [ "$role" = core ]; then
		command -v patch >/dev/null || missing+=(patch)
		return
	fi
	/usr/bin/python3 -c 'import psycopg2' 2>/dev/null || missing+=(python3-psycopg2)
	[ "$role" = check ] || return 0
	command -v prove >/dev/null || missing+=(perl)
	perl -MIPC::Run -e1 2>/dev/null || missing+=(libipc-run-perl)
	perl -MTAP::Parser::SourceHandler::pgTAP -e1 2>/dev/null || missing+=(libtap-parser-sourcehandler-pgtap-perl)
	# plain SQL: the files of any major will do
	compgen -G "/usr/share/postgresql/*/extension/pgtap.control" >/dev/null ||
		compgen -G "$("$pg_config" --sharedir 2>/dev/null)/extension/pgtap.control" >/dev/null ||
		missing+=("postgresql-$major-pgtap")
}

find_drivers() {
	drivers=()
	/usr/bin/python3 -c 'import django' 2>/dev/null || drivers+=(python3-django)
	/usr/bin/python3 -c 'import sqlalchemy' 2>/dev/null || drivers+=(python3-sqlalchemy)
	/usr/bin/python3 -c 'import alembic' 2>/dev/null || drivers+=(python3-alembic)
	command -v javac >/dev/null || drivers+=(default-jdk-headless)
	[ -e /usr/share/java/postgresql.jar ] || drivers+=(libpostgresql-jdbc-java)
	compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null || drivers+=(faketime)
	command -v node >/dev/null || drivers+=(nodejs)
	command -v npm >/dev/null || drivers+=(npm)
	command -v gnuplot >/dev/null || drivers+=(gnuplot-nox)
	# as large as all else: for make check-all
	[ -z "${CHECK_BROWSER:-}" ] || command -v chromium >/dev/null || drivers+=(chromium)
	# for Debian's own servers
	local share
	share=$("$pg_config" --sharedir)
	if [[ $share =~ ^/usr/share/postgresql/([0-9]+)$ ]] && [ ! -e "$share/extension/pg_cron.control" ]; then
		drivers+=("postgresql-${BASH_REMATCH[1]}-cron")
	fi
	# version 4, which routes by triggers, is that of 15
	if [ "$share" = /usr/share/postgresql/15 ] && [ ! -e "$share/extension/pg_partman.control" ]; then
		drivers+=(postgresql-15-partman)
	fi
}

as_root() { if [ "$(id -u)" = 0 ]; then env "$@"; else sudo env "$@"; fi; }
apt() { as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" >&2; }
install() { apt --no-install-recommends install "$@"; }
update_lists() {
	[ -z "${lists_updated:-}" ] || return 0
	lists_updated=1
	apt update || echo "install-deps: no new package lists, trying with the old ones" >&2
}

# A new server package would make and start a cluster "main", which nobody asked for.
install_server() {
	local conf=/etc/postgresql-common/createcluster.conf
	install postgresql-common
	as_root cp -p $conf $conf.router-saved
	trap "as_root mv $conf.router-saved $conf" EXIT
	as_root sh -c "echo 'create_main_cluster = false' >>$conf"
	install "$@"
	as_root mv $conf.router-saved $conf
	trap - EXIT
}

install_missing() {
	command -v apt-get >/dev/null || die "missing, and no apt-get to install them: ${missing[*]}"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "neither root nor sudo, to install: ${missing[*]}"
	echo "installing ${missing[*]}" >&2
	update_lists
	local server installed
	server=$(version "postgresql-$major")
	case " ${missing[*]} " in
		*" postgresql-server-dev-$major "*)
			if [ -z "$server" ]; then
				install_server "${missing[@]}"
				return
			fi
			# Headers of the same version as the server. Where they are no longer to be
			# had the server is upgraded too, but never under somebody's running cluster.
			installed=("${missing[@]/#postgresql-server-dev-$major/postgresql-server-dev-$major=$server}")
			install "${installed[@]}" && return
			pg_lsclusters -h | grep -q "^$major .* online" &&
				die "postgresql-$major $server has no headers of its version, and an upgrade would restart its clusters"
			;;
	esac
	install "${missing[@]}"
}

install_drivers() {
	local package
	find_drivers
	[ ${#drivers[@]} -gt 0 ] || return 0
	echo "installing ${drivers[*]}" >&2
	if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
		update_lists
		install "${drivers[@]}" || for package in "${drivers[@]}"; do install "$package" || true; done
		find_drivers
	fi
	[ ${#drivers[@]} -eq 0 ] || echo "install-deps: not to be had, so suites skip: ${drivers[*]}" >&2
}

# The packages of test/orm/package-lock.json, once for each version of that file.
install_node_modules() {
	local modules=$orm/node_modules
	[ ! "$modules/.package-lock.json" -nt "$orm/package-lock.json" ] || return 0
	command -v npm >/dev/null || return 0
	echo "installing the node packages of test/orm" >&2
	(cd "$orm" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 >&2) || {
		rm -rf "$modules"
		echo "install-deps: npm ci failed, so suites of test/orm skip" >&2
	}
}

find_missing
if [ ${#missing[@]} -gt 0 ]; then
	install_missing
	missing=()
	find_missing
	[ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
fi
if [ "$role" = check ]; then
	install_drivers
	install_node_modules
fi
[ "$role" = lint ] || echo "$pg_config"
