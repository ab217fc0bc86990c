#!/bin/sh
# Stands for the Python of benchmarks/compare.py: one peer that works, one that hangs, one that dies, one that cannot start.
case "$1 $2" in
*to_onnx.py*) : >"$4" ;;
*"peers.py errors") echo "[[${SEGC_FAKE_ERROR:-1e-6}, ${SEGC_FAKE_ERROR:-1e-7}, ${SEGC_FAKE_MEDIAN:-0}, ${SEGC_FAKE_RMS:-0}], [0, 0, 0, 0]]" ;;
*"peers.py ort")
  echo "a library says hello"
  echo "ready 5 1000"
  while read -r line; do
    case $line in
    stat) echo 2048 ;;
    end) exit 0 ;;
    *)
      sleep 0.05
      times=$(seq "$line" | sed 's/.*/50.0/')
      echo $times
      ;;
    esac
  done
  ;;
*"peers.py ncnn") exec sleep 100 ;;
*"peers.py openvino")
  echo "ready 1 1"
  read -r line
  echo "the peer ran out of luck" >&2
  exit 7
  ;;
*)
  echo "no module named torch" >&2
  exit 1
  ;;
esac
