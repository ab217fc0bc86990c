/// \file The constant tables a compiled model consists of: written by the compiler, read by the executor.
///
/// One contiguous, position-independent block: a Header followed by arrays of plain structs that refer to
/// each other by index and to text by offset into one string pool. Kernels are called through a separate
/// array of function pointers. Plain C++ without the standard library: both sides include this file.
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>

namespace segc::rt {

constexpr uint32_t kTableMagic = 0x43474553; // "SEGC"
constexpr uint32_t kTableVersion = 5;
constexpr uint32_t kMaxRank = 6;
constexpr uint32_t kNone = 0xffffffffu;

/// Where a model's memory lies and its kernels run.
enum class DeviceKind : uint32_t { Cpu = 0, OpenCl = 1, Cuda = 2 };

/// F64 is for partial sums in the arena only: no input, output or weight has it.
enum class DType : uint32_t { F32 = 0, F16 = 1, BF16 = 2, I8 = 3, U8 = 4, I32 = 5, F64 = 6 };

/// Extents that depend on the caller's shapes are nodes of a small expression table, evaluated in order by
/// reshape(): operands always precede their users.
enum class SizeOp : uint32_t {
  Constant, ///< value
  Symbol, ///< axis b (0 N, 1 C, 2 H, 3 W) of model input a; value = the extent written in the model, 0 if "?"
  Add,    ///< size[a] + size[b]
  Sub,    ///< size[a] - size[b]
  Mul,    ///< size[a] * value
  Div,    ///< floor(size[a] / value), value > 0, rounding towards minus infinity
  Min,    ///< min(size[a], size[b])
  Max,    ///< max(size[a], size[b])
  Product, ///< size[a] * size[b]
};
struct SizeNode {
  SizeOp op;
  uint32_t a, b;
  uint32_t reserved;
  int64_t value;
};

/// What must hold for a shape to be legal; reshape() fails with `message` otherwise.
enum class CheckKind : uint32_t { Equal /* size[a] == size[b] */, AtLeast /* size[a] >= value */ };
struct SizeCheck {
  CheckKind kind;
  uint32_t a, b;
  uint32_t message; ///< string: names the layer and the remedy
  int64_t value;
};

/// Bits of TensorDesc::flags.
enum TensorFlags : uint32_t { kTarget = 1 /* what a loss compares with; behind the model's inputs */ };

/// A model input or output as the caller sees it: logical order [N, C, H, W] (rank 4) or [N, H, W] (rank 3).
struct TensorDesc {
  uint32_t name;
  DType dtype;
  uint32_t rank;
  uint32_t sizes[4];    ///< size nodes, logical order
  uint32_t flags = 0;   ///< TensorFlags
  uint32_t classes = 0; ///< of a target that holds labels: each is in [0, classes) or `ignore`; 0: no labels
  int32_t ignore = 0;   ///< the label of pixels that do not count
};

/// Bits of WeightDesc::flags, in the training table only.
enum WeightFlags : uint32_t {
  kTrainable = 1, ///< has a gradient, and update() moves it
  kRunning = 2,   ///< a statistic that grad() updates in place (through a view of Space::Weight)
};

/// A trainable or running tensor of the weights file, logical layout, row-major.
struct WeightDesc {
  uint32_t name;
  DType dtype;
  uint32_t rank;
  uint32_t flags;     ///< WeightFlags
  int64_t extents[4]; ///< logical order, outermost first
  uint64_t flat = 0;  ///< training table: its first element in the flat buffers, a multiple of 16
};

/// What @prepare makes out of the weights once (packed, folded): an offset into the prepared block.
struct PreparedDesc {
  uint64_t offset, bytes;
};

/// An activation buffer in the arena: physical order N, H, W, C with a border of `top`.. pixels around each
/// image. bytes = n * (h + top + bottom) * (w + left + right) * channels * size of dtype.
struct BufferDesc {
  uint32_t name;
  DType dtype;
  uint32_t n, h, w;                  ///< size nodes
  uint32_t channels;                 ///< elements of one pixel
  uint32_t top, left, bottom, right; ///< apron in pixels
  uint32_t firstStep, lastStep;      ///< lifetime in steps of the run program, both included
};

/// Memory a view lies in. Those behind Prepared exist in the training table only.
enum class Space : uint32_t {
  Arena,
  Input,
  Output,
  Weight, ///< in a library that trains: inside FlatBuffer::Parameters, to be read or, if kRunning, written
  Prepared,
  Dense,    ///< the arena too, but without pixels: a vector, packed gradients, partial sums
  Gradient, ///< of weight `index`, which is kTrainable: inside FlatBuffer::Gradients, in the file's layout
  Loss,     ///< the handle's f32 vector: the total, then each loss
  Flat,     ///< elements of FlatBuffer `index`
  Hyper,    ///< row `index` (of SegmentDesc `index`) of kHyperFloats f32 each
  Seed,     ///< two i32: the seed, and the number of the step
  Partial,  ///< kPartialSums f64
};

/// Buffers of one number for each element of the parameters: dense f32, each tensor at WeightDesc::flat, the
/// trainable ones first, zeros between tensors. Parameters has TrainingDesc::totalElements, the others have
/// trainableElements; behind each lie kFlatSlack floats that kernels may read. Aligned to 64 bytes.
enum class FlatBuffer : uint32_t {
  Parameters,
  Gradients,   ///< in the views of normSteps and updateSteps: Accumulated while gradients are accumulated
  State0,      ///< sgd: the momentum buffer, if momentum is not 0. adam, adamw: the first moment
  State1,      ///< adam, adamw: the second moment
  Average,     ///< of the parameters, if ema is not 0
  Accumulated, ///< the sum of Gradients since update(), once accumulation was switched on
};
constexpr uint32_t kFlatBuffers = 6;
constexpr uint32_t kFlatSlack = 64;
constexpr uint32_t kPartialSums = 256;

/// What an optimiser kernel reads, by position in its Hyper row; t = number of updates, this one included,
/// and the betas are rounded to f32 first.
enum HyperField : uint32_t {
  kHyperRate = 0,     ///< learning rate times the segment's lrScale
  kHyperDecay = 1,    ///< weight_decay
  kHyperFactor = 2,   ///< what gradients are multiplied by: clipping, and the mean of accumulated ones
  kHyperMomentum = 3, ///< momentum of sgd, beta1 of adam and adamw
  kHyperBeta2 = 4,
  kHyperEps = 5,
  kHyperCorrection1 = 6, ///< 1 - beta1^t
  kHyperCorrection2 = 7, ///< sqrt(1 - beta2^t)
  kHyperAverage = 9,     ///< decay of the average
  kHyperLossScale = 10,  ///< of row 0, where losses are scaled: what their gradients are multiplied by
};
constexpr uint32_t kHyperFloats = 16; ///< the others are 0

/// What a kernel gets as one argument: a strided window of some memory, innermost dimension first. A view
/// belongs to one list of steps.
/// Arena, Input, Output: rank 4, (c, x, y, n); index = buffer, input or output; the origin is pixel
/// (x0, y0) (either may be negative: it then lies in the apron), channel `channelOffset`; neighbouring x are
/// stepX pixels apart. A `bounded` view instead starts at pixel (0, 0) and says so: dim.min = -x0, -y0, and
/// its extents are those of the buffer, so that a kernel can tell which of its coordinates exist (pools).
/// Outputs of rank 3 are (1, x, y, n). All other spaces: dense, `rank` extents (of Flat, Loss, Hyper, Seed
/// and Partial one) from the first byte of what `index` names, in Flat from element size[x0] on. A `bounded`
/// one is a filter whose taps are counted from (x0, y0) on: dim.min = -x0, -y0 of its first two. Views of
/// Weight and Dense that are only read may be vectors rounded up to a multiple of kFlatSlack elements.
struct ViewDesc {
  Space space;
  uint32_t index;
  DType dtype;
  uint32_t rank;
  uint32_t extents[kMaxRank]; ///< size nodes, innermost first
  uint32_t channelOffset;
  uint32_t x0, y0; ///< size nodes (signed)
  uint32_t stepX, stepY;
  uint32_t bounded; ///< 0 or 1
  /// Above 1, in the arena: the kernel sees every phasesX-th and phasesY-th pixel as an axis of its own, six
  /// dimensions (c, phase, x, phase, y, n); behind the last pixels of a row there is nothing where the phases
  /// do not divide the extent.
  uint32_t phasesX = 1, phasesY = 1;
};

enum class StepKind : uint32_t {
  Launch, ///< call kernel `target` on `args`
  Border, ///< write zeros into the apron of buffer `target`
};
struct StepDesc {
  StepKind kind;
  uint32_t target;
  uint32_t firstArg, argCount; ///< range of the argument list: view indices
  uint32_t label;              ///< string: the layers this step computes, "enc1.0+norm+relu"
  uint32_t problem;            ///< string: the kernel's problem
  uint32_t writeCount = 0;     ///< how many of the arguments, the last ones, it writes: every element of them
};

enum class OptimizerKind : uint32_t { Sgd, Adam, AdamW };

/// The learning rate of update t = 0, 1, ..., with t cut at `steps`; times (t + 1) / warmup while t < warmup.
enum class ScheduleKind : uint32_t {
  Constant, ///< learningRate
  Step,     ///< learningRate * gamma^floor(t / stepSize), or gamma^(milestones <= t) where there are any
  Poly,     ///< learningRate * (1 - t / steps)^power
  Cosine,   ///< learningRate * (1 + cos(pi * t / steps)) / 2
};

/// How a library trains; meanings and defaults as in PyTorch.
struct TrainingDesc {
  OptimizerKind optimizer;
  ScheduleKind schedule;
  uint32_t lossCount;   ///< single losses: the Loss vector has one element more
  uint32_t lossScaling; ///< 1: gradients of activations are f16, so that those of losses are scaled
  double learningRate, momentum, beta1, beta2, eps, weightDecay;
  double gamma, power;
  double clipNorm;            ///< the longest gradient, 0: any
  double ema;                 ///< decay of the average, 0: no average
  int64_t steps;              ///< of the schedule, 0: none
  int64_t stepSize;           ///< of ScheduleKind::Step without milestones
  int64_t warmup;             ///< updates, 0: none
  uint64_t trainableElements; ///< of the flat buffers; a multiple of 16
  uint64_t totalElements;     ///< of Parameters; a multiple of 16
};

/// Neighbours in the flat buffers whose rate is the same multiple of the learning rate: one launch of the
/// optimiser's kernel, and one Hyper row.
struct SegmentDesc {
  uint64_t first, count; ///< elements
  double lrScale;
};

struct Section {
  uint32_t offset; ///< bytes from the start of the block, 8-byte aligned
  uint32_t count;  ///< elements (bytes for strings)
};

struct Header {
  uint32_t magic, version;
  uint64_t bytes; ///< of the whole block
  uint32_t name;  ///< string: the model's name
  uint32_t isa;   ///< bits of Isa this variant needs
  DeviceKind device;
  uint32_t reserved;
  uint64_t preparedBytes;    ///< size of the prepared block
  uint64_t laneScratchBytes; ///< scratch each thread of a kernel may take (halide_malloc), 0 if none
  Section strings;           ///< char, NUL-terminated
  Section sizes;             ///< SizeNode
  Section checks;            ///< SizeCheck
  Section inputs, outputs;   ///< TensorDesc
  Section weights;           ///< WeightDesc
  Section prepared;          ///< PreparedDesc
  Section buffers;           ///< BufferDesc
  Section views;             ///< ViewDesc
  Section args;              ///< uint32_t, view indices
  Section prepareSteps;      ///< StepDesc
  Section runSteps;          ///< StepDesc; in the training table: forward, losses, backward
  // Of the training table; in that of inference all are empty.
  Section training;        ///< TrainingDesc, one
  Section losses;          ///< uint32_t, strings: "cross_entropy:logits"
  Section segments;        ///< SegmentDesc, in order, together all trainable elements
  Section milestones;      ///< int64_t, rising
  Section normSteps;       ///< StepDesc: sums of squares into Partial, if clipNorm or lossScaling is not 0
  Section updateSteps;     ///< StepDesc: the optimiser
  Section averageSteps;    ///< StepDesc: Average, if ema is not 0
  Section accumulateSteps; ///< StepDesc: Accumulated += Gradients
  Section unscaleSteps;    ///< StepDesc: Gradients /= loss scale, if lossScaling is not 0
};

/// Instruction sets a variant may need, checked once at create().
enum Isa : uint32_t { kIsaBaseline = 0, kIsaAvx2Fma = 1, kIsaAvx512 = 2, kIsaAvx512Bf16 = 4, kIsaAmx = 8 };

/// A kernel as Halide emits it with `user_context`: args[0] points to the user context pointer, the others
/// are halide_buffer_t *. Returns 0 or a Halide error code.
using KernelFn = int (*)(void **args);

/// One instruction-set variant of a model, best first; the generated library defines
///   extern "C" const segc::rt::Variant segc_model_variants[]; extern "C" const uint32_t
///   segc_model_variant_count;
/// A library that infers has the first pair, one that trains the second; the other is null. The weights of
/// `table` are among those of `trainTable`, by name.
struct Variant {
  const Header *table;
  const KernelFn *kernels;
  const Header *trainTable = nullptr;
  const KernelFn *trainKernels = nullptr;
};

} // namespace segc::rt
