/// \file The epilogue as calls of device/Steps.cpp, which LLVM inlines; entries with the number of their
/// threads; the instruction that LLVM lacks.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/Generate.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace segc::tensorcore {
namespace {

Error missing(StringRef name) {
  return createStringError("the embedded template has no function '" + name.str() +
                           "': segc's build is broken");
}

} // namespace

Error generateEpilogue(Module &module, const Problem &problem) {
  Function *epilogue = module.getFunction("segc_epilogue");
  if (!epilogue) // the weight gradient alone has none
    return missing("segc_epilogue");
  epilogue->setLinkage(GlobalValue::InternalLinkage);
  IRBuilder<> b(BasicBlock::Create(module.getContext(), "steps", epilogue));
  Value *v = epilogue->getArg(0), *arguments = epilogue->getArg(1), *k = epilogue->getArg(2);
  Value *n = epilogue->getArg(3), *y = epilogue->getArg(4), *x = epilogue->getArg(5);
  Type *octet = ArrayType::get(b.getFloatTy(), 8);
  auto lane = [&](Value *base, int i) { return b.CreateConstGEP2_32(octet, base, 0, i); };

  int vectors = 0, tensors = 0;
  for (const schedules::Epilogue &step : problem.epilogues) {
    Function *body = module.getFunction("segc_step_" + step.op);
    if (!body)
      return missing("segc_step_" + step.op);
    // The tensor first, then up to three vectors; those that the step lacks are 0.
    Value *operands[4] = {};
    int vector = 1;
    for (char kind : step.signature()) {
      Value *loaded = b.CreateAlloca(octet);
      Function *load = module.getFunction(kind == 't' ? "segc_load_tensor" : "segc_load_vector");
      if (!load)
        return missing("segc_load_tensor");
      if (kind == 't') {
        const int bytes = step.wide ? 4 : bytesOf(problem.element);
        b.CreateCall(load, {loaded, arguments, b.getInt32(tensors++), b.getInt32(bytes), k, n, y, x});
        operands[0] = loaded;
      } else {
        b.CreateCall(load, {loaded, arguments, b.getInt32(vectors++), k});
        operands[vector++] = loaded;
      }
    }
    for (int i = 0; i < 8; i++) {
      SmallVector<Value *> values = {b.CreateLoad(b.getFloatTy(), lane(v, i))};
      for (Value *operand : operands)
        values.push_back(operand ? static_cast<Value *>(b.CreateLoad(b.getFloatTy(), lane(operand, i)))
                                 : ConstantFP::get(b.getFloatTy(), 0));
      values.push_back(ConstantFP::get(b.getFloatTy(), step.value));
      b.CreateStore(b.CreateCall(body, values), lane(v, i));
    }
  }
  b.CreateRetVoid();
  return Error::success();
}

/// LLVM has no intrinsic for it. The accumulators are results and, tied to them, operands; their products are
/// under way behind the instruction, which ptxas knows, not LLVM: nothing may touch them before the wait.
void generateWgmma(Module &module, const Problem &problem, const Tile &tile) {
  module.getNamedGlobal("segc_shared")->setAlignment(Align(1024));
  Function *wgmma = module.getFunction("segc_warp_wgmma");
  wgmma->setLinkage(GlobalValue::InternalLinkage);
  IRBuilder<> b(BasicBlock::Create(module.getContext(), "entry", wgmma));
  const int count = tile.warpN / 2;
  SmallVector<Value *> operands;
  std::string sums, constraints, tied;
  for (int i = 0; i < count; i++) {
    operands.push_back(
        b.CreateLoad(b.getFloatTy(), b.CreateConstGEP1_32(b.getFloatTy(), wgmma->getArg(0), i)));
    sums += (i ? ", $" : "$") + std::to_string(i);
    constraints += "=f,";
    tied += std::to_string(i) + ",";
  }
  operands.append({wgmma->getArg(1), wgmma->getArg(2)});
  const std::string element = problem.element == Element::F16 ? "f16" : "bf16";
  // scale-d, scale-a, scale-b, and whether the operands are transposed: the template's isTransposed
  const std::string transposed = problem.kind == Kind::WeightGradient ? "1, 1" : "0, 0";
  const std::string text = "wgmma.mma_async.sync.aligned.m64n" + std::to_string(tile.warpN) + "k16.f32." +
                           element + "." + element + " {" + sums + "}, $" + std::to_string(2 * count) +
                           ", $" + std::to_string(2 * count + 1) + ", 1, 1, 1, " + transposed + ";";
  SmallVector<Type *> types(size_t(count), b.getFloatTy()), given(types);
  given.append(2, b.getInt64Ty());
  auto *type = FunctionType::get(StructType::get(module.getContext(), types), given, false);
  CallInst *call = b.CreateCall(
      InlineAsm::get(type, text, constraints + tied + "l,l,~{memory}", /*hasSideEffects=*/true), operands);
  call->addFnAttr(Attribute::Convergent);
  for (int i = 0; i < count; i++)
    b.CreateStore(b.CreateExtractValue(call, unsigned(i)),
                  b.CreateConstGEP1_32(b.getFloatTy(), wgmma->getArg(0), i));
  b.CreateRetVoid();
}

Expected<Function *> generateEntry(Module &module, const Kernel &kernel, const char *body, Warp warp) {
  Function *callee = module.getFunction(body);
  if (!callee)
    return missing(body);
  LLVMContext &context = module.getContext();
  auto *pointer = PointerType::get(context, 0);
  auto *type = FunctionType::get(Type::getVoidTy(context), {pointer}, false);
  Function *entry = Function::Create(type, GlobalValue::ExternalLinkage, kernel.symbol, module);
  if (warp == Warp::Nvvm) {
    static_assert(sizeof(Arguments) % 8 == 0, "kernel parameters are copied in words of 8 bytes");
    auto *value = ArrayType::get(Type::getInt64Ty(context), sizeof(Arguments) / 8);
    entry->setCallingConv(CallingConv::PTX_Kernel);
    entry->addParamAttr(0, Attribute::getWithByValType(context, value));
    entry->addParamAttr(0, Attribute::getWithAlignment(context, Align(8)));
    entry->addFnAttr("nvvm.maxntid", std::to_string(kernel.threads));
  }
  entry->addFnAttr("target-cpu", callee->getFnAttribute("target-cpu").getValueAsString());
  entry->addFnAttr("target-features", callee->getFnAttribute("target-features").getValueAsString());
  entry->addFnAttr(Attribute::Convergent);
  entry->addFnAttr(Attribute::NoUnwind);
  IRBuilder<> b(BasicBlock::Create(context, "entry", entry));
  b.CreateCall(callee, {entry->getArg(0)});
  b.CreateRetVoid();
  return entry;
}

} // namespace segc::tensorcore
