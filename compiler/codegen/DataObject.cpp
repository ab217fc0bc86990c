/// \file Tables as LLVM constants: {table, kernels} for each variant.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/DataObject.h"
#include "runtime/core/ModelTable.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace segc {
namespace {

/// Writes objects for any x86-64 processor, position independent.
std::unique_ptr<TargetMachine> targetMachine(std::string &error) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  const Triple triple("x86_64-unknown-linux-gnu");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, "x86-64", "", TargetOptions(), Reloc::PIC_));
}

GlobalVariable *constant(Module &module, Constant *value, const Twine &name, bool visible = false) {
  auto linkage = visible ? GlobalValue::ExternalLinkage : GlobalValue::InternalLinkage;
  auto *global = new GlobalVariable(module, value->getType(), true, linkage, value, name);
  global->setAlignment(Align(64));
  return global;
}

/// A table and the list of its kernels, both null where there is none.
std::pair<Constant *, Constant *> program(Module &module, const std::vector<uint8_t> &table,
                                          const std::vector<std::string> &symbols, const Twine &suffix) {
  LLVMContext &context = module.getContext();
  auto *pointer = PointerType::get(context, 0);
  Constant *const none = ConstantPointerNull::get(pointer);
  if (table.empty())
    return {none, none};
  auto *type = FunctionType::get(Type::getInt32Ty(context), {pointer}, false);
  std::vector<Constant *> kernels;
  for (const std::string &symbol : symbols)
    kernels.push_back(cast<Constant>(module.getOrInsertFunction(symbol + "_argv", type).getCallee()));
  auto *list = ConstantArray::get(ArrayType::get(pointer, kernels.size()), kernels);
  return {constant(module, ConstantDataArray::get(context, table), "table" + suffix),
          constant(module, list, "kernels" + suffix)};
}

/// segc::rt::Variant: two pointers for inference and two for training.
Constant *variant(Module &module, const VariantData &data, size_t index) {
  auto [table, kernels] = program(module, data.table, data.kernels, Twine(index));
  auto [trainTable, trainKernels] =
      program(module, data.trainTable, data.trainKernels, "train" + Twine(index));
  return ConstantStruct::getAnon({table, kernels, trainTable, trainKernels});
}

static_assert(sizeof(rt::Variant) == 4 * sizeof(void *), "the layout of variant()");

} // namespace

std::variant<std::vector<uint8_t>, std::string> dataObject(const std::vector<VariantData> &variants) {
  std::string error;
  std::unique_ptr<TargetMachine> machine = targetMachine(error);
  if (!machine)
    return "this LLVM cannot write x86-64 objects: " + error;
  LLVMContext context;
  Module module("model", context);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  std::vector<Constant *> list;
  for (const VariantData &data : variants)
    list.push_back(variant(module, data, list.size()));
  constant(module, ConstantArray::get(ArrayType::get(list[0]->getType(), list.size()), list),
           "segc_model_variants", true);
  constant(module, ConstantInt::get(Type::getInt32Ty(context), list.size()), "segc_model_variant_count",
           true);
  SmallVector<char, 0> bytes;
  raw_svector_ostream out(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, out, nullptr, CodeGenFileType::ObjectFile))
    return std::string("this LLVM cannot write x86-64 objects");
  passes.run(module);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

} // namespace segc
