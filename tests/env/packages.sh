#!/bin/sh
# Installs the Debian packages that are missing, and says first which and why.
#
#   packages.sh run     what `make run` needs: to build and to serve
#   packages.sh deb     what `make deb` needs, but for what it serves with
#   packages.sh boot    what `make test-boot` boots a machine with
#   packages.sh test    all of both, and what `make test` needs
#   packages.sh accept  all of that, and what `make accept` judges with
#
# The services of the packages (nginx, a default PostgreSQL cluster) are neither
# started nor made: Waybill's are private ones.  Nothing is asked, nothing is
# removed, and nothing is done when nothing is missing.
set -eu

build="gcc: the C compiler
libc6-dev: the C library's headers
make: the build
libfcgi-dev: FastCGI
libpq-dev: PostgreSQL's client library
libcurl4-openssl-dev: calls to EasyPost
libssl-dev: signatures
libutf8proc-dev: webhook secrets that are not ASCII
libjansson-dev: bodies that are looked into
libxxhash-dev: entity tags
python3: makes the contract
python3-yaml: it is written in YAML"

deb="dpkg-dev: builds packages
debhelper: what they have in common
scdoc: man pages"

run="$build
nginx: TLS, and the door to the workers
postgresql: the database
openssl: a certificate for this machine
ca-certificates: to know EasyPost by its own
curl: the requests that make run prints"

test="lintian: the package
man-db: its pages
clang-format: the layout of the C files
clang-tidy: their analysis
cppcheck: more of it
shellcheck: the same for shell
systemd: checks the units
procps: /bin/kill, which the units name
libcmocka-dev: unit tests in C
gcovr: what they run through
python3-pytest: black-box tests
python3-pytest-timeout: none of them hangs
python3-pytest-xdist: two at a time
python3-requests: an HTTP client
python3-psycopg2: a look into the database
python3-hpack: the headers of HTTP/2
python3-hypothesis: input that nobody thinks of
python3-jsonschema: the shape of answers
chromium: the page, as people see it
chromium-driver: a hand for it
python3-selenium: what the hand does
pgbackrest: backups, and the units that make them
prometheus: when the alerts fire"

accept="pebble: an authority that gives certificates
certbot: asks it for them
git: brings testssl.sh
bsdextrautils: what that reads bytes with
bind9-host: and asks for names with"

is_installed() {
    # Those of Node.js itself have npm in nodejs.
    [ "$1" = npm ] && command -v npm >/dev/null && return
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# plpgsql_check comes for one version of the server: the newest here, or the one
# that the distribution has.
server_version() {
    newest=$(find /usr/lib/postgresql -maxdepth 1 -name '[0-9]*' \
        -exec basename {} \; 2>/dev/null | sort -n | tail -n 1)
    [ -n "$newest" ] || newest=$(apt-cache show postgresql 2>/dev/null |
        sed -n 's/^Depends:.* postgresql-\([0-9]*\).*/\1/p' | head -n 1)
    echo "${newest:-15}"
}

case ${1-} in
run) wanted=$run ;;
deb)
    wanted="$build
$deb"
    ;;
boot)
    wanted="$run
$deb
python3-psycopg2: what the tests' helpers are made with
python3-jsonschema: the shape of answers
mmdebstrap: a Debian of its own
systemd-container: boots it
nodejs: EasyPost's client for it
npm: brings that
python3-pytest: asks it
python3-pytest-timeout: and does not wait for ever
python3-requests: an HTTP client"
    ;;
bench)
    wanted="$run
wrk: load over HTTP
python3-psycopg2: COPY beside a bulk call"
    ;;
test | accept)
    wanted="$run
$deb
$test
postgresql-$(server_version)-plpgsql-check: the analysis of SQL functions"
    [ "$1" = test ] || wanted="$wanted
$accept"
    ;;
*)
    echo "usage: packages.sh run|deb|test|accept|boot|bench" >&2
    exit 2
    ;;
esac

missing=
while IFS=: read -r package why; do
    is_installed "$package" && continue
    [ -n "$missing" ] || echo "These Debian packages are missing and will be installed:"
    printf '  %-28s %s\n' "$package" "${why# }"
    missing="$missing $package"
done <<END
$wanted
END
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null || ! sudo true; then
        echo "Neither root nor sudo; ask your administrator for:" >&2
        echo "  apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi

# Two files for the time of the installation, unless they exist: no service is
# started, and no cluster is made.
policy=/usr/sbin/policy-rc.d
cluster_dir=/etc/postgresql-common/createcluster.d
cluster=$cluster_dir/waybill.conf
made=
cleanup() {
    # shellcheck disable=SC2086 # a list of words
    [ -z "$made" ] || $as_root rm -f $made
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
if [ ! -e "$cluster" ] && ! is_installed postgresql; then
    made="$made $cluster"
    $as_root mkdir -p "$cluster_dir"
    echo 'create_main_cluster = false' | $as_root tee "$cluster" >/dev/null
fi
ours=
for service in nginx prometheus; do
    is_installed $service || ours="$ours $service"
done

$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get install -q -y --no-remove --no-install-recommends $missing

# Nor shall they start with the next boot, if it was us who brought them.
[ -d /run/systemd/system ] || exit 0
for service in $ours; do
    ! is_installed "$service" ||
        $as_root systemctl disable --quiet "$service.service" || true
done
