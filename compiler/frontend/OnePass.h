/// \file A classifier of windows as one pass over the image.
///
/// Sermanet et al. 2014, Giusti et al. 2013: neighbouring windows share almost all their pixels, so each
/// layer is computed once for the image. A dense layer becomes a convolution; a stride that would lose
/// windows becomes dilation of all that follows. Value i of window p, for windows S pixels apart and a value
/// whose pixels are J image pixels apart (J = the product of the strides before it), lies at image pixel p*S
/// + i*J; the pass computes it on a grid of step g = gcd(S, J), so a layer of stride s and dilation d gets
/// dilation d*J/g and stride gcd(S, J*s)/g.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace segc {

/// A window and where it is put.
struct SlidingWindow {
  std::array<int64_t, 2> kernel, stride;
  std::array<int64_t, 4> padding; ///< of the image with zeros: top, left, bottom, right
  bool imageBorder = false;       ///< layers inside pad at the image's edge, not at the window's
};

class OnePass {
public:
  /// `body` is the classifier on one window: one argument, one result.
  OnePass(const SlidingWindow &window, mlir::func::FuncOp body, bool training);

  /// Why the classifier cannot be one pass: an op of the body and what about it. None: it can.
  struct Obstacle {
    mlir::Operation *op;
    std::string why;
  };
  const std::optional<Obstacle> &obstacle() const { return found; }
  /// Whether a layer inside pads: with a border of the image, windows one by one then mean something else.
  bool pads() const { return padded; }
  /// Emits the pass; `weights` maps the body's weights. Null after an error of an op.
  mlir::Value emit(mlir::OpBuilder &b, mlir::Location loc, mlir::Value image, mlir::IRMapping &weights);

private:
  /// Where the pixels of a value lie, along one axis.
  struct Track {
    int64_t extent; ///< of the value in one window
    int64_t jump;   ///< image pixels between its neighbours in a window
    int64_t grid;   ///< image pixels between its neighbours in the pass
    int64_t reach;  ///< image pixels between the first and the last that its first pixel depends on
    bool operator==(const Track &other) const {
      return extent == other.extent && jump == other.jump && grid == other.grid && reach == other.reach;
    }
  };
  using Tracks = std::array<Track, 2>;
  /// The window of an op along one axis, its padding resolved.
  struct Geometry {
    int64_t kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  };

  void analyse();
  std::string follow(mlir::Operation &op);
  std::string followSame(mlir::Operation &op);
  std::string followConvolution(hg::ConvOp conv);
  std::string followWindow(mlir::Operation &op, std::array<Geometry, 2> geometry, bool collapses,
                           bool dilates);
  template <typename PoolT> std::array<Geometry, 2> poolGeometry(PoolT pool);
  mlir::Operation *adapt(mlir::OpBuilder &b, mlir::Operation &op, mlir::IRMapping &mapping);

  SlidingWindow window;
  mlir::func::FuncOp body;
  bool training, padded = false;
  std::optional<Obstacle> found;
  /// Values that a flatten made and only functions of each element changed: the pass keeps their pixels.
  llvm::DenseSet<mlir::Value> flat;
  llvm::DenseMap<mlir::Value, Tracks> tracks;
  llvm::DenseMap<mlir::Operation *, std::array<Geometry, 2>> adapted; ///< the windows in the pass
};

} // namespace segc
