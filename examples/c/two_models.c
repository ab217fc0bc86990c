/* \file Two compiled networks in one program: each lists its inputs, outputs and weights, no files needed.
 * SPDX-License-Identifier: MIT
 * Every name of a library starts with its model's, so any number of them link together; they share one thread
 * pool. */
#include "context_basic.h"
#include "unet_small.h"
#include <inttypes.h>
#include <stdio.h>

static void show(const char *model, const char *weight, const int64_t *shape, int rank, int more) {
  printf("%s: the first of %d weights is %s [", model, more, weight);
  for (int i = 0; i < rank; ++i)
    printf("%s%" PRId64, i ? ", " : "", shape[i]);
  printf("]\n");
}

int main(void) {
  unet_small_info unet;
  context_basic_info context;
  if (unet_small_weight_info(NULL, 0, &unet))
    return fprintf(stderr, "%s\n", unet_small_last_error()), 1;
  if (context_basic_weight_info(NULL, 0, &context))
    return fprintf(stderr, "%s\n", context_basic_last_error()), 1;
  show("unet_small", unet.name, unet.shape, unet.rank, unet_small_num_weights(NULL));
  show("context_basic", context.name, context.shape, context.rank, context_basic_num_weights(NULL));
  return 0;
}
