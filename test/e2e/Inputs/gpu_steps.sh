# SPDX-License-Identifier: MIT
# gpu_steps.sh INPUTS BENCHMARKS FOLDER PRECISION ORDERS: the same bits with graphs, without, and with graphs once more.
set -e
folder=$3/steps-$4
mkdir -p "$folder"
segc "$1/tensor-cores-train.json" -mode train -target cuda -precision "$4" -o "$folder"
segc "$1/tensor-cores-train.json" -emit weights -o "$folder"
train() { python3 "$1/gpu_steps.py" "$2" "$folder/libcores_train.so" "$folder/cores_train.safetensors" "$folder/$4" "$3" > "$folder/$4.log"; }
train "$1" "$2" "$5" graphs
train "$1" "$2" "$5" again
SEGC_CUDA_GRAPHS=0 train "$1" "$2" "$5" plain
for one in again plain; do
  cmp "$folder/graphs" "$folder/$one"
  cmp "$folder/graphs.log" "$folder/$one.log"
done
