/* \file Segments a PPM picture with a compiled U-Net: segment WEIGHTS.safetensors IN.ppm MASK.pgm
 * SPDX-License-Identifier: MIT
 * The mask's bytes are class numbers. Errors of the library come as a status and a sentence. */
#include "unet_small.h"
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
  fprintf(stderr, "segment: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 4)
    return fail("usage: segment WEIGHTS.safetensors IN.ppm MASK.pgm");
  FILE *file = fopen(argv[2], "rb");
  int width = 0, height = 0;
  if (!file || fscanf(file, "P6 %d %d 255", &width, &height) != 2 || fgetc(file) == EOF || width < 1 ||
      height < 1 || width > 16384 || height > 16384)
    return fail("the picture must be a PPM (P6) of 8 bits, at most 16384 pixels wide and high");

  unet_small_model *model = NULL;
  unet_small_info result;
  const int64_t shape[4] = {1, 3, height, width};
  if (unet_small_create(argv[1], &model) || unet_small_reshape(model, shape) ||
      unet_small_output_info(model, 0, &result))
    return fail(unet_small_last_error());

  const size_t pixels = (size_t)width * height, classes = (size_t)result.shape[1];
  float *image = malloc(pixels * 3 * sizeof(float)), *scores = malloc(pixels * classes * sizeof(float));
  if (!image || !scores)
    return fail("not enough memory");
  for (size_t i = 0; i < pixels * 3; ++i) {
    const int byte = fgetc(file);
    if (byte == EOF)
      return fail("the picture ends too early");
    image[i] = (float)byte / 255;
  }
  fclose(file);

  /* Both lie as the file does, pixel after pixel; the strides tell the library. */
  unet_small_tensor in = {image, UNET_SMALL_F32, 4, {1, 3, height, width}, {0}};
  unet_small_tensor out = {scores, UNET_SMALL_F32, 4, {1, (int64_t)classes, height, width}, {0}};
  unet_small_dense_nhwc(&in);
  unet_small_dense_nhwc(&out);
  if (unet_small_run(model, &in, 1, &out, 1))
    return fail(unet_small_last_error());

  if (!(file = fopen(argv[3], "wb")) || fprintf(file, "P5\n%d %d\n255\n", width, height) < 0)
    return fail("the mask cannot be written");
  for (const float *pixel = scores; pixel < scores + pixels * classes; pixel += classes) {
    size_t best = 0;
    for (size_t c = 1; c < classes; ++c)
      best = pixel[c] > pixel[best] ? c : best;
    fputc((int)best, file);
  }
  unet_small_destroy(model);
  return fclose(file) ? fail("the mask cannot be written") : 0;
}
