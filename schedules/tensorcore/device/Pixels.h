/// \file Which pixels the rows of a tile are, and where the taps of a convolution find their input.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/tensorcore/device/Divisor.h"
#include "schedules/tensorcore/device/Tile.h"

namespace segc::tensorcore {

/// Extents are constants where the problem gives them.
struct Extents {
  int images, height, width, inHeight, inWidth;
  Divisor byWidth, byHeight;
  explicit Extents(const Arguments &a)
      : images(segc_images ? segc_images : a.images), height(segc_height ? segc_height : a.height),
        width(segc_width ? segc_width : a.width), inHeight(segc_in_height ? segc_in_height : a.inHeight),
        inWidth(segc_in_width ? segc_in_width : a.inWidth), byWidth(width), byHeight(height) {}
  int pixels() const { return images * height * width; }
};

inline int phase() { return segc_phases == 1 ? 0 : segc_warp_phase(); }

struct Pixel {
  int n, y, x;
  bool exists;
};

inline Pixel pixelOf(const Extents &e, int p) {
  const int row = e.byWidth.of(p), n = e.byHeight.of(row);
  return {n, row - n * e.height, p - row * e.width, p < e.pixels()};
}

/// Row `row` of tile `tile`: a run of pixels, or a rectangle of tile_w columns.
inline Pixel pixelOf(const Extents &e, int tile, int row) {
  if (segc_tile_w == 0)
    return pixelOf(e, tile * segc_tile_m + row);
  const int tileW = segc_tile_w ? segc_tile_w : 1, tileH = segc_tile_m / tileW;
  const int across = divideUp(e.width, tileW), down = divideUp(e.height, tileH);
  const int y = tile / across % down * tileH + row / tileW, x = tile % across * tileW + row % tileW;
  return {tile / across / down, y, x, y < e.height && x < e.width};
}

inline int offset(const View &v, const Pixel &p) { return p.n * v.image + p.y * v.row + p.x * v.pixel; }

/// A column of the reduction (of the weight gradient's result): a tap and a chunk of channels of one input.
struct Column {
  const char *data;
  int tapY, tapX; ///< in input pixels
  int offset;     ///< of tap and channels, in chunks
  bool second, exists;
  Column(const Arguments &a, int chunk) {
    const int per = chunkElements(), perOctet = 8 / per, chunks0 = segc_c0 / per,
              all = chunks0 + segc_c1 / per;
    const int tap = chunk / all, channel = chunk % all;
    tapY = tap / segc_rw * segc_dy;
    tapX = tap % segc_rw * segc_dx;
    exists = tap < segc_rh * segc_rw;
    second = segc_c1 != 0 && channel >= chunks0;
    const View &v = a.x[second];
    data = v.data;
    offset = (tapY * v.row + tapX * v.pixel) * perOctet + (second ? channel - chunks0 : channel);
  }
};

/// Where a result pixel's taps begin in the inputs.
struct Window {
  int y, x;
  int offset[2]; ///< in chunks
  Window() = default;
  Window(const Arguments &a, const Pixel &p) {
    const int perOctet = 8 / chunkElements();
    const int first = a.phases[phase()].originY + p.y * segc_sy;
    y = p.exists ? first : -(1 << 30);
    x = a.phases[phase()].originX + p.x * segc_sx;
    for (int i = 0; i < (segc_c1 ? 2 : 1); i++)
      offset[i] = (p.n * a.x[i].image + first * a.x[i].row + x * a.x[i].pixel) * perOctet;
  }
};

/// 16 bytes of the input under a tap, zeros where there is no pixel.
inline void copyInput(int shared, const Column &column, const Window &window, const Extents &e) {
  const bool inside = column.exists && unsigned(window.y + column.tapY) < unsigned(e.inHeight) &&
                      unsigned(window.x + column.tapX) < unsigned(e.inWidth);
  const long at = 16l * ((column.second ? window.offset[1] : window.offset[0]) + column.offset);
  segc_warp_cp_async16(shared, column.data + (inside ? at : 0), inside ? 16 : 0);
}

} // namespace segc::tensorcore
