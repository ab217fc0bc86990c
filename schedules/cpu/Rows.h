/// \file The loops all memory-bound kernels share: images x rows in parallel, vectors over channels or
/// pixels.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules {

/// How a result (c, x, y, n) is traversed. With enough channels a vector lies in one pixel, so that every
/// buffer is read and written in dense vectors whatever its pixel stride; with few channels it lies across
/// pixels and the channels are unrolled around it. Either way nothing outside the result is stored and
/// nothing that belongs to other results is computed.
class Rows {
public:
  /// `inPlace`: memory of the result may be that of an operand of equal extents, so no element may be
  /// computed twice. `staged`: stage() will be used.
  Rows(int channels, Isa isa, bool inPlace, bool staged = false);

  /// Schedules `out`, whose arguments must be c, x, y, n, and declares its channels.
  void schedule(Halide::Func out) const;
  /// Vectors over the elements of a row, whatever pixel they belong to: for rows that are dense in all
  /// buffers. `out` may be a specialization; rows must be parallel already.
  void flatten(Halide::Stage out, int lanes) const;
  /// For a result whose own bounds its values depend on: these exist only once the Func has a definition, so
  /// the values must follow as an update (the undefined first definition leaves no code), which is scheduled
  /// by scheduleValues(). Rows must be made with `inPlace`: updates never compute an element twice. The
  /// minima of x and y are free.
  Halide::OutputImageParam declare(Halide::Func out, int pixel) const;
  /// `stages` are what the values are made of, as for scheduleStaged().
  void scheduleValues(Halide::Func out, const std::vector<Halide::Func> &stages = {}) const;
  /// Schedules `stage`, a function of c, x, y, n with updates over `stage`'s reductions, as values in
  /// registers beside one vector of `out`. Not for in-place rows across pixels.
  void stage(Halide::Func stage, Halide::Func out) const;
  /// Both for results that may be in place: pixel by pixel where vectors would lie across pixels.
  void scheduleStaged(Halide::Func out, const std::vector<Halide::Func> &stages) const;
  /// The parallel loop over rows of all images, for results that schedule c and x themselves.
  void parallelRows(Halide::Stage out) const;

  const int channels;
  const int vector;        ///< lanes of one vector
  const bool overChannels; ///< vectors lie in one pixel
  const bool inPlace;
  const Halide::Var c{"c"}, x{"x"}, y{"y"}, n{"n"};

private:
  void schedule(Halide::Stage out, Halide::OutputImageParam result) const;
  Halide::Var co{"co"}, ci{"ci"}, xi{"xi"}, element{"element"}, yb{"yb"}, yi{"yi"}, task{"task"};
};

/// An activation whose minima of x and y are free: which of its pixels exist is part of what the kernel
/// computes (a bounded view).
Halide::ImageParam boundedActivation(const std::string &name, int channels, int pixel);
/// Whether coordinate `p` of dimension `d` exists, and the nearest one that does.
Halide::Expr exists(const Halide::Expr &p, const Halide::ImageParam &in, int d);
Halide::Expr nearest(const Halide::Expr &p, const Halide::ImageParam &in, int d);

/// Largest power of two that is not above `value` (value > 0).
int powerOfTwoBelow(int value);

/// A family without parameters for the problems named in `ops`.
Family plainFamily(const std::string &name, const std::string &doc, const std::vector<std::string> &ops,
                   KernelBuild (*build)(const KernelSpec &, Isa));

/// The same family for specs that `whyNot` has no objection to.
Family checkedFamily(Family family, std::string (*whyNot)(const KernelSpec &));

/// Inputs, then the operands of the epilogues.
KernelBuild kernelBuild(const Halide::Pipeline &pipeline, std::vector<Halide::ImageParam> inputs,
                        const std::vector<Halide::ImageParam> &operands = {});

} // namespace segc::schedules
