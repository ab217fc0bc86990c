#!/bin/sh
# Draws a data set of cells: draw_data.sh DIR COUNT WIDTH HEIGHT; the last fifth is for validation.
# SPDX-License-Identifier: MIT
set -e
mkdir -p "$1/images" "$1/masks"
: > "$1/train.txt"
: > "$1/val.txt"
for i in $(seq "$2"); do
  segc-draw "$3" "$4" "$i" "$1/images/c$i.png" "$1/masks/c$i.png"
  if [ $((5 * i)) -gt $((4 * $2)) ]; then list=val; else list=train; fi
  echo "c$i" >> "$1/$list.txt"
done
echo '{"images": "images", "masks": "masks", "classes": ["tissue", "nucleus"],
  "splits": {"train": "train.txt", "val": "val.txt"}}' > "$1/dataset.json"
