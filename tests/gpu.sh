#!/usr/bin/env bash
# Try on a GPU what the other tests try on a CPU, and print one table.
#
#   tests/gpu.sh                     the first GPU against the CPU of the same machine
#   DEVICES="cpu cpu" tests/gpu.sh   tries this script itself, and nothing that needs a GPU
#
# A small study is trained and measured on the first device (folder `first`). Then the same weights
# are measured on the second device (`same`), and the study is trained there as well (`apart`).
# Two of them are measured on the first once more, as networks from elsewhere (`adopted`). A training
# that is told to be deterministic runs twice on the first (`once`, `again`).
#
# Everything is kept in FOLDER (results/gpu): the same command goes on where it stopped, and runs
# what failed again. Remove the folder to begin anew. BIN (.venv/bin) holds Python and Snakemake.
# Ends with 0 if all is well, 1 if something failed, and 77, the usual number of a skipped test, if
# there is no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

BIN=$(realpath "${BIN:-.venv/bin}")
FOLDER=$(realpath --canonicalize-missing "${FOLDER:-results/gpu}")
read -r FIRST SECOND <<<"${DEVICES:-cuda cpu}"
export PATH=$BIN:$PATH PYTHONPATH=scripts TQDM_DISABLE=1

GPUS=$([ "$FIRST" = cpu ] || python -c "import torch; print(torch.cuda.device_count())")
if [ "${GPUS:-1}" = 0 ]; then
    echo "no GPU here: nothing was tried"
    exit 77
fi

mkdir -p "$FOLDER"
cat >"$FOLDER/gpu.yaml" <<'YAML'
study: gpu
seeds: [0]
datasets: {digits: {source: digits, train_size: 200}}
networks:
  resnet18: {architecture: resnet18, width: 0.125}
  vit: {architecture: vit, width: 0.125}
  timm: {architecture: "timm:test_vit", patch_size: 2, depth: 1, embed_dim: 32, num_heads: 2}
# The last batch of an epoch is smaller, which takes another way where training is compiled.
training: {epochs: 8, batch_size: 32, optimizer: {name: sgd, lr: 0.02, momentum: 0.9}}
conditions:
  baseline: {}
  baseline_sam: {sam: {rho: 0.05}}
  augmentation: {augment: {crop_padding: 1}}
sharpness:
  forward: {}
  perturbation: {samples: 60, adaptive: {samples: 20, steps: 5}}
  hessian: {eigenvalues: 1, trace_products: 30, density_probes: 1, density_steps: 10}
  landscape: {points: 5, line_points: 0, direction_seeds: [1]}
  interpolation: {lines: [[initial, baseline], [baseline, baseline_sam]], points: 5}
evaluation: {corruptions: null}
toy_fits: {points: 100, test_points: 100, epochs: [10, 100], perturbations: 10, together: true}
YAML
# The same networks, as if they had been trained elsewhere.
cat >"$FOLDER/adopted.yaml" <<YAML
study: adopted
seeds: [0]
datasets: {digits: {source: digits, train_size: 200}}
networks:
  resnet18: {architecture: resnet18, width: 0.125}
  timm: {architecture: "timm:test_vit", patch_size: 2, depth: 1, embed_dim: 32, num_heads: 2}
conditions:
  baseline:
    checkpoint: "$FOLDER/first/results/gpu/models/{dataset}/{network}/baseline/seed{seed}/model.safetensors"
sharpness:
  forward: {}
  hessian: {eigenvalues: 1, trace_products: 30, density_probes: 1, density_steps: 10}
  landscape: {points: 5, line_points: 0, direction_seeds: [1]}
evaluation: {corruptions: null}
YAML
cat >"$FOLDER/repeated.yaml" <<'YAML'
study: repeated
seeds: [0]
datasets: {digits: {source: digits, train_size: 200}}
networks:
  resnet18: {architecture: resnet18, width: 0.125}
  vit: {architecture: vit, width: 0.125}
training:
  epochs: 4
  batch_size: 32
  optimizer: {name: sgd, lr: 0.02, momentum: 0.9}
  sam: {rho: 0.05}
  deterministic: true
conditions:
  plain: {}
  compiled: {compile: true}
YAML

# Make files of a study in a folder, on a device; what fails is said in the table.
make_files() { # FOLDER DEVICE STUDY FILE…
    local where=$FOLDER/$1 device=$2 study=$3 files=("${@:4}")
    echo "$(date +%T) $study in $where, on the $device"
    mkdir -p "$where"
    (
        [ "$device" = cuda ] || export CUDA_VISIBLE_DEVICES=
        # Otherwise a graph that cannot be captured would only make training slower.
        export TORCHINDUCTOR_CUDAGRAPH_OR_ERROR=1
        # What a killed run has locked is nobody else's.
        exec snakemake --snakefile Snakefile --directory "$where" --nolock \
            --configfile "$FOLDER/$study.yaml" --workflow-profile profiles/default \
            --cores "$(nproc)" --resources gpu="$([ "$device" = cuda ] && echo "$GPUS" || nproc)" \
            -- "${files[@]/#/results/$study/}"
    ) >"$where.log" 2>&1 || echo "failed: see $where.log"
}

MEASURED=(tables/{measures,provenance}.csv measures/toy_fits/all.json
    interpolation/digits/{resnet18,vit}/seed0.json)
TRAINED=(models/digits/{resnet18,vit}/{plain,compiled}/seed0/{model.safetensors,history.csv})

make_files apart "$SECOND" gpu "${MEASURED[@]}" &
make_files first "$FIRST" gpu "${MEASURED[@]}"
if [ ! -e "$FOLDER/same" ] && [ -e "$FOLDER/first/results/gpu/tables/measures.csv" ]; then
    # With what Snakemake knows of the models, so that it does not train them again.
    rm -rf "$FOLDER/same.partial"
    cp -a "$FOLDER/first" "$FOLDER/same.partial"
    find "$FOLDER/same.partial/results/gpu" -mindepth 1 -maxdepth 1 \
        ! -name models ! -name data -exec rm -r {} +
    mv "$FOLDER/same.partial" "$FOLDER/same"
fi
wait
make_files adopted "$FIRST" adopted tables/measures.csv &
[ ! -e "$FOLDER/same" ] || make_files same "$SECOND" gpu "${MEASURED[@]}" &
make_files once "$FIRST" repeated "${TRAINED[@]}"
make_files again "$FIRST" repeated "${TRAINED[@]}"
wait

# Keep what a command prints once it has succeeded.
keep() { # FILE COMMAND…
    local file=$FOLDER/$1
    [ ! -e "$file" ] || return 0
    echo "$(date +%T) ${*:2}"
    if "${@:2}" >"$file.log" 2>&1; then mv "$file.log" "$file"; else echo "failed: see $file.log"; fi
}

if [ "$FIRST" = cuda ]; then
    keep tests.txt python -m pytest -q -k gpu \
        tests/unit/test_{any_network_devices,training_kernels,gpus,features,resized_crop}.py
else
    export CUDA_VISIBLE_DEVICES=
fi
keep bench.txt python benchmarks/gpu.py --quick --epochs 1 --workers 2
exec python tests/gpu_table.py "$FOLDER"
