/// \file A schedule family as a value: what it applies to, its parameters, its rules, and how it builds a
/// kernel.
///
/// The rules, the search space, error texts, the documentation page and the test over all legal points all
/// come from these values. No Halide type appears here, so passes may include it.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/KernelSpec.h"
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace segc::schedules {

struct KernelBuild; // schedules/Build.h: the Halide side
struct KernelJob;   // schedules/Compile.h
struct KernelArtifact;

/// What kernels are compiled for; lanes(isa) f32 per vector: 16, 16, 16, 8, 4, on GPUs 1. Avx512Bf16 is
/// Avx512 with dot products of bf16, Amx is Avx512 with products of matrix tiles of bf16.
enum class Isa { Amx, Avx512Bf16, Avx512, Avx2, Portable, OpenCl, Cuda };
int lanes(Isa isa);
bool isGpu(Isa isa);
/// Has it the 32 registers of AVX-512, against 16?
bool isAvx512(Isa isa);
std::string name(Isa isa); ///< "amx", "avx512bf16", "avx512", "avx2", "portable", "opencl", "cuda"
std::optional<Isa> parseIsa(const std::string &); ///< the inverse

/// A chosen point of a family: "direct cv=4 px=6 rows=4".
struct Schedule {
  std::string family;
  std::map<std::string, int> params;
  std::string print() const;
  static std::variant<Schedule, std::string> parse(const std::string &text);
};

struct Parameter {
  std::string name, doc;
  std::vector<int> legal; ///< for the spec at hand
};

/// How a family wants a convolution's weights: the problem of the kernel that packs them, and what it writes.
/// The problem is for plain convolution weights without scale; whoever packs others sets the fields scale,
/// from and step (docs/kernels.md), which change neither the layout nor the extents.
struct Packing {
  std::string problem;      ///< "pack_conv panel64 g1 scale0 from=conv step1x1 : f32"
  std::vector<int> extents; ///< of the packed tensor, innermost first
};

struct Family {
  std::string name, doc;
  /// Empty if the family can compute the spec; otherwise why not, as a sentence.
  std::function<std::string(const KernelSpec &, Isa)> whyNot;
  std::function<std::vector<Parameter>(const KernelSpec &, Isa)> parameters;
  /// The rule: the best known point for this spec.
  std::function<Schedule(const KernelSpec &, Isa)> choose;
  /// Packed weights, for families whose spec has weights (one of its weightParts()); empty problem otherwise.
  std::function<Packing(const KernelSpec &, const Schedule &, Isa)> packing;
  std::function<KernelBuild(const KernelSpec &, const Schedule &, Isa)> build;
  bool onGpu = false; ///< it serves GPUs, and only them
  /// Whether the rule takes the family where it applies; left out: always.
  std::function<bool(const KernelSpec &, Isa)> pays = nullptr;
  bool storesPhases = false; ///< a dilated convolution's result has its phases as axes, see storedPhases()
  /// Of a family without `build`, whose kernels Halide does not make: the object, or what is wrong.
  /// `readable` as for compileKernel().
  std::function<std::variant<KernelArtifact, std::string>(const KernelJob &, const KernelSpec &,
                                                          const Schedule &, bool readable)>
      compile = nullptr;
  /// Activations begin at multiples of this many channels in their buffers, and pixels lie multiples of it
  /// apart: the planner copies what would lie elsewhere.
  int granule = 1;
};

/// The granule of a schedule's family.
int granuleOf(const std::string &schedule);

/// The convolutions whose weights a kernel takes, in the order of its arguments: a family's packing() is
/// asked for each of them.
std::vector<KernelSpec> weightParts(const KernelSpec &spec);

/// The phases (rows, columns) that a kernel stores as axes of their own: its result is then (c, phase, x,
/// phase, y, n). 1, 1: it stores (c, x, y, n).
std::array<int, 2> storedPhases(const KernelSpec &, const Schedule &);

/// All families, in order of preference for equal specs.
const std::vector<Family> &families();
const Family *findFamily(const std::string &name);
/// The names of those that compute in Winograd's domain, for users who want none (`-winograd off`).
const std::vector<std::string> &winogradFamilies();
/// The first family that applies, at its rule's point; or the reasons why none does.
/// Families named in `without` are passed over.
std::variant<Schedule, std::string> chooseSchedule(const KernelSpec &, Isa,
                                                   const std::vector<std::string> &without = {});
/// The schedule of a GPU's kernel once the places of its operands are known: accesses of several elements at
/// once (the parameters vector, load, store) fall to what is legal for the spec's pixel strides and divides
/// `offset`, a common divisor of the channels at which the operands begin in their buffers (0: at none).
Schedule settleSchedule(const KernelSpec &, const Schedule &, Isa, int64_t offset);
/// Empty if the schedule names a known family that applies and all parameters are legal; otherwise what is
/// wrong and what would be legal.
std::string checkSchedule(const KernelSpec &, const Schedule &, Isa);

/// Floating-point operations (a multiplication and an addition count two) for one set of extents of the
/// output (of dy for a weight gradient).
double flops(const KernelSpec &, int64_t n, int64_t h, int64_t w);

} // namespace segc::schedules
