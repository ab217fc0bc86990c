/// \file Makes a model's static and shared library out of tables, kernels and the runtime core, all in
/// process.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/codegen/DataObject.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>
#include <variant>
#include <vector>

namespace segc {

/// The prefix of a model's C names. A name that is an identifier and not a keyword of C or C++ is its own
/// prefix. Otherwise each byte that does not fit (any but letters, digits and '_'; a leading digit; the first
/// letter of a keyword) becomes "_x" and two hexadecimal digits: "unet.small" -> "unet_x2esmall". As a "_x"
/// before two such digits is itself written "_x5fx", different names have different prefixes.
std::string cPrefix(const std::string &name);

struct KernelObject {
  std::string symbol;
  std::vector<uint8_t> bytes; ///< relocatable ELF
};

struct LinkInput {
  std::string name;                  ///< the model's, as written in its description
  std::vector<VariantData> variants; ///< best first, at least one
  std::vector<KernelObject> kernels; ///< of all variants; equal symbols must have equal bytes
};

struct Libraries {
  std::vector<uint8_t> archive; ///< lib<prefix>.a with one member
  std::vector<uint8_t> shared;  ///< lib<prefix>.so, whose SONAME that is
};

/// Links `input` with `core` (segc's own is coreObject()). Both libraries define `<prefix>_*`, where the core
/// has segc_model_*; the archive also the weak functions segc_pool_*, so that all models linked into one
/// program share its threads. A shared library exports nothing else and has a pool of its own. Every other
/// symbol is local. They need libc and, where a kernel calls it, libm; references carry no version and so
/// bind to the oldest one the C library has. Equal inputs give equal bytes. Uses LLVM's linker, which serves
/// one link at a time: calls from several threads wait for each other. On failure a sentence saying what is
/// wrong.
std::variant<Libraries, std::string> linkModel(const LinkInput &input, llvm::ArrayRef<uint8_t> core);

} // namespace segc
