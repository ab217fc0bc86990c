/// \file Retargets a module to the host and compiles it with ORC.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Emulate.h"
#include "compiler/emulate/Primitives.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace segc::emulate {
namespace {

/// The GPU's triple, layout, processor and calling convention mean nothing to the host. Structures and
/// pointers have the same layout on both.
void retarget(Module &module, const orc::LLJIT &jit) {
  module.setTargetTriple(jit.getTargetTriple());
  module.setDataLayout(jit.getDataLayout());
  for (Function &function : module) {
    function.removeFnAttr("target-cpu");
    function.removeFnAttr("target-features");
    function.setCallingConv(CallingConv::C);
  }
}

} // namespace

Kernels::Kernels(std::unique_ptr<orc::LLJIT> jit) : jit(std::move(jit)) {}
Kernels::Kernels(Kernels &&) = default;
Kernels::~Kernels() = default;

Expected<Kernels> Kernels::compile(std::unique_ptr<Module> module, std::unique_ptr<LLVMContext> context) {
  static const bool initialised = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  if (!initialised)
    return createStringError("LLVM was built without a target for this machine");
  Expected<std::unique_ptr<orc::LLJIT>> jit = orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  retarget(*module, **jit);
  orc::SymbolMap symbols;
  for (const auto &[name, function] : primitives())
    symbols[(*jit)->mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                              JITSymbolFlags::Exported | JITSymbolFlags::Callable};
  if (Error error = (*jit)->getMainJITDylib().define(orc::absoluteSymbols(std::move(symbols))))
    return error;
  if (Error error = (*jit)->addIRModule(orc::ThreadSafeModule(std::move(module), std::move(context))))
    return error;
  return Kernels(std::move(*jit));
}

Expected<Counts> Kernels::run(const std::string &symbol, const Launch &launch, const void *arguments,
                              const std::vector<Range> &memory) const {
  Expected<orc::ExecutorAddr> entry = jit->lookup(symbol);
  if (!entry)
    return entry.takeError();
  if (launch.threads <= 0 || launch.threads % 32 || launch.threads > 1024)
    return createStringError(symbol + ": " + std::to_string(launch.threads) + " threads are no whole warps");
  GlobalMemory global(memory);
  Block block(launch.threads, launch.sharedBytes, global);
  for (int part = 0; part < launch.parts; part++)
    for (int phase = 0; phase < launch.phases; phase++)
      for (int64_t i = 0; i < launch.blocks; i++)
        if (std::string error =
                block.run(entry->toPtr<Entry>(), const_cast<void *>(arguments), {int(i), phase, part});
            !error.empty())
          return createStringError(symbol + ": " + error);
  return block.counts;
}

} // namespace segc::emulate
