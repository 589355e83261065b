#!/bin/sh
# Sets up a virtual environment of the project from its constraints.
#
#   scripts/environment.sh VENV CONSTRAINTS PYTHONS
#
# PYTHONS are the names to look for, best first; NEWEST_PYTHON is the newest minor version that is supported;
# REQUIREMENTS is what to install instead of the package with its tools for development, ALONE what to install then
# without what it requires. Everything is inside the project, also pip's cache (unless PIP_CACHE_DIR is set). VENV/.ready exists if all steps succeeded.
set -euf

venv=$1
constraints=$2
pythons=$3
oldest=11
newest=${NEWEST_PYTHON:-14}

print_error() { printf '%s\n' "$*" >&2; }

# A suitable Python has a supported version and can create environments (a separate package in Debian).
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
    print_error "error: no suitable Python among: $pythons. Required is 3.$oldest to 3.$newest with venv (Debian: apt-get install python3-venv); or choose one: make PYTHON=/path/to/python3 (PYTHON_2= for Airflow 2.11)"
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

# An incomplete or unusable environment is created again; a complete one is only updated.
if [ ! -e "$venv/.ready" ] || ! suitable "$venv/bin/python"; then
    print_error "creating $venv with $python ($("$python" -c 'import platform; print(platform.python_version())')); this takes a minute or two, only once"
    "$python" -m venv --clear "$venv"
fi
rm -f "$venv/.ready"
log=$venv/install.log
install() { "$venv/bin/python" -m pip install --quiet "$@" >>"$log" 2>&1; }
# Newer releases of pip refuse constraints of a build that is not isolated.
install_alone() { (unset PIP_BUILD_CONSTRAINT && install --no-deps "$@"); }
: >"$log"
if ! install ${REQUIREMENTS:--e .[dev]} || { [ -n "${ALONE:-}" ] && ! install_alone $ALONE; }; then
    # Whatever pip has said: where the index does not even know pip, there is none.
    if ! "$venv/bin/python" -m pip index versions pip >/dev/null 2>&1 || grep -q -e 'Failed to establish a new connection' -e 'Name or service not known' \
        -e 'name resolution' -e 'nodename nor servname' -e 'timed out' -e 'Connection refused' "$log"; then
        print_error "error: no package index answered, so $venv is not complete; connect this machine to the network, or set PIP_INDEX_URL to an index that it reaches. The whole log is $log"
        exit 1
    fi
    tail -n 20 "$log" >&2
    print_error "error: installing into $venv failed; the whole log is $log"
    exit 1
fi
# With compiled files everything starts twice as fast. Errors are ignored: some packages have templates that are not Python.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
touch "$venv/.ready"
