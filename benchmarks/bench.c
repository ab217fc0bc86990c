/* \file Times a compiled model through its header alone: bench WEIGHTS INPUT.f32 OUTPUT.f32 THREADS
 * SPDX-License-Identifier: MIT
 * Built with -DMODEL_HEADER='"unet.h"' -DMODEL(x)=unet_##x -DMODEL_F32=UNET_F32, linked with the static
 * library. Protocol on stdin/stdout, so that contestants can take turns: "ready", the time of loading in ms
 * and the memory before it in kB come first; each line "N" asks for N runs and is answered with N times in
 * ms; "stat" with peak memory (kB), malloc calls inside run, threads before and after run; "end" ends. */
#include MODEL_HEADER
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile int counting, allocations;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
void *malloc(size_t bytes) {
  allocations += counting;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  allocations += counting;
  return __libc_calloc(count, bytes);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* The number behind `key` in /proc/self/status. */
static long status(const char *key) {
  char line[256];
  long value = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, key, strlen(key)))
      value = atol(line + strlen(key));
  if (file)
    fclose(file);
  return value;
}

static int fail(const char *what) {
  fprintf(stderr, "bench: %s\n", what);
  return 1;
}

static size_t elements(const int64_t *shape, int rank) {
  size_t product = 1;
  for (int axis = 0; axis < rank; ++axis)
    product *= (size_t)shape[axis];
  return product;
}

int main(int argc, char **argv) {
  if (argc != 5)
    return fail("usage: bench WEIGHTS INPUT.f32 OUTPUT.f32 THREADS");
  MODEL(model) *model = NULL;
  MODEL(info) input, output;
  const long base = status("VmRSS:");
  const double before = now();
  if (MODEL(create)(argv[1], &model) || MODEL(set_threads)(model, atoi(argv[4])) ||
      MODEL(input_info)(model, 0, &input) || MODEL(output_info)(model, 0, &output))
    return fail(MODEL(last_error)());
  const double load = now() - before;
  MODEL(tensor) in = {0}, out = {0};
  in.dtype = out.dtype = MODEL_F32;
  in.rank = input.rank;
  out.rank = output.rank;
  memcpy(in.shape, input.shape, sizeof in.shape);
  memcpy(out.shape, output.shape, sizeof out.shape);
  MODEL(dense_nchw)(&in);
  MODEL(dense_nchw)(&out);
  const size_t inputs = elements(in.shape, in.rank), outputs = elements(out.shape, out.rank);
  in.data = malloc(inputs * sizeof(float));
  out.data = malloc(outputs * sizeof(float));
  FILE *file = fopen(argv[2], "rb");
  if (!in.data || !out.data || !file || fread(in.data, sizeof(float), inputs, file) != inputs)
    return fail("the input cannot be read");
  fclose(file);
  if (MODEL(run)(model, &in, 1, &out, 1)) /* warm-up, and the result */
    return fail(MODEL(last_error)());
  file = fopen(argv[3], "wb");
  if (!file || fwrite(out.data, sizeof(float), outputs, file) != outputs || fclose(file))
    return fail("the output cannot be written");
  const long threads = status("Threads:");
  printf("ready %.3f %ld\n", load, base);
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) && strncmp(line, "end", 3)) {
    if (!strncmp(line, "stat", 4)) {
      printf("%ld %d %ld %ld\n", status("VmHWM:"), allocations, threads, status("Threads:"));
    } else {
      for (int i = atoi(line); i > 0; --i) {
        const double start = now();
        counting = 1;
        const int failed = MODEL(run)(model, &in, 1, &out, 1);
        counting = 0;
        if (failed)
          return fail(MODEL(last_error)());
        printf("%.4f ", now() - start);
      }
      putchar('\n');
    }
    fflush(stdout);
  }
  MODEL(destroy)(model);
  return 0;
}
