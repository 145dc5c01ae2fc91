#!/usr/bin/env bash
# The same bits with any number of threads, and on a CPU without AVX-512.
#
# Runs the smoke job and the fingerprints of amf/examples/portable.rs natively and on an emulated Haswell (AVX2 and FMA, no
# AVX-512), and compares every digit. Emulation takes qemu-user (Debian: apt-get install qemu-user), without which that part is
# skipped, and about ten minutes.
#
#   tests/portable.sh                     everything
#   tests/portable.sh --only two_moons    options go to `paper reproduce --smoke`: a sixth of the time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
    echo "skipped: this test is for Linux on x86-64"
    exit 0
fi

cargo build --release --locked --quiet --package paper
cargo build --release --locked --quiet --package amf --example portable
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

same() { # what, first file, second file
    if cmp --silent "$2" "$3"; then
        echo "same bits: $1 ($(wc -l <"$2") lines)"
    else
        echo "DIFFERENT: $1"
        diff "$2" "$3" | head -n 20
        exit 1
    fi
}

# `paper reproduce` ends with 1 where results differ from the committed ones: here only the two runs are compared.
smoke() { # folder, threads, command before the program...
    local out="$1" threads="$2"
    shift 2
    "$@" target/release/paper reproduce --smoke --out "$out" --threads "$threads" "${options[@]}" >"$out.log" 2>&1 || [[ $? -eq 1 ]] || {
        cat "$out.log"
        exit 1
    }
}
options=("$@")
portable=target/release/examples/portable
for threads in 1 2 3; do
    "$portable" "$threads" >"$folder/native-$threads"
done
same "fingerprints, 1 and 2 threads" "$folder/native-1" "$folder/native-2"
same "fingerprints, 1 and 3 threads" "$folder/native-1" "$folder/native-3"

smoke "$folder/one" 1 env
smoke "$folder/three" 3 env
same "smoke metrics, 1 and 3 threads" "$folder/one/metrics.csv" "$folder/three/metrics.csv"

if ! command -v qemu-x86_64 >/dev/null; then
    echo "skipped: the comparison with another CPU needs qemu-x86_64 (Debian: apt-get install qemu-user)"
    exit 0
fi
if ! grep --quiet avx512f /proc/cpuinfo; then
    echo "note: this CPU has no AVX-512 itself; the emulated one only shows that emulation agrees"
fi
# What an emulated Haswell cannot do is left out: it concerns operating systems and transactions, and would be warned of in each thread.
haswell=Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid
emulated=(qemu-x86_64 -cpu "$haswell")
"${emulated[@]}" "$portable" 2 >"$folder/emulated"
same "fingerprints, native and emulated Haswell" "$folder/native-1" "$folder/emulated"
smoke "$folder/haswell" 2 "${emulated[@]}"
same "smoke metrics, native and emulated Haswell" "$folder/one/metrics.csv" "$folder/haswell/metrics.csv"
