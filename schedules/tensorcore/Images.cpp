/// \file Images from PTX by ptxas, one behind the other.
// SPDX-License-Identifier: MIT
#include "schedules/Images.h"
#include "runtime/core/Images.h"
#include "schedules/tensorcore/Assemble.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;

std::string segc::schedules::addImages(std::string &code, const Images &images) {
  if (images.archs.empty())
    return "";
  const std::string ptx = code.c_str(); // it may end with a zero
  code = ptx;
  code.resize(rt::alignImage(ptx.size() + 1));
  SmallVector<StringRef> archs;
  StringRef(images.archs).split(archs, ',');
  for (StringRef arch : archs) {
    rt::ImageHeader header = {};
    StringRef number = arch; // of sm_90a too: nothing but sm_90 has code of this kind
    if (!number.consume_front("sm_") || number.consumeInteger(10, header.architecture) ||
        !(number.empty() || number == "a"))
      return "'" + arch.str() + "' is no architecture";
    Expected<tensorcore::Cubin> cubin = tensorcore::assemble(ptx, arch.str(), images.ptxas);
    if (!cubin)
      return toString(cubin.takeError());
    header.bytes = cubin->bytes.size();
    code.append(reinterpret_cast<const char *>(&header), sizeof header);
    code += cubin->bytes;
    code.resize(rt::alignImage(code.size()));
  }
  return "";
}
