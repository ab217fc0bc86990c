/// \file The emulated warpgroup: its product against the formulae of the PTX ISA, and that it finds what a
/// GPU would do by luck.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Emulate.h"
#include "compiler/emulate/Primitives.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

using namespace segc::emulate;

namespace {

constexpr int kThreads = 128, kColumns = 24, kDepth = 64; // a row of 128 bytes
constexpr int kChunks = (64 + kColumns) * 8;              // of both operands: 5.5 for each thread
constexpr int kSums = kColumns / 2;                       // of a thread

const char *declarations = R"(
declare i32 @segc_warp_thread()
declare void @segc_warp_barrier()
declare i32 @segc_warp_shared_base()
declare void @segc_warp_cp_async16(i32, ptr, i32)
declare void @segc_warp_cp_async_commit()
declare void @segc_warp_cp_async_wait(i32)
declare void @segc_warp_fence_async()
declare void @segc_warp_wgmma(ptr, i64, i64, i32, i32, i32, i32)
declare void @segc_warp_wgmma_fence()
declare void @segc_warp_wgmma_commit()
declare void @segc_warp_wgmma_wait(i32)
declare void @segc_warp_shared_store8(i32, float, float)
declare void @segc_warp_store4(ptr, float)
define void @kernel(ptr %a) {
entry:
  %t = call i32 @segc_warp_thread()
  %base = call i32 @segc_warp_shared_base()
  %x = alloca [64 x float]
)";

/// A launch's memory: what is copied to shared memory chunk by chunk, then results of 128 threads.
struct Memory {
  explicit Memory(int chunks = kChunks, int sums = kSums)
      : operands(size_t(chunks * 8)), results(size_t(kThreads * sums)) {}
  std::vector<uint16_t> operands;
  std::vector<float> results;
};

/// An operand in shared memory, and how its instruction reads it. Distances in bytes.
struct Side {
  int at;
  uint64_t leading, stride;
  bool isTransposed;
};

/// Where sum number `i` of a thread stands (PTX ISA, "Register Fragments for wgmma.mma_async.m64nNk16").
int rowOf(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + (i % 4 < 2 ? 0 : 8); }
int columnOf(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

/// The sum over k of left(row, k) * right(k, column).
template <class Left, class Right> int productAt(int row, int column, const Left &left, const Right &right) {
  int sum = 0;
  for (int k = 0; k < kDepth; k++)
    sum += left(row, k) * right(k, column);
  return sum;
}

std::string text(int v) { return std::to_string(v); }

/// Calls that need numbers of their own: values in the text below are named by a counter.
struct Body {
  int chunks = kChunks, sums = kSums;
  std::string code;
  int next = 0;
  std::string name() { return "%v" + text(next++); }
  Body &add(const std::string &line) {
    code += line + "\n";
    return *this;
  }
  /// Threads copy a sixth of all chunks each, those behind the last one again into their own place.
  Body &copy() {
    for (int i = 0; i * kThreads < chunks; i++) {
      const std::string chunk = name(), inside = name(), mine = name(), shared = name(), from = name();
      add(chunk + " = add i32 %t, " + text(i * kThreads));
      add(inside + " = icmp slt i32 " + chunk + ", " + text(chunks));
      add("br i1 " + inside + ", label %copy" + text(next) + ", label %done" + text(next));
      add("copy" + text(next) + ":");
      add(shared + " = mul i32 " + chunk + ", 16");
      add(from + " = getelementptr i8, ptr %a, i32 " + shared);
      add("call void @segc_warp_cp_async16(i32 " + shared + ", ptr " + from + ", i32 16)");
      add("br label %done" + text(next));
      add("done" + text(next) + ":");
    }
    return add("call void @segc_warp_cp_async_commit()");
  }
  Body &wait() { return add("call void @segc_warp_cp_async_wait(i32 0)"); }
  Body &fence() { return add("call void @segc_warp_fence_async()"); }
  Body &barrier() { return add("call void @segc_warp_barrier()"); }
  Body &arrive() { return add("call void @segc_warp_wgmma_fence()"); }
  Body &commit() { return add("call void @segc_warp_wgmma_commit()"); }
  Body &finish(int pending = 0) { return add("call void @segc_warp_wgmma_wait(i32 " + text(pending) + ")"); }
  Body &clear(float value = 0) {
    for (int i = 0; i < sums; i++) {
      const std::string at = name();
      add(at + " = getelementptr float, ptr %x, i32 " + text(i));
      add("store float " + text(int(value)) + ".0, ptr " + at);
    }
    return *this;
  }
  /// Rows from 64 on are the second operand's. `wrong` is added to the descriptors, `shift` to the addresses.
  Body &product(int slice, const std::string &element = "0", uint64_t wrong = 0, int shift = 0,
                int columns = kColumns) {
    // 1024 bytes from eight rows to the next; the other distance is assumed to be 1.
    const int at = 32 * slice + shift;
    return product({at, 16, 1024, false}, {at + 64 * 128, 16, 1024, false}, columns, element, wrong);
  }
  Body &product(const Side &a, const Side &b, int columns, const std::string &element = "0",
                uint64_t wrong = 0) {
    std::string descriptors, transposed;
    for (const Side &side : {a, b}) {
      const std::string address = name(), wide = name(), encoded = name(), descriptor = name();
      add(address + " = add i32 %base, " + text(side.at));
      add(wide + " = zext i32 " + address + " to i64");
      add(encoded + " = lshr i64 " + wide + ", 4");
      // Bits 16 to 29 and 32 to 45: the distances over 16. Bits 62 and 63: 1.
      const uint64_t rest = (side.leading >> 4 << 16 | side.stride >> 4 << 32 | uint64_t(1) << 62) ^ wrong;
      add(descriptor + " = or i64 " + encoded + ", " + std::to_string(rest));
      descriptors += ", i64 " + descriptor;
      transposed += std::string(", i32 ") + (side.isTransposed ? "1" : "0");
    }
    return add("call void @segc_warp_wgmma(ptr %x" + descriptors + ", i32 " + text(columns) + ", i32 " +
               element + transposed + ")");
  }
  Body &store() {
    const std::string first = name(), to = name();
    add(first + " = mul i32 %t, " + text(4 * sums));
    add(to + " = getelementptr i8, ptr %a, i32 " + first);
    for (int i = 0; i < sums; i++) {
      const std::string at = name(), value = name(), place = name();
      add(at + " = getelementptr float, ptr %x, i32 " + text(i));
      add(value + " = load float, ptr " + at);
      add(place + " = getelementptr i8, ptr " + to + ", i32 " + text(chunks * 16 + 4 * i));
      add("call void @segc_warp_store4(ptr " + place + ", float " + value + ")");
    }
    return *this;
  }
};

std::string run(const Body &body, Memory &memory, int threads = kThreads) {
  auto context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(declarations + body.code + "ret void\n}\n", diagnostic, *context);
  if (!module)
    return "does not parse: " + diagnostic.getMessage().str();
  const Kernels kernels = llvm::cantFail(Kernels::compile(std::move(module), std::move(context)));
  // One block of memory, so that the kernel has one argument.
  const size_t bytes = memory.operands.size() * 2;
  std::vector<char> all(bytes + memory.results.size() * 4);
  std::memcpy(all.data(), memory.operands.data(), bytes);
  auto counts = kernels.run("kernel", {1, 1, 1, threads, int(bytes)}, all.data(),
                            {{all.data(), bytes, false}, {all.data() + bytes, all.size() - bytes, true}});
  std::memcpy(memory.results.data(), all.data() + bytes, memory.results.size() * 4);
  return counts ? "" : llvm::toString(counts.takeError());
}
std::string run(const Body &body) {
  Memory memory;
  return run(body, memory);
}

/// All that there has to be around products.
Body ready() { return Body().copy().wait().fence().barrier().clear().arrive(); }

#define EXPECT_SAYS(result, text)                                                                            \
  do {                                                                                                       \
    const std::string said = result;                                                                         \
    EXPECT_NE(said.find(text), std::string::npos) << said;                                                   \
  } while (false)

/// Four products of 16 make the 64 of a row. The operands lie as "128B Swizzling", K-major, has them: element
/// (row, k) of 2 bytes in row `row` of 128 bytes, its chunk of 16 bytes at the place chunk XOR row % 8.
/// Results lie as in "Register Fragment Layout for accumulator matrix D". Small integers: sums are exact.
TEST(EmulatedGroup, MultipliesMatrices) {
  auto left = [](int row, int k) { return (row * 5 + k * 3) % 11 - 5; };
  auto right = [](int k, int column) { return (k * 7 + column * 2) % 9 - 4; };
  for (const bool f16 : {false, true}) {
    Memory memory;
    for (int row = 0; row < 64 + kColumns; row++)
      for (int k = 0; k < kDepth; k++) {
        const float v = float(row < 64 ? left(row, k) : right(k, row - 64));
        memory.operands[size_t(row * 64 + ((k / 8) ^ (row % 8)) * 8 + k % 8)] =
            f16 ? floatToF16(v) : floatToBf16(v);
      }
    Body body = Body().copy().wait().fence().barrier().clear(100).arrive();
    for (int slice = 0; slice < 4; slice++)
      body.product(slice, f16 ? "1" : "0");
    ASSERT_EQ(run(body.commit().finish().store(), memory), "");
    for (int thread = 0; thread < kThreads; thread++)
      for (int i = 0; i < kSums; i++) {
        const int sum = 100 + productAt(rowOf(thread, i), columnOf(thread, i), left, right);
        EXPECT_EQ(memory.results[size_t(thread * kSums + i)], float(sum)) << thread << " " << i;
      }
  }
}

/// 64 x 64 by 64 x 128, each operand with its reduction innermost or transposed, as "MN major 128B swizzling"
/// of the ISA has it: term k of 64 rows of a (columns of b) is 128 bytes, eight terms are a pattern, the next
/// eight are `stride` further, the next 64 rows `leading`. Whether all results are right; `wrong` spoils what
/// the instructions say.
bool multipliesTransposed(bool transposeA, bool transposeB, int leading, int stride,
                          const std::function<void(Side &, Side &)> &wrong = nullptr) {
  constexpr int kWide = 128, kChunksHere = (64 + kWide + 64) * 8, kSumsHere = kWide / 2; // zeros behind b
  auto left = [](int row, int k) { return (row * 5 + k * 3) % 11 - 5; };
  auto right = [](int k, int column) { return (k * 7 + column * 2 + column / 64) % 9 - 4; };
  Memory memory(kChunksHere, kSumsHere);
  auto put = [&](const Side &side, int row, int k, int value) {
    const int pattern = side.isTransposed ? row / 64 * int(side.leading) + k / 8 * int(side.stride)
                                          : row / 8 * int(side.stride),
              line = side.isTransposed ? k % 8 : row % 8, inLine = side.isTransposed ? row % 64 : k;
    const int byte = side.at + pattern + line * 128 + ((inLine / 8) ^ line) * 16 + inLine % 8 * 2;
    memory.operands[size_t(byte / 2)] = floatToBf16(float(value));
  };
  Side a = {0, 16, 1024, transposeA}, b = {64 * 128, 16, 1024, transposeB};
  if (transposeB)
    b.leading = uint64_t(leading), b.stride = uint64_t(stride);
  for (int k = 0; k < kDepth; k++) {
    for (int row = 0; row < 64; row++)
      put(a, row, k, left(row, k));
    for (int column = 0; column < kWide; column++)
      put(b, column, k, right(k, column));
  }
  // 16 terms are 32 bytes of a row, or two patterns.
  const int stepA = transposeA ? 2 * int(a.stride) : 32, stepB = transposeB ? 2 * int(b.stride) : 32;
  if (wrong)
    wrong(a, b);
  Body body;
  body.chunks = kChunksHere, body.sums = kSumsHere;
  body.copy().wait().fence().barrier().clear().arrive();
  for (int slice = 0; slice < 4; slice++, a.at += stepA, b.at += stepB)
    body.product(a, b, kWide);
  EXPECT_EQ(run(body.commit().finish().store(), memory), "");
  for (int thread = 0; thread < kThreads; thread++)
    for (int i = 0; i < kSumsHere; i++)
      if (memory.results[size_t(thread * kSumsHere + i)] !=
          float(productAt(rowOf(thread, i), columnOf(thread, i), left, right)))
        return false;
  return true;
}

TEST(EmulatedGroup, MultipliesTransposedMatrices) {
  for (const bool a : {false, true})
    for (const bool b : {false, true}) {
      EXPECT_TRUE(multipliesTransposed(a, b, 64 * 128, 1024)) << a << b; // 64 columns after the other 64
      EXPECT_TRUE(multipliesTransposed(a, b, 1024, 2048)) << a << b;     // eight terms of all columns
    }
}

/// What a kernel could get wrong gives other sums.
TEST(EmulatedGroup, SeesWrongTransposition) {
  auto isRight = [](const std::function<void(Side &, Side &)> &wrong) {
    return multipliesTransposed(true, true, 64 * 128, 1024, wrong);
  };
  EXPECT_TRUE(isRight([](Side &, Side &) {}));
  EXPECT_TRUE(isRight([](Side &a, Side &) { a.leading = 64 * 128; })); // 64 rows have no next 64
  EXPECT_FALSE(isRight([](Side &a, Side &) { a.isTransposed = false; }));
  EXPECT_FALSE(isRight([](Side &, Side &b) { b.leading = 16, b.isTransposed = false; }));
  EXPECT_FALSE(isRight([](Side &, Side &b) { b.leading = 1024; }));
  EXPECT_FALSE(isRight([](Side &, Side &b) { b.leading = 16; })); // as where the reduction is innermost
  EXPECT_FALSE(isRight([](Side &, Side &b) { std::swap(b.leading, b.stride); }));
}

/// Writers fence for the async proxy once their copies have come, then all threads meet.
TEST(EmulatedGroup, FindsMissingFences) {
  auto rest = [](Body body) { return run(body.clear().arrive().product(0).commit().finish()); };
  EXPECT_EQ(rest(Body().copy().wait().fence().barrier()), "");
  EXPECT_SAYS(rest(Body().copy().wait().barrier()), "with no proxy fence behind");
  EXPECT_SAYS(rest(Body().copy().fence().wait().barrier()), "with no proxy fence behind");
  EXPECT_SAYS(rest(Body().copy().wait().barrier().fence()), "with no barrier between");
  EXPECT_SAYS(rest(Body().copy().fence().barrier()), "while a copy to it is under way");
  EXPECT_SAYS(rest(Body().barrier()), "which nobody has written");
  // Registers.
  EXPECT_SAYS(run(Body().copy().wait().fence().barrier().clear().product(0)), "used since wgmma.fence");
  EXPECT_SAYS(run(ready().product(0).commit().finish().product(1)), "used since wgmma.fence");
  EXPECT_EQ(run(ready().product(0).commit().product(1).commit().finish(1).product(2).commit().finish()), "");
}

TEST(EmulatedGroup, FindsMissingWaits) {
  EXPECT_SAYS(run(ready().product(0).commit()), "ends with products under way");
  EXPECT_SAYS(run(ready().product(0)), "ends with products under way");
  EXPECT_SAYS(run(ready().product(0).clear().product(1)), "is written while products into it are under way");
  // What is read too early is NaN.
  Memory memory;
  ASSERT_EQ(run(ready().product(0).commit().product(1).commit().finish(1).store().finish(), memory), "");
  EXPECT_TRUE(std::isnan(memory.results[0]));
  // A buffer is written again after the product's end and a barrier.
  const std::string again = "call void @segc_warp_shared_store8(i32 0, float 0.0, float 0.0)";
  const std::string first = "%first = icmp eq i32 %t, 0\nbr i1 %first, label %yes, label %no\nyes:\n" +
                            again + "\nbr label %no\nno:";
  EXPECT_SAYS(run(ready().product(0).commit().add(first).finish()), "while a matrix product reads it");
  EXPECT_SAYS(run(ready().product(0).commit().finish().add(first)), "read by another thread");
  EXPECT_EQ(run(ready().product(0).commit().finish().barrier().add(first)), "");
}

TEST(EmulatedGroup, ReadsDescriptors) {
  auto with = [](uint64_t wrong, int shift = 0) {
    return run(ready().product(0, "0", wrong, shift).commit().finish());
  };
  EXPECT_EQ(with(0), "");
  EXPECT_SAYS(with(uint64_t(3) << 62), "without 128-byte swizzling");
  EXPECT_SAYS(with(uint64_t(1) << 52), "reserved bits");
  EXPECT_SAYS(with(uint64_t(1) << 17), "leading dimension is not 1");
  EXPECT_SAYS(with(uint64_t(1) << 49), "does not begin at a multiple of 1024 bytes");
  EXPECT_SAYS(with(0, 128), "does not begin at a multiple of 1024 bytes");
  EXPECT_SAYS(with(0, -1024), "below shared memory");
  EXPECT_SAYS(with(0, 1 << 14), "beyond the block's shared memory");
  EXPECT_SAYS(with(uint64_t(1) << 40), "beyond the block's shared memory"); // eight rows further
  EXPECT_SAYS(run(ready().product({32, 16, 1024, true}, {64 * 128, 16, 1024, false}, kColumns)),
              "a transposed operand that begins inside of 128 bytes");
  EXPECT_SAYS(run(ready().product({0, 16, 1024, true}, {64 * 128, 8192, 1024, false}, kColumns)),
              "leading dimension is not 1");
  EXPECT_SAYS(run(ready().product(0, "0", 0, 0, 12)), "of 12 columns");
  EXPECT_SAYS(run(ready().product(0).product(1, "0", 0, 0, 16)), "different shapes in one accumulator");
}

/// All 128 threads meet, whose four warps are whole.
TEST(EmulatedGroup, FindsDivergence) {
  const std::string half = "%low = icmp slt i32 %t, 64\nbr i1 %low, label %yes, label %no\nyes:\n";
  EXPECT_SAYS(run(Body().add(half).arrive().add("br label %no\nno:")),
              "wait at wgmma.fence, which others do not reach");
  EXPECT_SAYS(run(Body().add(half).arrive().add("br label %end\nno:").commit().add("br label %end\nend:")),
              "threads of warpgroup 0 meet at wgmma.fence and at wgmma.commit_group");
  EXPECT_SAYS(
      run(Body()
              .add("%third = sdiv i32 %t, 32")
              .add("%own = zext i32 %third to i64")
              .arrive()
              .add("call void @segc_warp_wgmma(ptr %x, i64 %own, i64 0, i32 24, i32 0, i32 0, i32 0)")),
      "descriptors of a warpgroup's threads differ");
  Memory memory;
  EXPECT_SAYS(run(Body().arrive(), memory, 64), "needs a warpgroup");
}

} // namespace
