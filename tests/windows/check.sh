#!/usr/bin/env bash
# Check the package on Windows' own CPython, as far as Wine can: tests/windows/check.sh DIR; see run.sh for DIR.
#
#   tests/unit        all of it, but for three tests that write a file for each byte of one: the same on every system,
#                     they would take Wine a minute
#   tests/wire        what depends on the operating system's sockets, processes and files; the rest of it compares what an
#                     answer says with what comes out, which is the same on every system, and would take ten minutes
#   tests/windows     the command in pipes and files, with code pages and paths of Windows
#   embedded model    a streamed answer with xllamacpp's wheel for Windows, where the weights are on this machine
#
# Installs Wine where it is missing and this runs as root on Debian; where it cannot be had, nothing is checked.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$1"
dir="$(cd "$1" && pwd)"

if ! command -v wine64 >/dev/null && [ ! -x /usr/lib/wine/wine64 ]; then
    missing="Windows is not checked: Wine is not here"
    if [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "$missing, and only root can install it, on Debian for x86-64."
        exit 0
    fi
    if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends wine64 libwine; } >/dev/null; then
        echo "$missing, and apt-get cannot install wine64 and libwine."
        exit 0
    fi
fi

wire=(addresses answers_stay_apart body close cookies deadline environment own_session proxies reuse secrets stream
    secrets_in_answers transport)
files=("${wire[@]/#/tests/wire/test_}")
files=("${files[@]/%/.py}")
slow=(
    --deselect tests/unit/test_local_machine.py::TestFiles::test_that_are_cut_anywhere_are_told
    --deselect tests/unit/test_local_machine.py::TestFiles::test_with_any_byte_changed_raise_nothing_else
    --deselect tests/unit/test_weights.py::test_one_wrong_byte_anywhere_in_the_wheel_is_harmless
)
options=(-v -ra -o "cache_dir=Z:$dir/cache" -m "not long and not once" "${slow[@]}")
log="$dir/tests.log"

# Run some tests: tests SECONDS OPTION-OR-FILE …  The log has a line for each, so that the last one tells where Wine hung, if
# it did.
tests() {
    local status=0 seconds="$1"
    shift
    UNCHANGED=1 timeout "$seconds" "$here/run.sh" "$dir" -m pytest "${options[@]}" "$@" >"$log" 2>&1 || status=$?
    [ "$status" -ne 124 ] || printf '\nFAILED %s (no end within %d s)\n' "$(tail -n 1 "$log")" "$seconds" >>"$log"
    tr -d '\r' <"$log" | grep -vE '^\S+::.* (PASSED|SKIPPED) ' | tail -n 200
    return "$status"
}

set_up=(timeout 400 "$here/run.sh" "$dir" -c "print('Python runs in Wine')")
"${set_up[@]}" || "${set_up[@]}"

cd "$here/../.."
most=600  # seconds of a part, which takes up to 300 on a slow machine
status=0
for part in "tests/unit/test_[a-l]*" "tests/unit/test_[m-z]*" "tests/windows ${files[*]}"; do
    # shellcheck disable=SC2086  # a list of files
    tests "$most" $part && continue
    echo "Once more, what failed, or all where nothing came to an end:"
    # shellcheck disable=SC2086
    tests "$most" --last-failed $part || status=$?
done

weights="$(find "${XDG_CACHE_HOME:-$HOME/.cache}/g4f-lite" -maxdepth 1 -name '*.gguf' 2>/dev/null | head -1 || true)"
if [ -z "$weights" ]; then
    echo "The embedded model is not tried on Windows: its weights are not on this machine (g4f-lite local pull)."
elif ! UNCHANGED=1 timeout 100 "$here/run.sh" "$dir" tests/windows/local_chat.py "Z:${weights//\//\\}"; then
    # Not a failure of the package: Wine's locks let llama.cpp's threads wait for seconds, and complain of them.
    echo "The embedded model streamed no whole answer on Windows in Wine; see above."
fi
exit "$status"
