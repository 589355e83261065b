#!/bin/sh
# Sets up a virtual environment of the project from its constraints.
#
#   scripts/environment.sh VENV CONSTRAINTS PYTHONS
#
# PYTHONS are the names to look for, best first; NEWEST_PYTHON is the newest minor version that will do. Everything is
# kept inside the project, pip's cache included (unless PIP_CACHE_DIR says otherwise). VENV/.ready is the sign that all
# went well.
set -eu

venv=$1
constraints=$2
pythons=$3
oldest=11
newest=${NEWEST_PYTHON:-13}

say() { printf '%s\n' "$*" >&2; }

# A suitable Python runs, is of a supported version and can make environments (Debian has that in a package of its own).
suitable() {
    "$1" -c "
import sys, venv, ensurepip
sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" >/dev/null 2>&1
}

python=
for candidate in $pythons; do
    if suitable "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "error: no suitable Python among: $pythons. Needed is 3.$oldest to 3.$newest with venv (Debian: apt-get install python3-venv); or name one: make PYTHON=/path/to/python3 (PYTHON_2= for Airflow 2.11)"
    exit 1
fi

PIP_CACHE_DIR=${PIP_CACHE_DIR:-$PWD/.pip-cache}
PIP_CONSTRAINT=$constraints
PIP_BUILD_CONSTRAINT=$constraints
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_USER=0
PYTHONNOUSERSITE=1
export PIP_CACHE_DIR PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_DISABLE_PIP_VERSION_CHECK PIP_USER PYTHONNOUSERSITE
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV || true

# What an interrupted or foreign attempt left is made anew; a ready one is only brought up to date.
if [ ! -e "$venv/.ready" ] || ! suitable "$venv/bin/python"; then
    say "making $venv with $python ($("$python" -c 'import platform; print(platform.python_version())')); this takes a minute or two, once"
    "$python" -m venv --clear "$venv"
fi
rm -f "$venv/.ready"
log=$venv/install.log
if ! "$venv/bin/python" -m pip install --quiet -e '.[dev]' >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "error: installing into $venv failed; the whole log is $log"
    exit 1
fi
# Compiled beforehand, everything starts twice as fast. Some packages ship templates that are no Python: not an error.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
touch "$venv/.ready"
