/// \file Where the values of @main live: buffers, and places of values in them.
///
/// A concat or an interleave is one buffer; each operand that its producer can write there directly gets a
/// slice of channels or a phase of pixels as its place, the others are copied. Pointwise results may take
/// over the buffer of an operand that dies.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/analysis/Shapes.h"

namespace segc {

struct BufferInfo {
  std::string name;
  mlir::Type element; ///< as it is stored
  hg::Size n, h, w;
  int64_t channels;
  std::array<int64_t, 4> apron{0, 0, 0, 0}; ///< top, left, bottom, right
};

/// Pixel (y, x), channel c of a value is pixel (y0 + stepY * y, x0 + stepX * x), channel channel + c of the
/// buffer.
struct Place {
  unsigned buffer;
  int64_t channel = 0, y0 = 0, x0 = 0, stepY = 1, stepX = 1;
  bool operator==(const Place &other) const {
    return buffer == other.buffer && channel == other.channel && y0 == other.y0 && x0 == other.x0 &&
           stepY == other.stepY && stepX == other.stepX;
  }
};

/// An operand that must be copied into its slice or phase.
struct CopyInto {
  mlir::Operation *user; ///< the concat or interleave
  mlir::Value value;
  Place to;
};

class Placement {
public:
  /// Shapes of all values over `table`, whose symbols are the inputs' N, H, W.
  Placement(mlir::func::FuncOp main, hg::SizeTable &table);
  /// Errors of the shape functions, emitted at the ops.
  mlir::LogicalResult compute();

  const hg::Shape &shape(mlir::Value value) const { return shapes.find(value)->second; }
  const Place &place(mlir::Value value) const { return places.find(value)->second; }
  bool hasPlace(mlir::Value value) const { return places.count(value); }
  std::vector<BufferInfo> buffers;
  std::vector<CopyInto> copies;
  unsigned elided = 0, inPlace = 0;
  unsigned concats = 0, concatsElided = 0; ///< a concat is elided if none of its operands is copied

private:
  void placeParts(mlir::Operation &view);
  bool canBePlaced(mlir::Value value, mlir::Operation &view, const Place &part) const;
  /// What the kernels that write and read the value want channels and pixels to be multiples of.
  int64_t granule(mlir::Value value) const;
  /// The place of a concat inside that of a later one which begins with the same operands; nothing if another
  /// value needs the memory of the rest at the same time.
  std::optional<Place> placeInside(hg::ConcatOp concat) const;
  bool isFree(const Place &part, int64_t channels, unsigned from, unsigned to) const;
  /// Position of the last op that reads the value, also through slices.
  unsigned lastRead(mlir::Value value) const;
  void placeRest();
  unsigned makeBuffer(mlir::Value value);
  bool takesOver(hg::GroupOp group, mlir::Value operand, unsigned position) const;
  void growAprons();
  void evenAprons();

  mlir::func::FuncOp main;
  hg::SizeTable &table;
  ShapeMap shapes;
  llvm::DenseMap<mlir::Value, Place> places;
  llvm::DenseMap<mlir::Operation *, unsigned> position; ///< in @main
  llvm::DenseMap<unsigned, unsigned> lastUse; ///< of a buffer: position of the last op that touches it
};

} // namespace segc
