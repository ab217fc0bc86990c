/* \file Times training steps of a compiled model through its header alone: train WEIGHTS THREADS
 * SPDX-License-Identifier: MIT
 * Built as bench.c is. Inputs are random, labels too. Protocol: each line "N" asks for N steps and is
 * answered with N times in ms; "stat" with peak memory (kB) and the last loss; "end" ends. */
#include MODEL_HEADER
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kMost = 8 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static long peak(void) {
  char line[256];
  long value = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "VmHWM:", 6))
      value = atol(line + 6);
  if (file)
    fclose(file);
  return value;
}

static int fail(const char *what) {
  fprintf(stderr, "train: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return fail("usage: train WEIGHTS THREADS");
  MODEL(model) *model = NULL;
  if (MODEL(create)(argv[1], &model) || MODEL(set_threads)(model, atoi(argv[2])))
    return fail(MODEL(last_error)());
  MODEL(tensor) inputs[kMost];
  const int count = MODEL(num_train_inputs)(model);
  if (count > kMost)
    return fail("too many inputs");
  for (int i = 0; i < count; ++i) {
    MODEL(info) info;
    if (MODEL(train_input_info)(model, i, &info))
      return fail(MODEL(last_error)());
    memset(&inputs[i], 0, sizeof inputs[i]);
    inputs[i].dtype = info.dtype;
    inputs[i].rank = info.rank;
    memcpy(inputs[i].shape, info.shape, sizeof info.shape);
    MODEL(dense_nchw)(&inputs[i]);
    size_t elements = 1;
    for (int axis = 0; axis < info.rank; ++axis)
      elements *= (size_t)info.shape[axis];
    inputs[i].data = malloc(elements * 4);
    for (size_t k = 0; inputs[i].data && k < elements; ++k)
      if (info.dtype == MODEL_F32)
        ((float *)inputs[i].data)[k] = (float)rand() / (float)RAND_MAX;
      else
        ((int32_t *)inputs[i].data)[k] = rand() & 1;
  }
  if (MODEL(step)(model, inputs, count)) /* warm-up */
    return fail(MODEL(last_error)());
  puts("ready");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) && strncmp(line, "end", 3)) {
    if (!strncmp(line, "stat", 4)) {
      float loss = 0;
      if (MODEL(loss)(model, 0, &loss))
        return fail(MODEL(last_error)());
      printf("%ld %g\n", peak(), loss);
    } else {
      for (int i = atoi(line); i > 0; --i) {
        const double start = now();
        if (MODEL(step)(model, inputs, count))
          return fail(MODEL(last_error)());
        printf("%.3f ", now() - start);
      }
      putchar('\n');
    }
    fflush(stdout);
  }
  MODEL(destroy)(model);
  return 0;
}
