/// \file The emulated warp itself: that it finds what a GPU would do by luck, and that its instructions are
/// right.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Emulate.h"
#include "compiler/emulate/Primitives.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace segc::emulate;

namespace {

const char *declarations = R"(
declare i32 @segc_warp_thread()
declare void @segc_warp_barrier()
declare void @segc_warp_mma_bf16(ptr, ptr, ptr)
declare void @segc_warp_mma_tf32(ptr, ptr, ptr)
declare void @segc_warp_ldmatrix(ptr, i32)
declare void @segc_warp_ldmatrix_trans(ptr, i32)
declare void @segc_warp_cp_async16(i32, ptr, i32)
declare void @segc_warp_cp_async_commit()
declare void @segc_warp_cp_async_wait(i32)
declare i32 @segc_warp_shuffle_xor(i32, i32)
declare void @segc_warp_shared_store8(i32, float, float)
declare i32 @segc_warp_shared_load4(i32)
declare void @segc_warp_store4(ptr, float)
declare void @segc_warp_store16(ptr, ptr)
define void @kernel(ptr %a) {
entry:
  %t = call i32 @segc_warp_thread()
  %f = uitofp i32 %t to float
  %mine = mul i32 %t, 16
  %other = xor i32 %mine, 16
  %from = getelementptr i8, ptr %a, i32 %mine
)";

/// Runs `body`, between the lines above and a return, on `threads` threads with 16 bytes of shared memory and
/// of global memory each; returns the error.
std::string run(const std::string &body, std::vector<float> *memory = nullptr, int threads = 64) {
  auto context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(declarations + body + "\n  ret void\n}\n", diagnostic, *context);
  if (!module)
    return "does not parse: " + diagnostic.getMessage().str();
  const Kernels kernels = llvm::cantFail(Kernels::compile(std::move(module), std::move(context)));
  std::vector<float> own(size_t(threads) * 4, 7);
  std::vector<float> &data = memory ? *memory : own;
  auto counts = kernels.run("kernel", {1, 1, 1, threads, threads * 16}, data.data(),
                            {{data.data(), data.size() * 4, true}});
  return counts ? "" : llvm::toString(counts.takeError());
}

const std::string store = "call void @segc_warp_shared_store8(i32 %mine, float %f, float %f)\n";
const std::string read = "%v = call i32 @segc_warp_shared_load4(i32 %other)\n";
const std::string barrier = "call void @segc_warp_barrier()\n";
const std::string copy = "call void @segc_warp_cp_async16(i32 %mine, ptr %from, i32 16)\n"
                         "call void @segc_warp_cp_async_commit()\n";
const std::string wait = "call void @segc_warp_cp_async_wait(i32 0)\n";

#define EXPECT_SAYS(result, text)                                                                            \
  do {                                                                                                       \
    const std::string said = result;                                                                         \
    EXPECT_NE(said.find(text), std::string::npos) << said;                                                   \
  } while (false)

TEST(EmulatedWarp, FindsMissingBarriers) {
  EXPECT_EQ(run(store + barrier + read), "");
  // The emulator runs thread 0 first, which finds nothing; a thread that finds its neighbour's value is no
  // better.
  EXPECT_SAYS(run(store + read), "nobody has written");
  EXPECT_SAYS(run(store + barrier + store + read), "with no barrier between");
  EXPECT_SAYS(run(store + barrier + read + store), "with no barrier between");
  EXPECT_SAYS(
      run(store + barrier +
          "%low = icmp slt i32 %t, 32\nbr i1 %low, label %yes, label %no\nyes:\n%far = xor i32 %mine, 512\n"
          "%v = call i32 @segc_warp_shared_load4(i32 %far)\nbr label %end\nno:\n" +
          store + "br label %end\nend:"),
      "read by another thread with no barrier between");
  EXPECT_SAYS(run("call void @segc_warp_shared_store8(i32 0, float %f, float %f)"),
              "written by thread 0 with no barrier");
}

TEST(EmulatedWarp, CopiesAreSeenAfterWaitAndBarrier) {
  EXPECT_EQ(run(copy + wait + barrier + read), "");
  EXPECT_SAYS(run(copy + wait + read), "nobody has written");
  // The second warp comes when the first has waited, which is luck.
  EXPECT_SAYS(run("%low = icmp slt i32 %t, 32\nbr i1 %low, label %yes, label %no\nyes:\n" + copy + wait +
                  "br label %end\nno:\n%far = xor i32 %mine, 512\n"
                  "%v = call i32 @segc_warp_shared_load4(i32 %far)\nbr label %end\nend:"),
              "written by thread 0 with no barrier between");
  EXPECT_SAYS(run(copy + barrier + read + wait), "while a copy to it is under way");
  EXPECT_SAYS(run(copy + barrier + wait + read), "while a copy to it is under way");
  EXPECT_SAYS(run(copy + copy + wait), "writes shared byte 0 while a copy");
  EXPECT_SAYS(run(copy), "ends with copies under way");
  // Only all but one of the groups: the second is still under way.
  const std::string next =
      "call void @segc_warp_cp_async_commit()\ncall void @segc_warp_cp_async_wait(i32 1)\n";
  EXPECT_EQ(run(copy + next + barrier + read), "");
  EXPECT_SAYS(run("call void @segc_warp_cp_async_commit()\n" + copy +
                  "call void @segc_warp_cp_async_wait(i32 1)\n" + barrier + read),
              "while a copy");
}

TEST(EmulatedWarp, FindsDivergence) {
  const std::string half = "%low = icmp slt i32 %t, 16\nbr i1 %low, label %yes, label %no\nyes:\n";
  EXPECT_SAYS(run(half + "call i32 @segc_warp_shuffle_xor(i32 0, i32 1)\nbr label %no\nno:"),
              "wait at shuffle, which others do not reach");
  EXPECT_SAYS(run(half + barrier + "br label %no\nno:"), "some threads end, others wait at a barrier");
  EXPECT_SAYS(
      run(store + barrier + half +
          "%x = alloca [4 x i32]\ncall void @segc_warp_ldmatrix(ptr %x, i32 %mine)\nbr label %end\nno:\n"
          "%y = call i32 @segc_warp_shuffle_xor(i32 0, i32 1)\nbr label %end\nend:"),
      "meet at ldmatrix and at shuffle");
}

TEST(EmulatedWarp, GuardsGlobalMemory) {
  EXPECT_EQ(run("call void @segc_warp_store4(ptr %from, float %f)"), "");
  EXPECT_SAYS(
      run("%p = getelementptr i8, ptr %from, i32 1024\ncall void @segc_warp_store4(ptr %p, float %f)"),
      "a store outside all memory");
  EXPECT_SAYS(run("call void @segc_warp_store4(ptr %a, float %f)"), "byte 0 of a result is stored twice");
  EXPECT_SAYS(run("call void @segc_warp_store4(ptr %from, float %f)\n" + copy),
              "of a result, which this launch stores");
  EXPECT_SAYS(run("%p = getelementptr i8, ptr %from, i32 4\n%v = alloca [4 x i32]\n"
                  "call void @segc_warp_store16(ptr %p, ptr %v)"),
              "a store of 16 bytes is not aligned");
  EXPECT_SAYS(run("%p = getelementptr i8, ptr %from, i32 -16\ncall void @segc_warp_cp_async16(i32 0, ptr %p, "
                  "i32 16)"),
              "a load outside all given memory");
  EXPECT_SAYS(run("%p = add i32 %mine, 16\ncall void @segc_warp_shared_store8(i32 %p, float %f, float %f)"),
              "beyond the block's shared memory");
}

/// A copy of nothing writes zeros and reads nothing; the bytes of an uncopied word are NaN.
TEST(EmulatedWarp, CopiesZeros) {
  std::vector<float> memory(128, 7);
  const std::string out = "%v = call i32 @segc_warp_shared_load4(i32 %other)\n%w = bitcast i32 %v to float\n"
                          "call void @segc_warp_store4(ptr %from, float %w)\n";
  EXPECT_EQ(run("call void @segc_warp_cp_async16(i32 %mine, ptr null, i32 0)\n"
                "call void @segc_warp_cp_async_commit()\n" +
                    wait + barrier + out,
                &memory, 32),
            "");
  EXPECT_EQ(memory[0], 0);
  EXPECT_EQ(memory[1], 7);
}

/// ldmatrix: lane l of matrix m gets elements (l / 4, 2 * (l % 4)) and the next; transposed (2 * (l % 4), l /
/// 4).
TEST(EmulatedWarp, LoadsMatrices) {
  for (const bool transposed : {false, true}) {
    // Thread t writes 8 bytes of row t: element c of row r is the number 8 * r + c for c < 4 (as floats: 2
    // each).
    const std::string body =
        store +
        "%upper = add i32 %mine, 8\ncall void @segc_warp_shared_store8(i32 %upper, float %f, float %f)\n" +
        barrier + "%x = alloca [4 x i32]\ncall void @segc_warp_ldmatrix" + (transposed ? "_trans" : "") +
        "(ptr %x, i32 %mine)\ncall void @segc_warp_store16(ptr %from, ptr %x)";
    std::vector<float> memory(128);
    ASSERT_EQ(run(body, &memory, 32), "");
    const auto *words = reinterpret_cast<const uint32_t *>(memory.data());
    for (int lane = 0; lane < 32; lane++)
      for (int m = 0; m < 4; m++)
        for (int half = 0; half < 2; half++) {
          const int row = transposed ? lane % 4 * 2 + half : lane / 4,
                    column = transposed ? lane / 4 : lane % 4 * 2 + half;
          const float number = float(8 * m + row);
          uint32_t bits;
          memcpy(&bits, &number, 4);
          EXPECT_EQ(words[4 * lane + m] >> (16 * half) & 0xffff, bits >> (column % 2 * 16) & 0xffff);
        }
  }
}

/// mma against the formulae of the PTX ISA ("Matrix Fragments for mma.m16n8k16" and "m16n8k8", with elements
/// numbered through the registers). Small integers: sums are exact.
TEST(EmulatedWarp, MultipliesMatrices) {
  for (const bool tf32 : {false, true}) {
    const int depth = tf32 ? 8 : 16;
    auto left = [](int row, int k) { return (row * 5 + k * 3) % 11 - 5; };
    auto right = [](int k, int column) { return (k * 7 + column * 2) % 9 - 4; };
    std::vector<float> memory(32 * 16);
    for (int lane = 0; lane < 32; lane++) {
      const int group = lane >> 2, inGroup = lane % 4;
      auto *bits = reinterpret_cast<uint32_t *>(memory.data() + 16 * lane);
      for (int i = 0; i < (tf32 ? 4 : 8); i++) {
        const bool upper = tf32 ? i == 0 || i == 2 : i < 2 || (i >= 4 && i < 6);
        const int row = upper ? group : group + 8;
        const int k = tf32 ? inGroup + (i >= 2 ? 4 : 0) : inGroup * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        const float v = float(left(row, k));
        if (tf32)
          memcpy(bits + i, &v, 4);
        else
          bits[i / 2] |= uint32_t(floatToBf16(v)) << (i % 2 * 16);
      }
      for (int i = 0; i < (tf32 ? 2 : 4); i++) {
        const int k = tf32 ? inGroup + (i == 1 ? 4 : 0) : inGroup * 2 + (i & 1) + (i >= 2 ? 8 : 0);
        const float v = float(right(k, group));
        if (tf32)
          memcpy(bits + 4 + i, &v, 4);
        else
          bits[4 + i / 2] |= uint32_t(floatToBf16(v)) << (i % 2 * 16);
      }
      for (int i = 0; i < 4; i++)
        memory[size_t(16 * lane + 8 + i)] = 100;
    }
    const std::string body =
        "%o = mul i32 %t, 64\n%a0 = getelementptr i8, ptr %a, i32 %o\n"
        "%b0 = getelementptr i8, ptr %a0, i32 16\n%c0 = getelementptr i8, ptr %a0, i32 32\n"
        "call void @segc_warp_mma_" +
        std::string(tf32 ? "tf32" : "bf16") + "(ptr %c0, ptr %a0, ptr %b0)";
    ASSERT_EQ(run(body, &memory, 32), "");
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 4; i++) {
        const int row = (lane >> 2) + (i < 2 ? 0 : 8), column = lane % 4 * 2 + (i & 1);
        int sum = 100;
        for (int k = 0; k < depth; k++)
          sum += left(row, k) * right(k, column);
        EXPECT_EQ(memory[size_t(16 * lane + 8 + i)], float(sum));
      }
  }
}

/// Each of the element types against itself: conversions there and back, ties to even, the ends of the range.
TEST(EmulatedWarp, RoundsToHalves) {
  for (int bits = 0; bits < 0x7c00; bits++)
    EXPECT_EQ(floatToF16(f16ToFloat(uint16_t(bits))), bits);
  for (int bits = 0; bits < 0x7f80; bits++)
    EXPECT_EQ(floatToBf16(bf16ToFloat(uint16_t(bits))), bits);
  EXPECT_EQ(floatToF16(1 + 0x1p-11f), 0x3c00); // a tie: down to even
  EXPECT_EQ(floatToF16(1 + 0x1.8p-10f), 0x3c02);
  EXPECT_EQ(floatToF16(65519.f), 0x7bff);
  EXPECT_EQ(floatToF16(65520.f), 0x7c00);
  EXPECT_EQ(floatToF16(-INFINITY), 0xfc00);
  EXPECT_EQ(floatToF16(0x1p-25f), 0);
  EXPECT_EQ(floatToF16(0x1.8p-25f), 1);
  EXPECT_EQ(floatToBf16(1 + 0x1p-8f), 0x3f80);
  EXPECT_EQ(floatToBf16(INFINITY), 0x7f80);
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(NAN))) && std::isnan(f16ToFloat(floatToF16(NAN))));
}

} // namespace
