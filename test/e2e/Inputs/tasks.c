/* \file Prints for each step of a run how many tasks it offers to threads: tasks WEIGHTS
 * SPDX-License-Identifier: MIT
 * Built like benchmarks/bench.c. The pool is a weak symbol of the archive: this one counts, and runs all
 * itself. */
#include MODEL_HEADER
#include <stdio.h>
#include <stdlib.h>

static int tasks;

int segc_pool_v1_for(int lanes, int count, int (*task)(void *context, int lane, int index), void *context) {
  (void)lanes;
  tasks = count > tasks ? count : tasks;
  for (int i = 0; i < count; ++i) {
    const int error = task(context, 0, i);
    if (error)
      return error;
  }
  return 0;
}

static void step(void *user, int number, const char *layers, const char *problem, uint64_t nanoseconds) {
  (void)user, (void)number, (void)nanoseconds;
  printf("%d tasks: %s: %s\n", tasks, layers, problem);
  tasks = 0;
}

static void *memory(MODEL(tensor) * tensor, const MODEL(info) * info) {
  size_t elements = 1;
  tensor->dtype = info->dtype;
  tensor->rank = info->rank;
  for (int axis = 0; axis < info->rank; ++axis)
    elements *= (size_t)(tensor->shape[axis] = info->shape[axis]);
  MODEL(dense_nchw)(tensor);
  return tensor->data = calloc(elements, 4);
}

int main(int argc, char **argv) {
  MODEL(model) *model = NULL;
  MODEL(info) input, output;
  MODEL(tensor) in, out;
  if (argc != 2 || MODEL(create)(argv[1], &model) || MODEL(set_threads)(model, 64) ||
      MODEL(input_info)(model, 0, &input) || MODEL(output_info)(model, 0, &output) || !memory(&in, &input) ||
      !memory(&out, &output))
    return 1;
  tasks = 0;
  MODEL(set_observer)(model, step, NULL);
  const int failed = MODEL(run)(model, &in, 1, &out, 1);
  MODEL(destroy)(model);
  return failed;
}
