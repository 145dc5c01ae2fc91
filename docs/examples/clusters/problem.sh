# What is inferred, for the scripts of this folder: source it.
# Two planets (../radial_velocity); AMF is the command.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
model="$here/../radial_velocity"
program="python3 $model/model.py"
derived="mass_1,mass_2"
state="${STATE:-run}"
infer() {
    "${AMF:-amf}" infer --prior "$model/prior_periodogram.ron" --derived "$derived" --data "$model/data.csv" --state "$state" \
        --evaluations "${EVALUATIONS:-60000}" --ess "${ESS:-2000}" --draws "${DRAWS:-draws.csv}" "$@"
}
# The points that are wanted, into the batch, after the values of the files that are given were told. At the end, the results.
next_batch() {
    local told=()
    for evaluated in "$@"; do told+=(--tell "$evaluated"); done
    infer "${told[@]}" --ask "${BATCH:-100000}" > "$state/batch.csv"
}
# Whether the batch has points: one without is the end.
has_points() { [ "$(wc -l < "$state/batch.csv")" -gt 1 ]; }
mkdir -p "$state"
