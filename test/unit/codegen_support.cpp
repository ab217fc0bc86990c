/// \file Stand-ins for kernels and core, assembled in memory.
// SPDX-License-Identifier: MIT
#include "codegen_support.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <stdlib.h>

using namespace llvm;

namespace segc::test {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "segc-test-XXXXXX").string();
  path = mkdtemp(name.data());
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::vector<uint8_t> assemble(const std::string &ir) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMContext context;
  SMDiagnostic problem;
  auto module = parseAssemblyString(ir, problem, context);
  if (!module) {
    ADD_FAILURE() << problem.getMessage().str() << " in line " << problem.getLineNo();
    return {};
  }
  const Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(triple, "x86-64", "", TargetOptions(), Reloc::PIC_));
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  SmallVector<char, 0> bytes;
  raw_svector_ostream out(bytes);
  legacy::PassManager passes;
  machine->addPassesToEmitFile(passes, out, nullptr, CodeGenFileType::ObjectFile);
  passes.run(*module);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

KernelObject kernel(const std::string &symbol, int value, const std::string &callee) {
  const std::string number = std::to_string(value);
  std::string ir = "define i32 @" + symbol + "_argv(ptr %args) {\n";
  if (callee.empty())
    ir += "  ret i32 " + number + "\n}\n";
  else
    ir += "  %d = call double @" + callee +
          "(double 0.0)\n  %i = fptosi double %d to i32\n  %s = add i32 %i, " + number +
          "\n  ret i32 %s\n}\ndeclare double @" + callee + "(double)\n";
  return {symbol, assemble(ir)};
}

std::vector<uint8_t> standInCore() {
  return assemble(R"(
    %variant = type { ptr, ptr }
    @segc_model_variants = external global [0 x %variant]
    @segc_model_variant_count = external global i32
    @segc_model_hidden = hidden global i32 7
    @count = internal global i32 0
    $group = comdat any
    define linkonce_odr i32 @group(i32 %a) noinline comdat { ret i32 %a }
    define i32 @helper(i32 %a) noinline { %b = call i32 @group(i32 %a) ret i32 %b }
    define weak i32 @segc_pool_v1_count() {
      %old = load i32, ptr @count
      %new = add i32 %old, 1
      store i32 %new, ptr @count
      ret i32 %new
    }
    define i32 @segc_model_calls() { %n = call i32 @segc_pool_v1_count() ret i32 %n }
    define i32 @segc_model_variant_number() { %n = load i32, ptr @segc_model_variant_count ret i32 %n }
    define ptr @segc_model_table() { %t = load ptr, ptr @segc_model_variants ret ptr %t }
    define i32 @segc_model_sum() {
    entry:
      %table = load ptr, ptr @segc_model_variants
      %list.at = getelementptr %variant, ptr @segc_model_variants, i64 0, i32 1
      %list = load ptr, ptr %list.at
      %count8 = load i8, ptr %table
      %count = zext i8 %count8 to i64
      br label %loop
    loop:
      %i = phi i64 [ 0, %entry ], [ %next, %body ]
      %sum = phi i32 [ 0, %entry ], [ %added, %body ]
      %done = icmp eq i64 %i, %count
      br i1 %done, label %exit, label %body
    body:
      %at = getelementptr ptr, ptr %list, i64 %i
      %fn = load ptr, ptr %at
      %value = call i32 %fn(ptr null)
      %added = add i32 %sum, %value
      %next = add i64 %i, 1
      br label %loop
    exit:
      %result = call i32 @helper(i32 %sum)
      ret i32 %result
    }
  )");
}

LinkInput model(const std::string &name, std::vector<KernelObject> kernels) {
  VariantData variant;
  variant.table.assign(100, 0);
  variant.table[0] = uint8_t(kernels.size());
  for (const KernelObject &kernel : kernels)
    variant.kernels.push_back(kernel.symbol);
  return {name, {variant}, std::move(kernels)};
}

void write(const std::string &path, const std::vector<uint8_t> &bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

std::string read(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace segc::test
