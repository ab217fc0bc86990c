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
constexpr uint32_t kTableVersion = 1;
constexpr uint32_t kMaxRank = 6;
constexpr uint32_t kNone = 0xffffffffu;

enum class DType : uint32_t { F32 = 0, F16 = 1, BF16 = 2, I8 = 3, U8 = 4, I32 = 5 };

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

/// A model input or output as the caller sees it: logical order [N, C, H, W] (rank 4) or [N, H, W] (rank 3).
struct TensorDesc {
  uint32_t name;
  DType dtype;
  uint32_t rank;
  uint32_t sizes[4]; ///< size nodes, logical order
};

/// A trainable or running tensor of the weights file, logical layout, row-major.
struct WeightDesc {
  uint32_t name;
  DType dtype;
  uint32_t rank;
  uint32_t reserved;
  int64_t extents[4]; ///< logical order, outermost first
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

enum class Space : uint32_t { Arena, Input, Output, Weight, Prepared };

/// What a kernel gets as one argument: a strided window of some memory, innermost dimension first.
/// Arena, Input, Output: rank 4, (c, x, y, n); index = buffer, input or output; the origin is pixel
/// (x0, y0) (either may be negative: it then lies in the apron), channel `channelOffset`; neighbouring x are
/// stepX pixels apart. A `bounded` view instead starts at pixel (0, 0) and says so: dim.min = -x0, -y0, and
/// its extents are those of the buffer, so that a kernel can tell which of its coordinates exist (pools).
/// Outputs of rank 3 are (1, x, y, n). Weight, Prepared: dense, `rank` extents.
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
};

struct Section {
  uint32_t offset; ///< bytes from the start of the block, 8-byte aligned
  uint32_t count;  ///< elements (bytes for strings)
};

struct Header {
  uint32_t magic, version;
  uint64_t bytes;            ///< of the whole block
  uint32_t name;             ///< string: the model's name
  uint32_t isa;              ///< bits of Isa this variant needs
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
  Section runSteps;          ///< StepDesc
};

/// Instruction sets a variant may need, checked once at create().
enum Isa : uint32_t { kIsaBaseline = 0, kIsaAvx2Fma = 1, kIsaAvx512 = 2, kIsaAvx512Bf16 = 4 };

/// A kernel as Halide emits it with `user_context`: args[0] points to the user context pointer, the others
/// are halide_buffer_t *. Returns 0 or a Halide error code.
using KernelFn = int (*)(void **args);

/// One instruction-set variant of a model, best first; the generated library defines
///   extern "C" const segc::rt::Variant segc_model_variants[]; extern "C" const uint32_t
///   segc_model_variant_count;
struct Variant {
  const Header *table;
  const KernelFn *kernels;
};

} // namespace segc::rt
