/// \file Draw: nuclei as noisy ellipses on value noise. Only +, -, *, / and sqrt are used, which IEEE 754
/// defines to the last bit, so no mathematics library can change the picture.
// SPDX-License-Identifier: MIT
#include "runtime/pictures/Draw.h"
#include "runtime/pictures/Overlay.h"
#include <algorithm>
#include <cmath>

namespace segc::pictures {

namespace {

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit moves every output bit.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// A number in 0 … 1 (exclusive) for a point of a lattice.
double hash(uint64_t seed, int64_t x, int64_t y) {
  return double(mix(mix(mix(seed) + uint64_t(x)) + uint64_t(y)) >> 11) * 0x1p-53;
}

/// Value noise in 0 … 1: random at the lattice's points, smoothly blended (3t² - 2t³) between them.
double noise(uint64_t seed, double x, double y) {
  const double cellX = std::floor(x), cellY = std::floor(y);
  const auto column = int64_t(cellX), row = int64_t(cellY);
  auto smooth = [](double t) { return t * t * (3 - 2 * t); };
  const double u = smooth(x - cellX), v = smooth(y - cellY);
  const double above = hash(seed, column, row) * (1 - u) + hash(seed, column + 1, row) * u;
  const double below = hash(seed, column, row + 1) * (1 - u) + hash(seed, column + 1, row + 1) * u;
  return above * (1 - v) + below * v;
}

/// Three octaves, each of half the size and half the weight of the one before; 0 … 1.
double mottle(uint64_t seed, double x, double y) {
  return (4 * noise(seed, x, y) + 2 * noise(seed + 1, 2 * x, 2 * y) + noise(seed + 2, 4 * x, 4 * y)) / 7;
}

/// The nuclei stand in a grid of squares, one in most of them, pushed about at random.
constexpr int64_t spacing = 48;

struct Cell {
  double x, y;                ///< centre, pixels
  double cosine, sine;        ///< direction of the long axis
  double longAxis, shortAxis; ///< radii, pixels
  double stain;               ///< 0 pale … 1 dark
  uint64_t seed;
};

/// The nucleus of a square of the grid, if it has one.
std::optional<Cell> cellOf(uint64_t seed, int64_t column, int64_t row) {
  uint64_t state = mix(seed ^ mix(uint64_t(column) * 0x9e3779b97f4a7c15u + uint64_t(row)));
  auto random = [&](double low, double high) {
    state = mix(state + 0x9e3779b97f4a7c15u);
    return low + (high - low) * (double(state >> 11) * 0x1p-53);
  };
  if (random(0, 1) < 0.15)
    return std::nullopt;
  Cell cell;
  cell.x = (double(column) + random(0.2, 0.8)) * double(spacing);
  cell.y = (double(row) + random(0.2, 0.8)) * double(spacing);
  // Every direction by a rational point of the circle: cos = (1 - t²) / (1 + t²), sin = 2t / (1 + t²).
  const double t = random(-1, 1);
  cell.cosine = (1 - t * t) / (1 + t * t);
  cell.sine = 2 * t / (1 + t * t);
  cell.longAxis = random(10, 17);
  cell.shortAxis = cell.longAxis * random(0.6, 1);
  cell.stain = random(0, 1);
  cell.seed = state;
  return cell;
}

/// How far out the pixel lies: 0 at the centre, 1 on the noisy rim.
double radius(const Cell &cell, double x, double y) {
  const double dx = x - cell.x, dy = y - cell.y;
  const double u = (dx * cell.cosine + dy * cell.sine) / cell.longAxis;
  const double v = (dy * cell.cosine - dx * cell.sine) / cell.shortAxis;
  return std::sqrt(u * u + v * v) * (0.88 + 0.24 * noise(cell.seed, x / 7, y / 7));
}

void paintTissue(Picture &picture, uint64_t seed) {
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) {
      const double fibres = mottle(seed, double(x) / 40, double(y) / 14), grain = hash(seed + 9, x, y) - 0.5;
      const double colour[3] = {236 - 40 * fibres, 196 - 70 * fibres, 218 - 36 * fibres};
      for (int c = 0; c < 3; ++c)
        picture.at(x, y)[c] = uint8_t(std::clamp(colour[c] + 10 * grain, 0.0, 255.0));
    }
}

void paintCell(Scene &scene, const Cell &cell) {
  Picture &picture = scene.picture;
  // The noise shrinks the distance by 0.88 at most, so the rim lies within 1/0.88 of the long axis.
  const double reach = cell.longAxis / 0.88 + 2;
  const int64_t left = std::max<int64_t>(0, int64_t(cell.x - reach));
  const int64_t right = std::min(picture.width - 1, int64_t(std::max(-1.0, cell.x + reach)));
  const int64_t top = std::max<int64_t>(0, int64_t(cell.y - reach));
  const int64_t bottom = std::min(picture.height - 1, int64_t(std::max(-1.0, cell.y + reach)));
  for (int64_t y = top; y <= bottom; ++y)
    for (int64_t x = left; x <= right; ++x) {
      const double out = radius(cell, double(x), double(y));
      // The edge is soft over about two pixels; the truth has it in the middle.
      const double cover = std::clamp((1 - out) * cell.shortAxis / 2 + 0.5, 0.0, 1.0);
      if (cover == 0)
        continue;
      const double chromatin = noise(cell.seed + 1, double(x) / 3, double(y) / 3), rim = out * out;
      const double light = 50 * (chromatin - 0.5) - 22 * rim - 36 * cell.stain;
      const double colour[3] = {128 + light, 86 + light, 158 + light * 0.8};
      for (int c = 0; c < 3; ++c) {
        uint8_t &pixel = picture.at(x, y)[c];
        pixel = uint8_t(std::clamp(pixel + cover * (colour[c] - pixel), 0.0, 255.0));
      }
      if (out < 1)
        *scene.truth.at(x, y) = 1;
    }
}

} // namespace

std::variant<Scene, Failure> drawCells(int64_t width, int64_t height, uint64_t seed) {
  if (width < 1 || height < 1 || width > (int64_t(1) << 28) / height)
    return "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
           " pixels cannot be drawn; the extents start at 1 and make 2^28 pixels at most";
  Scene scene{Picture(width, height, 3), Picture(width, height, 1)};
  const Palette palette = vocPalette();
  scene.truth.palette.assign(palette.begin(), palette.begin() + 2);
  paintTissue(scene.picture, mix(seed));
  // One square beyond the borders: the nuclei there may reach in.
  for (int64_t row = -1; row <= height / spacing + 1; ++row)
    for (int64_t column = -1; column <= width / spacing + 1; ++column)
      if (std::optional<Cell> cell = cellOf(seed, column, row))
        paintCell(scene, *cell);
  return scene;
}

} // namespace segc::pictures
