/* \file Learns what stands in a drawn picture and where: localise INITIAL.safetensors STEPS SHEET.ppm
 * SPDX-License-Identifier: MIT
 * Two heads, cross entropy of the class plus alpha times the squared error of the box, through the C
 * interface alone. At the end it prints the share of right classes and the mean overlap of the boxes on new
 * pictures, and draws some: the true box green, the found one red. */
#include "localise.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, PIXELS = SIDE * SIDE, BATCH = 16, CLASSES = 4, TESTS = 512, COLUMNS = 8, ROWS = 4 };

static int fail(const char *what) {
  fprintf(stderr, "localise: %s\n", what);
  return 1;
}

/* 0 ... 1, from the upper bits of a linear congruential generator (Knuth's MMIX). */
static double draw(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 40) / (1 << 24);
}

/* Is (x, y), in parts of the shape's half side, in a disc, a square, a triangle, a cross? */
static int inside(int kind, double x, double y) {
  switch (kind) {
  case 0:
    return x * x + y * y <= 1;
  case 1:
    return fabs(x) <= 1 && fabs(y) <= 1;
  case 2:
    return y <= 1 && y >= -1 && fabs(x) <= (y + 1) / 2;
  default:
    return (fabs(x) <= 0.3 && fabs(y) <= 1) || (fabs(y) <= 0.3 && fabs(x) <= 1);
  }
}

typedef struct Batch {
  float images[BATCH * PIXELS];
  int32_t labels[BATCH];
  float boxes[BATCH * 4]; /* left, top, right, bottom */
} Batch;

/* One shape a picture, brighter or darker than its ground, in noise. */
static void drawBatch(Batch *batch, uint64_t *state) {
  for (int n = 0; n < BATCH; ++n) {
    const int kind = (int)(draw(state) * CLASSES);
    const double rx = 6 + 12 * draw(state), ry = 6 + 12 * draw(state);
    const double cx = rx + draw(state) * (SIDE - 2 * rx), cy = ry + draw(state) * (SIDE - 2 * ry);
    const double ground = 0.3 + 0.4 * draw(state), contrast = draw(state) < 0.5 ? -0.25 : 0.25;
    for (int i = 0; i < PIXELS; ++i) {
      const double x = (i % SIDE + 0.5 - cx) / rx, y = (i / SIDE + 0.5 - cy) / ry;
      batch->images[n * PIXELS + i] =
          (float)(ground + contrast * inside(kind, x, y) + 0.3 * (draw(state) - 0.5));
    }
    const double box[4] = {cx - rx, cy - ry, cx + rx, cy + ry};
    batch->labels[n] = kind;
    for (int k = 0; k < 4; ++k)
      batch->boxes[n * 4 + k] = (float)(box[k] / SIDE);
  }
}

/* Area of both boxes' intersection over that of their union. */
static double overlap(const float *a, const float *b) {
  const double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
  const double common = w > 0 && h > 0 ? w * h : 0;
  const double all = (a[2] - a[0]) * (a[3] - a[1]) + fabs((b[2] - b[0]) * (b[3] - b[1])) - common;
  return common / all;
}

static void outline(unsigned char *sheet, int column, int row, const float *box, int channel) {
  int edge[4];
  for (int k = 0; k < 4; ++k) {
    const int at = (int)(box[k] * SIDE);
    edge[k] = at < 0 ? 0 : at >= SIDE ? SIDE - 1 : at;
  }
  for (int y = edge[1]; y <= edge[3]; ++y)
    for (int x = edge[0]; x <= edge[2]; ++x)
      if (x == edge[0] || x == edge[2] || y == edge[1] || y == edge[3]) {
        unsigned char *pixel = sheet + 3 * ((row * SIDE + y) * SIDE * COLUMNS + column * SIDE + x);
        memset(pixel, 0, 3);
        pixel[channel] = 255;
      }
}

static int writeSheet(const char *path, const unsigned char *sheet) {
  FILE *file = fopen(path, "wb");
  const size_t bytes = 3u * PIXELS * COLUMNS * ROWS;
  if (!file || fprintf(file, "P6\n%d %d\n255\n", SIDE * COLUMNS, SIDE * ROWS) < 0 ||
      fwrite(sheet, 1, bytes, file) != bytes)
    return fail("the sheet cannot be written");
  return fclose(file) ? fail("the sheet cannot be written") : 0;
}

int main(int argc, char **argv) {
  static Batch batch;
  static unsigned char sheet[3 * PIXELS * COLUMNS * ROWS];
  char *end = NULL;
  const long steps = argc == 4 ? strtol(argv[2], &end, 10) : 0;
  if (argc != 4 || *end || steps < 1)
    return fail("usage: localise INITIAL.safetensors STEPS SHEET.ppm");
  localise_model *model = NULL;
  /* Logits and boxes of a batch are vectors, in the library's terms pictures of one pixel. */
  float classes[BATCH * CLASSES], boxes[BATCH * 4];
  localise_tensor given[3] = {{batch.images, LOCALISE_F32, 4, {BATCH, 1, SIDE, SIDE}, {0}},
                              {batch.labels, LOCALISE_I32, 3, {BATCH, 1, 1}, {0}},
                              {batch.boxes, LOCALISE_F32, 4, {BATCH, 4, 1, 1}, {0}}};
  localise_tensor found[2] = {{classes, LOCALISE_F32, 4, {BATCH, CLASSES, 1, 1}, {0}},
                              {boxes, LOCALISE_F32, 4, {BATCH, 4, 1, 1}, {0}}};
  int64_t shapes[3][4];
  for (int i = 0; i < 3; ++i) {
    localise_dense_nchw(&given[i]);
    memcpy(shapes[i], given[i].shape, sizeof shapes[i]);
  }
  for (int i = 0; i < 2; ++i)
    localise_dense_nchw(&found[i]);
  if (localise_create(argv[1], &model) || localise_reshape_train(model, shapes[0]) ||
      localise_reshape(model, shapes[0]))
    return fail(localise_last_error());

  uint64_t state = 1;
  for (long step = 1; step <= steps; ++step) {
    float loss = 0, cross = 0, error = 0;
    drawBatch(&batch, &state);
    if (localise_step(model, given, 3) || localise_loss(model, 0, &loss) || localise_loss(model, 1, &cross) ||
        localise_loss(model, 2, &error))
      return fail(localise_last_error());
    if (step % 100 == 0 || step == steps)
      printf("step %ld: loss %.4f = %s %.4f + alpha * %s %.5f\n", step, loss, localise_loss_name(model, 1),
             cross, localise_loss_name(model, 2), error);
  }

  int right = 0;
  double sum = 0;
  state = 1u << 30; /* other pictures */
  for (int n = 0; n < TESTS; ++n) {
    const int i = n % BATCH;
    if (i == 0) {
      drawBatch(&batch, &state);
      if (localise_run(model, given, 1, found, 2))
        return fail(localise_last_error());
    }
    int best = 0;
    for (int c = 1; c < CLASSES; ++c)
      best = classes[i * CLASSES + c] > classes[i * CLASSES + best] ? c : best;
    right += best == batch.labels[i];
    sum += overlap(batch.boxes + 4 * i, boxes + 4 * i);
    if (n >= COLUMNS * ROWS)
      continue;
    for (int p = 0; p < PIXELS; ++p) {
      const double value = fmin(fmax(batch.images[i * PIXELS + p], 0), 1);
      memset(sheet + 3 * ((n / COLUMNS * SIDE + p / SIDE) * SIDE * COLUMNS + n % COLUMNS * SIDE + p % SIDE),
             (int)(255 * value + 0.5), 3);
    }
    outline(sheet, n % COLUMNS, n / COLUMNS, batch.boxes + 4 * i, 1);
    outline(sheet, n % COLUMNS, n / COLUMNS, boxes + 4 * i, 0);
  }
  printf("%d new pictures: class right in %.1f %%, mean overlap of boxes %.3f\n", TESTS,
         100.0 * right / TESTS, sum / TESTS);
  localise_destroy(model);
  return writeSheet(argv[3], sheet);
}
